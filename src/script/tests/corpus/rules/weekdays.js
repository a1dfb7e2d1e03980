function (user, context, callback) {
  if (context.clientName === 'Office') {
    const d = new Date(configuration.NOW).getUTCDay();
    if (d === 0 || d === 6) {
      return callback(new UnauthorizedError('This app is only available during the week.'));
    }
  }
  callback(null, user, context);
}
