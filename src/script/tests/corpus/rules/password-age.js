function (user, context, callback) {
  const lastChange = user.last_password_reset || user.created_at;
  const days = (new Date(configuration.NOW).getTime() - new Date(lastChange).getTime()) / 86400000;
  switch (true) {
    case days > 365:
      return callback(new UnauthorizedError('Please change your password.'));
    case days > 300:
      context.idToken['https://acme.example/password_expires'] = Math.floor(365 - days);
      return callback(null, user, context);
    default:
      return callback(null, user, context);
  }
}
