exports.onExecutePostChallenge = async (event, api) => {
  if (event.user.app_metadata.frozen) {
    api.access.deny('Ask your administrator.');
  } else {
    api.authentication.challengeWith({ type: 'otp' });
  }
};
