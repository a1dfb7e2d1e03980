function (user, context, callback) {
  if (!user.app_metadata) {
    return callback(new UnauthorizedError('Ask for an invitation first.'));
  }
  callback(null, user, context);
}
