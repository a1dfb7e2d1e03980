exports.onExecutePreUserRegistration = async (event, api) => {
  if (!event.user.email.endsWith('@acme.example')) {
    api.access.deny(`${event.user.email} is not one of us`, 'Only colleagues can sign up.');
    return;
  }
  api.user.setAppMetadata('staff', true);
  api.user.setUserMetadata('theme', 'light');
};
