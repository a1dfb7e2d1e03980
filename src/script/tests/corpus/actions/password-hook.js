exports.onExecutePostChangePassword = async (event) => {
  const response = await fetch(`${event.secrets.API}/sessions/${event.user.user_id.split('|')[1]}`, { method: 'DELETE' });
  console.log('sessions ended:', response.status);
};
