function (user, context, callback) {
  context.accessToken.scope = context.accessToken.scope || [];
  if (user.email_verified) {
    context.accessToken.scope.push('write:notes');
  }
  callback(null, user, context);
}
