function redirectForConsent(user, context, callback) {
  user.app_metadata = user.app_metadata || {};
  if (context.protocol === 'redirect-callback') {
    if (context.request.query.consent !== 'yes') {
      return callback(new UnauthorizedError('You must agree to the terms.'));
    }
    return auth0.users.updateAppMetadata(user.user_id, { consent: true })
      .then(() => callback(null, user, context))
      .catch((error) => callback(error));
  }
  if (!user.app_metadata.consent) {
    context.redirect = { url: 'https://acme.example/consent?app=' + context.clientID };
  }
  callback(null, user, context);
}
