
// Calls a rule with what it expects, and applies what it has changed when it calls back.
function runRule(rule, event, api, protocol) {
  const user = { ...event.user };
  for (const name of ['app_metadata', 'user_metadata']) {
    // A rule has no metadata until the first is saved.
    if (Object.keys(user[name] || {}).length === 0) delete user[name];
  }
  const geoip = event.request.geoip || {};
  const context = {
    tenant: event.tenant && event.tenant.id,
    clientID: event.client.client_id,
    clientName: event.client.name,
    clientMetadata: event.client.metadata,
    connection: event.connection && event.connection.name,
    connectionID: event.connection && event.connection.id,
    connectionStrategy: event.connection && event.connection.strategy,
    connectionMetadata: event.connection && event.connection.metadata,
    protocol,
    stats: { loginsCount: event.stats && event.stats.logins_count },
    sessionID: event.session && event.session.id,
    authentication: event.authentication,
    authorization: { roles: (event.authorization && event.authorization.roles) || [] },
    riskAssessment: event.authentication && event.authentication.riskAssessment,
    organization: event.organization,
    request: {
      ip: event.request.ip,
      hostname: event.request.hostname,
      userAgent: event.request.user_agent,
      method: event.request.method,
      query: event.request.query,
      body: event.request.body,
      geoip: {
        ...geoip,
        country_code: geoip.countryCode,
        country_code3: geoip.countryCode3,
        country_name: geoip.countryName,
        city_name: geoip.cityName,
        continent_code: geoip.continentCode,
        time_zone: geoip.timeZone,
      },
    },
    idToken: {},
    accessToken: {},
  };

  function apply(changed) {
    const { scope, ...claims } = changed.accessToken || {};
    for (const [name, value] of Object.entries(claims)) {
      if (value !== undefined) api.accessToken.setCustomClaim(name, value);
    }
    for (const [name, value] of Object.entries(changed.idToken || {})) {
      if (value !== undefined) api.idToken.setCustomClaim(name, value);
    }
    if (scope) {
      const requested = (event.transaction && event.transaction.requested_scopes) || [];
      requested.filter((one) => !scope.includes(one)).forEach((one) => api.accessToken.removeScope(one));
      scope.forEach((one) => api.accessToken.addScope(one));
    }
    const { multifactor, primaryUser, redirect } = changed;
    if (multifactor) {
      const { provider, allowRememberBrowser = true } = multifactor;
      api.multifactor.enable(provider, { allowRememberBrowser });
    }
    if (primaryUser) api.authentication.setPrimaryUser(primaryUser);
    if (redirect && redirect.url) api.redirect.sendUserTo(redirect.url);
  }

  return new Promise((resolve, reject) => {
    let isCalled = false;
    function callback(error, changedUser, changed) {
      if (isCalled) return;
      isCalled = true;
      if (error !== null && error !== undefined) {
        api.access.deny(String(error.message || error));
      } else if (!changedUser || !changed) {
        return reject(new Error('the rule must call callback(null, user, context)'));
      } else {
        apply(changed);
      }
      resolve();
    }
    Promise.resolve(rule(user, context, callback)).catch(reject);
  });
}
