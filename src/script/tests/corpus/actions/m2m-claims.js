exports.onExecuteCredentialsExchange = async (event, api) => {
  api.accessToken.setCustomClaim('https://acme.example/tier', event.client.metadata.tier || 'free');
  if (event.resource_server.identifier === 'https://closed.example') {
    api.access.deny('invalid_scope', 'This API is closed.');
  }
};
