function (user, context, callback) {
  const github = user.identities.find(function (identity) { return identity.provider === 'github'; });
  if (!github) return callback(null, user, context);
  context.idToken['https://acme.example/github'] = github.access_token.length;
  callback(null, user, context);
}
