function (user, context, callback) {
  setTimeout(() => {
    context.idToken['https://acme.example/waited'] = true;
    callback(null, user, context);
  }, 5);
}
