function multifactor(user, context, callback) {
  context.multifactor = {
    provider: 'any',
    // Ask again after 30 days.
    allowRememberBrowser: false,
  };
  callback(null, user, context);
}
