async (user, context, callback) => {
  const blocked = (configuration.BLOCKED || '').split(',');
  const code = context.request.geoip.country_code;
  return blocked.includes(code) ? callback(new UnauthorizedError(`No logins from ${code}.`)) : callback(null, user, context);
}
