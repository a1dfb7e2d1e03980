// jwks-rsa: signing keys of a JWKS over fetch, kept for as long as the worker keeps them.
const keys = require('keys');
const { send } = require('fetch');

class JwksError extends Error {
  constructor(message) {
    super(message);
    this.name = 'JwksError';
  }
}
class SigningKeyNotFoundError extends Error {
  constructor(message) {
    super(message);
    this.name = 'SigningKeyNotFoundError';
  }
}

class JwksClient {
  #known;
  constructor(options) {
    this.options = { cache: true, timeout: 30000, cacheMaxAge: 600000, ...options };
    // As in the package: every method also takes a callback.
    for (const name of ['getKeys', 'getSigningKeys', 'getSigningKey']) {
      const run = this[name].bind(this);
      this[name] = (...values) => {
        const callback = typeof values.at(-1) === 'function' ? values.pop() : undefined;
        return host.promised(run(...values), callback);
      };
    }
  }
  async getKeys() {
    const { jwksUri, requestHeaders = {}, timeout } = this.options;
    const received = await send({ url: jwksUri, headers: Object.entries(requestHeaders), timeout });
    if (received.status < 200 || received.status > 299) throw new JwksError(`Http Error ${received.status}`);
    return JSON.parse(`${received.body}`).keys;
  }
  async getSigningKeys() {
    const now = Date.now();
    if (this.#known && this.options.cache && now - this.#known.at < this.options.cacheMaxAge) return this.#known.keys;
    const list = (await this.getKeys() || []).filter((key) => (key.use === undefined || key.use === 'sig') && ['RSA', 'EC', 'OKP'].includes(key.kty));
    if (!list.length) throw new JwksError('The JWKS endpoint did not contain any signing keys');
    const signing = list.map((jwk) => {
      const pem = keys.fromJwk(jwk).export({ type: 'spki', format: 'pem' });
      return { kid: jwk.kid, alg: jwk.alg, publicKey: pem, rsaPublicKey: pem, getPublicKey: () => pem };
    });
    this.#known = { at: now, keys: signing };
    return signing;
  }
  async getSigningKey(kid) {
    const find = async () => {
      const list = await this.getSigningKeys();
      return kid === undefined || kid === null ? (list.length === 1 ? list[0] : undefined) : list.find((key) => key.kid === kid);
    };
    const kept = this.#known;
    let key = await find();
    // The set may be older than the key; one that was fetched just now is not.
    if (!key && kept && kept === this.#known) {
      this.#known = undefined;
      key = await find();
    }
    if (!key) throw new SigningKeyNotFoundError(`Unable to find a signing key that matches '${kid}'`);
    return key;
  }
}

const jwksRsa = (options) => new JwksClient(options);
module.exports = Object.assign(jwksRsa, {
  JwksClient, JwksError, SigningKeyNotFoundError, default: jwksRsa,
  expressJwtSecret: (options) => {
    const client = new JwksClient(options);
    return (request, header, payload, callback) => client.getSigningKey(header.kid).then((key) => callback(null, key.getPublicKey()), callback);
  },
});
