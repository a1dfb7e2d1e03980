function (user, context, callback) {
  auth0.users.updateAppMetadata('auth0|boss', { last_report: user.user_id })
    .then(function () { callback(null, user, context); })
    .catch(function (err) { callback(err); });
}
