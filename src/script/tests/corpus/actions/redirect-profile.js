exports.onExecutePostLogin = async (event, api) => {
  if (!event.user.user_metadata.birthday && api.redirect.canRedirect()) {
    const token = api.redirect.encodeToken({
      secret: event.secrets.REDIRECT_SECRET,
      expiresInSeconds: 60,
      payload: { email: event.user.email },
    });
    api.redirect.sendUserTo('https://acme.example/profile', { query: { session_token: token.length > 20 ? 'signed' : 'bad' } });
  }
};
exports.onContinuePostLogin = async (event, api) => {
  api.user.setUserMetadata('birthday', event.request.query.birthday);
};
