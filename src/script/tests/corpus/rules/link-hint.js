function (user, context, callback) {
  const request = require('request@2.88.2');
  request.get({
    url: configuration.API + '/profiles',
    qs: { email: user.email },
    headers: { authorization: 'Bearer ' + configuration.API_TOKEN },
    json: true,
  }, function (err, response, body) {
    if (err) return callback(err);
    if (response.statusCode !== 200) return callback(new Error('The profile service answered ' + response.statusCode));
    if (body.length > 0) {
      context.idToken['https://acme.example/profile'] = body[0].id;
    }
    return callback(null, user, context);
  });
}
