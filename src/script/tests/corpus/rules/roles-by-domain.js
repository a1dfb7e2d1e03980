function (user, context, callback) {
  user.app_metadata = user.app_metadata || {};

  var addRolesToUser = function (user) {
    var endsWith = '@acme.example';
    if (user.email && user.email_verified && (user.email.substring(user.email.length - endsWith.length) === endsWith)) {
      return ['admin'];
    }
    return ['user'];
  };

  const roles = addRolesToUser(user);
  user.app_metadata.roles = roles;
  auth0.users.updateAppMetadata(user.user_id, { roles: roles })
    .then(() => {
      context.idToken['https://acme.example/roles'] = user.app_metadata.roles;
      return callback(null, user, context);
    })
    .catch(callback);
}
