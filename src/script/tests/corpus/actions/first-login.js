exports.onExecutePostLogin = async (event, api) => {
  if (event.stats.logins_count > 1) return;
  api.user.setAppMetadata('signed_up_with', event.client.name);
  api.user.setUserMetadata('language', event.transaction?.locale || 'en');
  api.user.setAppMetadata('temporary', null);
};
