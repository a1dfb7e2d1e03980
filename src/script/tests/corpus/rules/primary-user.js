function (user, context, callback) {
  user.app_metadata = user.app_metadata || {};
  if (user.app_metadata.primary) {
    context.primaryUser = user.app_metadata.primary;
  }
  callback(null, user, context);
}
