function (user, context, callback) {
  console.log('login of', user.user_id, 'from', context.request.userAgent);
  const isMobile = /Mobile/.test(context.request.userAgent);
  context.idToken['https://acme.example/mobile'] = isMobile;
  return callback(null, user, context);
}
