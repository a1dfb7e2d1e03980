function (user, context, callback) {
  const namespace = configuration['NAMESPACE'];
  const metadata = user.user_metadata || {};
  Object.keys(metadata).forEach(function (key) {
    context.idToken[namespace + key] = metadata[key];
  });
  callback(null, user, context);
}
