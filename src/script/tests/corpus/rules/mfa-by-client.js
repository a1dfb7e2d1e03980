function (user, context, callback) {
  const CLIENTS_WITH_MFA = ['bank', 'admin'];
  // Only for some applications, unless the session has had a second factor.
  const completed = !!(context.authentication && context.authentication.methods.find((method) => method.name === 'mfa'));
  if (CLIENTS_WITH_MFA.indexOf(context.clientID) !== -1 && !completed) {
    context.multifactor = { provider: 'guardian', allowRememberBrowser: true };
  }
  callback(null, user, context);
}
