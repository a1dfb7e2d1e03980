function (user, context, callback) {
  const request = require('request');
  // Links users with the same verified email.
  if (!user.email_verified) return callback(null, user, context);

  request.get({
    url: auth0.baseUrl + '/users-by-email',
    headers: { Authorization: 'Bearer ' + auth0.accessToken },
    qs: { email: user.email },
  }, function (err, response, body) {
    if (err) return callback(err);
    const data = JSON.parse(body);
    context.primaryUser = data[0].user_id;
    callback(null, user, context);
  });
}
