exports.onExecutePostLogin = async (event) => {
  if (event.client.client_id === 'spa') throw new Error('The profile service is not configured.');
};
