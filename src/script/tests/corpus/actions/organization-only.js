exports.onExecutePostLogin = async (event, api) => {
  if (!event.organization) {
    api.access.deny('Log in to an organization.');
  } else {
    api.idToken.setCustomClaim('https://acme.example/tier', event.organization.metadata.tier ?? 'none');
  }
};
