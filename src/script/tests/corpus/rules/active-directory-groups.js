function (user, context, callback) {
  var groupAllowed = 'staff';
  if (!user.groups || user.groups.indexOf(groupAllowed) === -1) {
    return callback(new UnauthorizedError('Access denied.'));
  }
  callback(null, user, context);
}
