function (user, context, callback) {
  if (context.stats.loginsCount > 1) {
    return callback(null, user, context);
  }
  const request = require('request');
  request.post({ url: configuration.HOOK, json: { email: user.email, client: context.clientName, ip: context.request.ip }, timeout: 3000 }, (err, response) => {
    // A broken webhook must not keep anyone out.
    if (err || response.statusCode >= 300) console.warn('the webhook failed');
    callback(null, user, context);
  });
}
