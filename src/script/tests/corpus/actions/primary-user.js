exports.onExecutePostLogin = async (event, api) => {
  const { primary } = event.user.app_metadata;
  if (primary && primary !== event.user.user_id) api.authentication.setPrimaryUser(primary);
};
