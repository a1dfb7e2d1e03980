exports.onExecutePostLogin = async (event, api) => {
  const providers = event.user.identities.map(({ provider }) => provider);
  api.idToken.setCustomClaim('https://acme.example/providers', [...new Set(providers)].sort());
  api.idToken.setCustomClaim('https://acme.example/event', Object.keys(JSON.parse(JSON.stringify(event))).includes('user'));
};
