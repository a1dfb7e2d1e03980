function (user, context, callback) {
  // Access for colleagues only.
  const whitelist = ['acme.example', 'acme.test'];
  const domain = user.email.split('@')[1].toLowerCase();
  const userHasAccess = whitelist.some(function (allowed) { return domain === allowed; });

  if (!userHasAccess) {
    return callback(new UnauthorizedError('Access denied.'));
  }
  return callback(null, user, context);
}
