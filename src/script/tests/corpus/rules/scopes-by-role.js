function (user, context, callback) {
  const roles = context.authorization.roles;
  // Only admins may delete.
  let scopes = ['openid', 'read:notes'];
  if (roles.includes('admin')) scopes.push('delete:notes');
  context.accessToken.scope = scopes;
  callback(null, user, context);
}
