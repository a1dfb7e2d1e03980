exports.onExecutePostLogin = async (event, api) => {
  const enrolled = (event.user.enrolledFactors || []).map((factor) => factor.type);
  if (enrolled.includes('otp')) {
    api.authentication.challengeWith({ type: 'otp' });
  } else {
    api.authentication.enrollWith({ type: 'otp' });
  }
};
