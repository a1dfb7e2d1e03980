exports.onExecutePostLogin = async (event, api) => {
  api.user.setAppMetadata('denied_at', event.secrets.NOW);
  return api.access.deny('Your account is under review.');
};
