function (user, context, callback) {
  function addClaim(context, name, value) {
    context.idToken['https://acme.example/' + name] = value;
    context.accessToken['https://acme.example/' + name] = value;
  }
  addClaim(context, 'email', user.email);
  addClaim(context, 'country', context.request.geoip.country_code);
  callback(null, user, context);
}
