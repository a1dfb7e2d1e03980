/**
 * Adds our own user to the access token. This post-login Action does at Auth0 what the rule `user-in-token` in
 * fixtures/tenant does on a laptop. Auth0 has accepted no rule's source since 18 November 2024 and announced the end of
 * Rules for 18 November 2026.
 *
 * Queries the Internal API by Auth0 id, with a machine-to-machine token, and sets the result as the claim <NAMESPACE>user.
 * Also sets the tenant's roles as <NAMESPACE>roles, and <NAMESPACE>email and <NAMESPACE>email_verified, by which the Public
 * API finds a user who was entered before their first login.
 *
 * <NAMESPACE>roles counts only with claims.roles_from = "token". By default the roles of our row count, which the user claim
 * carries.
 *
 * The token has no user claim if the Internal API does not know the user (yet), if the user is not active, or if the
 * Internal API is down: an outage must not prevent logins, and the Public API finds the user without the claim.
 *
 * At Auth0: Actions → Library → Create Action → Build from scratch, trigger "Login / Post Login", the newest Node.
 * Paste this file, add the secrets, deploy, and drag it into Actions → Triggers → post-login. The secrets:
 *
 *   NAMESPACE          the value of claims.namespace, with its final slash
 *   TOKEN_URL          https://YOUR-TENANT.eu.auth0.com/oauth/token
 *   INTERNAL_API       https://internal.example.com/graphql; list its host in internal.hosts
 *   INTERNAL_AUDIENCE  the value of internal.audience
 *   CLIENT_ID          a machine-to-machine application, authorized for that API with users:read
 *   CLIENT_SECRET      its secret
 */
const QUERY = `query ($id: String!) {
  user(auth0Id: $id) { id auth0Id email emailVerified name picture roles status }
}`;

// For each call, in milliseconds. Auth0 ends a trigger after 20 seconds.
const TIMEOUT = 3000;
const CACHE_KEY = 'machine-token';

exports.onExecutePostLogin = async (event, api) => {
  const { user, secrets } = event;
  const claim = (name, value) => api.accessToken.setCustomClaim(secrets.NAMESPACE + name, value);

  claim('roles', (event.authorization && event.authorization.roles) || []);
  if (user.email) {
    claim('email', user.email);
    claim('email_verified', user.email_verified === true);
  }

  try {
    const found = await ask(await machineToken());
    if (found && found.status.toLowerCase() === 'active') {
      const { id, email, emailVerified, name, picture, roles } = found;
      // The id that logs in, which becomes the token's subject: `found` may have another one as its primary.
      claim('user', { id, auth0Id: user.user_id, email, emailVerified, name, picture, roles });
    }
  } catch (error) {
    // Drop the machine token, which may be the cause.
    api.cache.delete(CACHE_KEY);
    console.warn('the token is issued without the user:', error.message);
  }

  async function ask(token) {
    const body = await post(secrets.INTERNAL_API, { query: QUERY, variables: { id: user.user_id } }, token);
    if (body.errors) throw new Error('the Internal API answered with ' + body.errors[0].message);
    return body.data.user;
  }

  // The cache survives a login, so most logins need no new token.
  async function machineToken() {
    const cached = api.cache.get(CACHE_KEY);
    if (cached) return cached.value;

    const body = await post(secrets.TOKEN_URL, {
      grant_type: 'client_credentials',
      client_id: secrets.CLIENT_ID,
      client_secret: secrets.CLIENT_SECRET,
      audience: secrets.INTERNAL_AUDIENCE,
    });
    // Ignores a failure to cache: the next login then requests another token.
    api.cache.set(CACHE_KEY, body.access_token, { ttl: (body.expires_in - 60) * 1000 });
    return body.access_token;
  }

  async function post(url, body, token) {
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    if (token) headers.authorization = 'Bearer ' + token;
    const signal = AbortSignal.timeout(TIMEOUT);
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal });
    if (!response.ok) throw new Error(url + ' answered ' + response.status);
    return response.json();
  }
};
