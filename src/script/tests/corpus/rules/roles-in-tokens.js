// Adds the roles of the user to both tokens.
function (user, context, callback) {
  const namespace = 'https://acme.example/';
  const roles = (context.authorization || {}).roles;

  context.idToken[namespace + 'roles'] = roles;
  context.accessToken[namespace + 'roles'] = roles;

  callback(null, user, context);
}
