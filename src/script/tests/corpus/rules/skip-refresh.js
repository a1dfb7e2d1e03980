function (user, context, callback) {
  if (context.protocol === 'oauth2-refresh-token') {
    return callback(null, user, context);
  }
  if (context.stats.loginsCount > 1) {
    context.idToken['https://acme.example/returning'] = true;
  }
  return callback(null, user, context);
}
