/** Adds the roles to both tokens. */
exports.onExecutePostLogin = async (event, api) => {
  const namespace = 'https://acme.example';
  if (event.authorization) {
    api.idToken.setCustomClaim(`${namespace}/roles`, event.authorization.roles);
    api.accessToken.setCustomClaim(`${namespace}/roles`, event.authorization.roles);
  }
};
