function (user, context, callback) {
  if (user.user_metadata && user.user_metadata.use_mfa) {
    context.multifactor = { provider: 'any' };
  }
  return callback(null, user, context);
}
