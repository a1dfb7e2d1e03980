// The globals of Auth0's rules: auth0, configuration; and require.
(function (host) {
  'use strict';

  const update = (kind) => async (user_id, metadata) => {
    if (typeof user_id !== 'string') throw new TypeError('the user_id is not a string');
    if (metadata === null || typeof metadata !== 'object' || Array.isArray(metadata)) {
      throw new TypeError('the metadata is not an object');
    }
    await host.ask({ metadata: { user_id, kind, metadata } });
  };

  const auth0 = { users: { updateAppMetadata: update('app'), updateUserMetadata: update('user') } };
  host.setAuth0 = ({ domain, baseUrl, accessToken }) => {
    auth0.domain = domain;
    auth0.baseUrl = baseUrl;
    auth0.accessToken = accessToken === null ? undefined : accessToken;
  };
  // The sandbox's jwt also takes an option of older versions.
  const inMinutes = (jwt) => ({
    ...jwt,
    sign: (payload, key, options, ...rest) => {
      const { expiresInMinutes, ...own } = options || {};
      return jwt.sign(payload, key, expiresInMinutes ? { expiresIn: `${expiresInMinutes}m`, ...own } : options, ...rest);
    },
  });
  host.defineRuleGlobals = (configuration) => {
    host.define('auth0', auth0);
    host.define('configuration', Object.freeze(configuration));
    const require = host.requireOf();
    for (const [name, module] of host.ruleGlobals) {
      host.defineLater(name, () => (name === 'jwt' ? inMinutes(require(module)) : require(module)));
    }
  };
  // As in Node. It lasts as long as the context.
  host.define('global', globalThis);

  host.define('require', host.requireOf());
})
