function (user, context, callback) {
  const event = { email: user.email, api: context.clientID };
  if (event.api === 'closed') {
    throw new Error('The application is closed.');
  }
  context.idToken['https://acme.example/event'] = event;
  callback(null, user, context);
}
