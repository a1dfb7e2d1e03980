function (user, context, callback) {
  delete user.picture;
  delete context.idToken['https://acme.example/old'];
  callback(null, user, context);
}
