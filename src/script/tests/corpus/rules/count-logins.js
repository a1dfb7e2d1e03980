function (user, context, callback) {
  user.app_metadata = user.app_metadata || {};
  user.app_metadata.logins = (user.app_metadata.logins || 0) + 1;
  auth0.users.updateAppMetadata(user.user_id, { logins: user.app_metadata.logins, client: context.clientName });
  context.idToken['https://acme.example/logins'] = user.app_metadata.logins;
  callback(null, user, context);
}
