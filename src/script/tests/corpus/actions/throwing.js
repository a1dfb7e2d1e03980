exports.onExecutePostLogin = async (event, api) => {
  if (event.client.client_id !== 'spa') return api.access.deny('Another application.');
  throw new Error('The profile service is not configured.');
};
