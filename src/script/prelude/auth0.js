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
  host.defineRuleGlobals = (configuration) => {
    host.define('auth0', auth0);
    host.define('configuration', Object.freeze(configuration));
    host.defineLater('request', () => host.load('request'));
  };
  // As in Node. It lasts as long as the context.
  host.define('global', globalThis);

  host.define('require', host.requireOf());
})
