exports.onExecutePostLogin = async (event, api) => {
  if (event.resource_server?.identifier !== 'https://api.acme.example') return;
  api.accessToken.removeScope('write:notes');
  api.accessToken.addScope('read:notes');
};
