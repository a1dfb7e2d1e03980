exports.onExecuteCustomPhoneProvider = async (event, api) => {
  const { recipient, as_text } = event.notification;
  if (!recipient.startsWith('+49')) return api.notification.drop('Only German numbers.');
  const response = await fetch(event.secrets.SMS, { method: 'POST', body: JSON.stringify({ to: recipient, text: as_text }) });
  if (!response.ok) api.notification.retry('The provider answered ' + response.status);
};
