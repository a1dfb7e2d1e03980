function (user, context, callback) {
  user.app_metadata = user.app_metadata || {};
  if (typeof user.app_metadata.primary === 'string') {
    context.primaryUser = user.app_metadata.primary;
  }
  callback(null, user, context);
}
