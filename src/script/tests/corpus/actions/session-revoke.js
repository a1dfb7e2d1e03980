exports.onExecutePostLogin = async (event, api) => {
  if (event.user.app_metadata.compromised) {
    api.session.revoke('The account was compromised.');
  }
};
