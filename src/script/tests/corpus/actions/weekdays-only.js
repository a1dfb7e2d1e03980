exports.onExecutePostLogin = async (event, api) => {
  const day = new Date(event.secrets.NOW).getUTCDay();
  if (event.client.name === 'Office' && (day === 0 || day === 6)) {
    api.access.deny('This app is available on weekdays only.');
  }
};
