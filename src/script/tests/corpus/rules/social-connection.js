function (user, context, callback) {
  const allowed = ['google-oauth2', 'github'];
  const isSocial = user.identities.some((identity) => allowed.includes(identity.provider));
  context.idToken['https://acme.example/social'] = isSocial;
  context.idToken['https://acme.example/connection'] = context.connection;
  callback(null, user, context);
}
