exports.onExecutePostLogin = async (event, api) => {
  if (event.user.user_metadata.privacy_policies === true) return;
  api.prompt.render('ap_consent', { vars: { name: event.user.name } });
};
exports.onContinuePostLogin = async (event, api) => {
  api.user.setUserMetadata('privacy_policies', true);
};
