async function defaultName(user, context, callback) {
  if (user.user_metadata && user.user_metadata.display_name) {
    return callback(null, user, context);
  }
  const [local] = (user.email || 'somebody').split('@');
  try {
    await auth0.users.updateUserMetadata(user.user_id, { display_name: local, language: 'en' });
  } catch (error) {
    return callback(error);
  }
  return callback(null, user, context);
}
