function addCountry(user, context, callback) {
  if (context.request.geoip) {
    context.idToken['https://acme.example/country'] = context.request.geoip.country_name;
    context.idToken['https://acme.example/timezone'] = context.request.geoip.time_zone;
  }
  callback(null, user, context);
}
