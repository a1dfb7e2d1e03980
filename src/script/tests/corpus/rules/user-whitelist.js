function userWhitelist(user, context, callback) {
  if (!user.email || !user.email_verified) {
    return callback(new UnauthorizedError('Access denied.'));
  }
  if (context.clientName !== 'Shop') return callback(null, user, context);

  for (const email of configuration.ALLOWED.split(',')) {
    if (email.trim() === user.email) return callback(null, user, context);
  }
  callback(new UnauthorizedError('Access denied.'));
}
