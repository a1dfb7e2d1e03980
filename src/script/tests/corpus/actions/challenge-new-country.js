exports.onExecutePostLogin = async (event, api) => {
  const known = event.user.app_metadata.country;
  const current = event.request.geoip.countryCode;
  if (known && known !== current) {
    api.authentication.challengeWithAny([{ type: 'otp' }, { type: 'phone' }]);
    return;
  }
  api.user.setAppMetadata('country', current);
};
