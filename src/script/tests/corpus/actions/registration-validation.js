exports.onExecutePreUserRegistration = async (event, api) => {
  if ((event.user.username || '').length < 4) {
    api.validation.error('short_username', 'The username needs 4 characters.');
  }
};
