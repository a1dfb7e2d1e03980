function (user, context, callback) {
  const admins = JSON.parse(configuration.ADMINS);
  const isAdmin = admins.includes(user.email) && user.email_verified === true;
  if (!isAdmin) { return callback(null, user, context); }
  context.accessToken['https://acme.example/admin'] = isAdmin;
  return callback(null, user, context);
}
