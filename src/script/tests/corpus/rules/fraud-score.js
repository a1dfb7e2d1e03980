function checkRisk(user, context, callback) {
  const done = function (score) {
    if (score > 80) return callback(new UnauthorizedError('This login looks suspicious.'));
    if (score > 40) context.multifactor = { provider: 'any', allowRememberBrowser: false };
    return callback(null, user, context);
  };
  fetch(configuration.API + '/score?ip=' + context.request.ip)
    .then((response) => response.json())
    .then((body) => done(body.score), callback);
}
