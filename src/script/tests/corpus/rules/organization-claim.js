function (user, context, callback) {
  if (context.organization) {
    const { name, metadata } = context.organization;
    context.accessToken['https://acme.example/organization'] = name;
    context.accessToken['https://acme.example/tier'] = metadata.tier || 'none';
  }
  callback(null, user, context);
}
