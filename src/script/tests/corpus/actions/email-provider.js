exports.onExecuteCustomEmailProvider = async (event, api) => {
  if (event.notification.message_type === 'welcome_email') {
    api.notification.drop('No welcome emails.');
  }
};
