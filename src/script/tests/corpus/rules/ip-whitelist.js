function (user, context, callback) {
  const whitelist = ['192.0.2.7', '192.0.2.8'];
  const notAuthorized = whitelist.every(function (ip) {
    return context.request.ip !== ip;
  });
  if (notAuthorized) {
    return callback(new UnauthorizedError('Access denied from this IP address.'));
  }
  return callback(null, user, context);
}
