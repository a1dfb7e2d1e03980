function (user, context, callback) {
  const claims = { 'https://acme.example/plan': 'free' };
  if (user.app_metadata) claims['https://acme.example/known'] = true;
  Object.assign(context.idToken, claims);
  context.idToken = context.idToken || {};
  callback(null, user, context);
}
