// What Auth0 puts around a rule: auth0, configuration, global, require.
(function (kit) {
  'use strict';
  const { parse } = JSON;
  const { context, configuration } = parse(kit.input);

  const update = (kind) => async (user_id, metadata) => {
    if (typeof user_id !== 'string') throw new TypeError('the user_id is not a string');
    if (metadata === null || typeof metadata !== 'object' || Array.isArray(metadata)) {
      throw new TypeError('the metadata is not an object');
    }
    await kit.ask({ metadata: { user_id, kind, metadata } });
  };

  // There is no auth0.accessToken: no script gets a Management API token.
  kit.define('auth0', {
    domain: (context.request || {}).hostname,
    users: { updateAppMetadata: update('app'), updateUserMetadata: update('user') },
  });
  kit.define('configuration', Object.freeze(configuration));
  // Kept between the logins of one worker, as JSON.
  kit.define('global', parse(kit.global));

  kit.define('require', (name) => {
    const [module] = String(name).split('@');
    if (module in kit.modules) return kit.modules[module];
    const known = Object.keys(kit.modules).sort().join(', ');
    throw new Error(`the module "${name}" is not available; there are ${known}, and fetch without a module`);
  });
})
