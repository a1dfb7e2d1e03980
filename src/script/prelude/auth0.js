// The globals of Auth0's rules: auth0, configuration, global, require.
(function (host) {
  'use strict';
  const { parse } = JSON;
  const { context, configuration } = parse(host.input);

  const update = (kind) => async (user_id, metadata) => {
    if (typeof user_id !== 'string') throw new TypeError('the user_id is not a string');
    if (metadata === null || typeof metadata !== 'object' || Array.isArray(metadata)) {
      throw new TypeError('the metadata is not an object');
    }
    await host.ask({ metadata: { user_id, kind, metadata } });
  };

  // There is no auth0.accessToken: no script gets a Management API token.
  host.define('auth0', {
    domain: (context.request || {}).hostname,
    users: { updateAppMetadata: update('app'), updateUserMetadata: update('user') },
  });
  host.define('configuration', Object.freeze(configuration));
  // Kept between the logins of one worker, as JSON.
  host.define('global', parse(host.global));

  host.define('require', (name) => {
    const [module] = String(name).split('@');
    if (module in host.modules) return host.modules[module];
    const known = Object.keys(host.modules).sort().join(', ');
    throw new Error(`the module "${name}" is not available; there are ${known}, and fetch without a module`);
  });
})
