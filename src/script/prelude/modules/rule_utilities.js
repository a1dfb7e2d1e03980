// @auth0/rule-utilities: redirects with a session token, and updates of a user's metadata.
const jwt = require('jsonwebtoken');
const noRedirectProtocols = ['oauth2-resource-owner', 'oauth2-refresh-token', 'oauth2-password', 'redirect-callback'];

class Auth0RedirectRuleUtilities {
  constructor(user, context, configuration) {
    const own = configuration || {};
    Object.assign(this, { user: user || {}, context: context || {}, noRedirectProtocols, tokenSecret: own.SESSION_TOKEN_SECRET, tokenExpiresIn: own.SESSION_TOKEN_EXPIRES_IN || '3d' });
  }
  get redirectUrl() {
    return this.context.redirect && this.context.redirect.url;
  }
  get queryParams() {
    return (this.context.request && this.context.request.query) || {};
  }
  get isRedirectCallback() {
    return this.context.protocol === 'redirect-callback';
  }
  get protocolCanRedirect() {
    return !noRedirectProtocols.includes(this.context.protocol);
  }
  get canRedirect() {
    return !this.redirectUrl && !this.context.multifactor && this.queryParams.prompt !== 'none' && this.protocolCanRedirect;
  }
  get #issuer() {
    return `https://${this.context.request.hostname}/`;
  }
  createSessionToken(claims = {}) {
    const own = { ip: this.context.request.ip, iss: this.#issuer, sub: this.user.user_id, ...claims };
    return jwt.sign(own, this.tokenSecret, { expiresIn: this.tokenExpiresIn });
  }
  validateSessionToken(options = {}) {
    // Version 0.1 calls the parameter sessionToken.
    const token = this.queryParams.session_token || this.queryParams.sessionToken;
    const payload = jwt.verify(token, this.tokenSecret, { ...options, subject: this.user.user_id, issuer: this.#issuer });
    if (!payload.exp) throw new Error('Expired token');
    return payload;
  }
  doRedirect(url, options = {}, claims = {}) {
    if (!this.canRedirect || !url) throw new Error('Cannot redirect');
    const { sessionToken, generateSessionToken = true } = typeof options === 'boolean' ? { generateSessionToken: options } : options || {};
    const token = typeof sessionToken === 'string' ? sessionToken : generateSessionToken === true && this.createSessionToken(claims);
    this.context.redirect = { url: token ? `${url}?session_token=${token}` : url };
  }
}

class Auth0UserUpdateUtilities {
  #changes = {};
  constructor(user, auth0, namespace) {
    const { ManagementClient } = require('auth0').ofVersion('2');
    Object.assign(this, { user, userId: user.user_id, apiClient: new ManagementClient({ token: auth0.accessToken, domain: auth0.domain }), namespace });
    for (const kind of ['user_metadata', 'app_metadata']) {
      user[kind] ||= {};
      if (namespace) user[kind][namespace] ||= {};
    }
  }
  #part(kind) {
    return this.namespace ? this.user[kind][this.namespace] : this.user[kind];
  }
  setUser(key, value) {
    this.user[key] = this.#changes[key] = value;
  }
  setUserMeta(key, value) {
    this.#part('user_metadata')[key] = value;
  }
  setAppMeta(key, value) {
    this.#part('app_metadata')[key] = value;
  }
  getUserMeta(key) {
    return this.#part('user_metadata')[key];
  }
  getAppMeta(key) {
    return this.#part('app_metadata')[key];
  }
  updateUser() {
    return this.apiClient.updateUser({ id: this.userId }, this.#changes);
  }
  updateUserMetadata() {
    return this.apiClient.updateUserMetadata({ id: this.userId }, this.user.user_metadata);
  }
  updateAppMetadata() {
    return this.apiClient.updateAppMetadata({ id: this.userId }, this.user.app_metadata);
  }
}
module.exports = { Auth0RedirectRuleUtilities, Auth0UserUpdateUtilities, noRedirectProtocols };
