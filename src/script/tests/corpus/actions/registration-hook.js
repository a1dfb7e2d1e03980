exports.onExecutePostUserRegistration = async (event) => {
  await fetch(event.secrets.HOOK, { method: 'POST', body: JSON.stringify({ id: event.user.user_id }) });
};
