function (user, context, callback) {
  user.app_metadata = user.app_metadata || {};
  user.app_metadata.logins = (user.app_metadata.logins || 0) + 1;
  context.idToken['https://acme.example/logins'] = user.app_metadata.logins;
  auth0.users
    .updateAppMetadata(user.user_id, { logins: user.app_metadata.logins, client: context.clientName })
    .then(() => callback(null, user, context))
    .catch((error) => callback(error));
}
