function (user, context, callback) {
  const tenantId = context.connectionOptions.tenant_domain;
  if (context.connectionStrategy === 'waad' && tenantId !== 'acme.example') {
    return callback(new UnauthorizedError('Access denied.'));
  }
  callback(null, user, context);
}
