/**
 * Gives every new user a plan.
 */
function signupMetadata(user, context, callback) {
  user.app_metadata = user.app_metadata || {};
  if (user.app_metadata.plan) {
    return callback(null, user, context);
  }
  user.app_metadata.plan = 'free';
  user.app_metadata.since = user.created_at;

  auth0.users.updateAppMetadata(user.user_id, user.app_metadata)
    .then(function () {
      context.idToken['https://acme.example/plan'] = user.app_metadata.plan;
      callback(null, user, context);
    })
    .catch(function (err) {
      callback(err);
    });
}
