function (user, context, callback) {
  if (context.clientID === 'legacy') {
    callback(null, user, context);
  }
  context.idToken['https://acme.example/modern'] = context.clientID !== 'legacy';
  callback(null, user, context);
}
