function requireRole(user, context, callback) {
  const { clientMetadata, authorization } = context;
  const needed = clientMetadata.role;
  if (needed && !authorization.roles.includes(needed)) {
    return callback(new UnauthorizedError('You need the role ' + needed + '.'));
  }
  return callback(null, user, context);
}
