/**
 * Puts our own user into the access token: what the rule `user-in-token` of fixtures/tenant does on a laptop, as a
 * post-login Action, which is what Auth0 runs (it ended Rules on 18 November 2026).
 *
 * Asks the Internal API for the user by Auth0 id, with a machine-to-machine token, and adds what it answers as the claim
 * <NAMESPACE>user. Adds the tenant's roles as <NAMESPACE>roles, and the email with whether it is verified, by which the
 * Public API finds someone it expects but has not seen.
 *
 * Someone the Internal API does not know (yet), or who is not active, gets a token without the user claim. So does
 * everyone while it is away: it must not lock people out, and the Public API finds the user by itself.
 *
 * At Auth0: Actions → Library → Create Action → Build from scratch, trigger "Login / Post Login", the newest Node.
 * Paste this file, add the secrets, deploy, and drag it into Actions → Triggers → post-login. The secrets:
 *
 *   NAMESPACE          what claims.namespace is, with its final slash
 *   TOKEN_URL          https://YOUR-TENANT.eu.auth0.com/oauth/token
 *   INTERNAL_API       https://internal.example.com/graphql; its host stands in internal.hosts
 *   INTERNAL_AUDIENCE  what internal.audience is
 *   CLIENT_ID          a machine-to-machine application that is authorized for that API with users:read
 *   CLIENT_SECRET      its secret
 */
const QUERY = `query ($id: String!) {
  user(auth0Id: $id) { id auth0Id email emailVerified name picture roles status }
}`;

// Each call; Auth0 ends a trigger after 20 seconds.
const PATIENCE = 3000;
const CACHED = 'machine-token';

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
      const { id, auth0Id, email, emailVerified, name, picture, roles } = found;
      claim('user', { id, auth0Id, email, emailVerified, name, picture, roles });
    }
  } catch (error) {
    // A token that is no longer taken must not stay.
    api.cache.delete(CACHED);
    console.warn('the token goes without the user:', error.message);
  }

  async function ask(token) {
    const body = await post(secrets.INTERNAL_API, { query: QUERY, variables: { id: user.user_id } }, token);
    if (body.errors) throw new Error('the Internal API answered with ' + body.errors[0].message);
    return body.data.user;
  }

  // The cache outlives a login, so most of them need no new token.
  async function machineToken() {
    const kept = api.cache.get(CACHED);
    if (kept) return kept.value;

    const body = await post(secrets.TOKEN_URL, {
      grant_type: 'client_credentials',
      client_id: secrets.CLIENT_ID,
      client_secret: secrets.CLIENT_SECRET,
      audience: secrets.INTERNAL_AUDIENCE,
    });
    // It says so when it can not keep it; then the next login asks anew.
    api.cache.set(CACHED, body.access_token, { ttl: (body.expires_in - 60) * 1000 });
    return body.access_token;
  }

  async function post(url, body, token) {
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    if (token) headers.authorization = 'Bearer ' + token;
    const signal = AbortSignal.timeout(PATIENCE);
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal });
    if (!response.ok) throw new Error(url + ' answered ' + response.status);
    return response.json();
  }
};
