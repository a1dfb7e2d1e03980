function (user, context, callback) {
  context.clientMetadata = context.clientMetadata || {};
  const needed = context.clientMetadata.role;
  callback(null, user, context);
}
