exports.onExecutePostLogin = async (event, api) => {
  const { user_metadata, app_metadata } = event.user;
  api.idToken.setCustomClaim('https://acme.example/favorite', user_metadata.favorite);
  if (app_metadata.plan) api.accessToken.setCustomClaim('https://acme.example/plan', app_metadata.plan);
};
