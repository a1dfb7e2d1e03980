// jsonwebtoken 9: sign, verify and decode with HS, RS, PS and ES algorithms, its options, errors and messages.
const crypto = require('crypto');
const keys = require('keys');
const { Buffer } = require('buffer');

class JsonWebTokenError extends Error {
  constructor(message, inner) {
    super(message);
    this.name = 'JsonWebTokenError';
    if (inner) this.inner = inner;
  }
}
class TokenExpiredError extends JsonWebTokenError {
  constructor(message, expiredAt) {
    super(message);
    Object.assign(this, { name: 'TokenExpiredError', expiredAt });
  }
}
class NotBeforeError extends JsonWebTokenError {
  constructor(message, date) {
    super(message);
    Object.assign(this, { name: 'NotBeforeError', date });
  }
}
const wrong = (message, inner) => new JsonWebTokenError(message, inner);

const UNITS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400, w: 604800, y: 31557600 };
// A number of seconds, or a text such as "2 days"; a text without a unit is milliseconds.
function timespan(value, from) {
  if (typeof value === 'number') return from + value;
  const [, number, unit = 'ms'] = /^(-?(?:\d+)?\.?\d+) *(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w|years?|yrs?|y)?$/i.exec(`${value}`) || [];
  if (number === undefined) return undefined;
  const lower = unit.toLowerCase();
  const key = /^(ms|milli|msec)/.test(lower) ? 'ms' : lower[0];
  return Math.floor(from + parseFloat(number) * UNITS[key]);
}

const encode = (value) => Buffer.from(value).toString('base64url');
const ALGORITHM = /^(HS|RS|PS|ES)(256|384|512)$/;
const CURVE_OF = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' };

function signature(algorithm, input, key) {
  if (algorithm === 'none') return '';
  const [, family, bits] = ALGORITHM.exec(algorithm);
  if (family === 'HS') return crypto.createHmac(`sha${bits}`, key).update(input).digest('base64url');
  const options = { key };
  if (family === 'PS') options.padding = crypto.constants.RSA_PKCS1_PSS_PADDING;
  if (family === 'ES') options.dsaEncoding = 'ieee-p1363';
  return crypto.sign(`sha${bits}`, Buffer.from(input), options).toString('base64url');
}
function isSigned(algorithm, input, given, key) {
  const [, family, bits] = ALGORITHM.exec(algorithm);
  const bytes = Buffer.from(given, 'base64url');
  if (family === 'HS') {
    const expected = crypto.createHmac(`sha${bits}`, key).update(input).digest();
    return expected.length === bytes.length && crypto.timingSafeEqual(expected, bytes);
  }
  const options = { key };
  if (family === 'PS') options.padding = crypto.constants.RSA_PKCS1_PSS_PADDING;
  if (family === 'ES') options.dsaEncoding = 'ieee-p1363';
  return crypto.verify(`sha${bits}`, Buffer.from(input), options, bytes);
}

function decode(token, options = {}) {
  const text = typeof token === 'string' || Buffer.isBuffer(token) ? token.toString() : '';
  if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(text)) return null;
  const [head, body, own] = text.split('.');
  let header;
  try {
    header = JSON.parse(Buffer.from(head, 'base64url').toString());
  } catch {
    return null;
  }
  if (header === null || typeof header !== 'object') return null;
  let payload = Buffer.from(body, 'base64url').toString();
  try {
    const parsed = JSON.parse(payload);
    if (parsed !== null && typeof parsed === 'object') payload = parsed;
  } catch (thrown) {
    if (header.typ === 'JWT' && options && options.json) throw thrown;
  }
  return options && options.complete ? { header, payload, signature: own } : payload;
}

const CLAIMS = { audience: 'aud', issuer: 'iss', subject: 'sub', jwtid: 'jti' };
const TYPES = {
  expiresIn: [(value) => Number.isInteger(value) || (typeof value === 'string' && value), '"expiresIn" should be a number of seconds or string representing a timespan'],
  notBefore: [(value) => Number.isInteger(value) || (typeof value === 'string' && value), '"notBefore" should be a number of seconds or string representing a timespan'],
  audience: [(value) => typeof value === 'string' || Array.isArray(value), '"audience" must be a string or array'],
  algorithm: [(value) => ALGORITHM.test(value) || value === 'none', '"algorithm" must be a valid string enum value'],
  header: [(value) => value !== null && typeof value === 'object', '"header" must be an object'],
  encoding: [(value) => typeof value === 'string', '"encoding" must be a string'],
  issuer: [(value) => typeof value === 'string', '"issuer" must be a string'],
  subject: [(value) => typeof value === 'string', '"subject" must be a string'],
  jwtid: [(value) => typeof value === 'string', '"jwtid" must be a string'],
  noTimestamp: [(value) => typeof value === 'boolean', '"noTimestamp" must be a boolean'],
  keyid: [(value) => typeof value === 'string', '"keyid" must be a string'],
  mutatePayload: [(value) => typeof value === 'boolean', '"mutatePayload" must be a boolean'],
  allowInsecureKeySizes: [() => true], allowInvalidAsymmetricKeyTypes: [() => true],
};

function signNow(payload, secret, options) {
  const isObject = payload !== null && typeof payload === 'object' && !Buffer.isBuffer(payload);
  const header = { alg: options.algorithm || 'HS256', typ: isObject ? 'JWT' : undefined, ...(options.keyid !== undefined && { kid: options.keyid }), ...options.header };
  if (!secret && options.algorithm !== 'none') throw new Error('secretOrPrivateKey must have a value');
  if (payload === undefined) throw new Error('payload is required');
  for (const [name, value] of Object.entries(options)) {
    if (!(name in TYPES)) throw new Error(`"${name}" is not allowed in "options"`);
    if (!TYPES[name][0](value)) throw new Error(TYPES[name][1]);
  }
  let key = secret;
  if (header.alg !== 'none') {
    if (header.alg.startsWith('HS')) {
      if (secret && secret.type && secret.type !== 'secret') throw new Error(`secretOrPrivateKey must be a symmetric key when using ${header.alg}`);
    } else {
      try {
        key = keys.read(secret, 'private');
      } catch {
        throw new Error(`secretOrPrivateKey must be an asymmetric key when using ${header.alg}`);
      }
      const kind = header.alg.startsWith('ES') ? CURVE_OF[header.alg] : 'rsa';
      if (key.kind !== kind) throw new Error(`Unknown key type "${key.kind}" for the algorithm ${header.alg}`);
    }
  }
  let claims = payload;
  if (isObject) {
    for (const name of ['exp', 'iat', 'nbf']) if (payload[name] !== undefined && typeof payload[name] !== 'number') throw new Error(`"${name}" should be a number of seconds`);
    for (const [option, claim] of [['expiresIn', 'exp'], ['notBefore', 'nbf']]) {
      if (options[option] !== undefined && payload[claim] !== undefined) throw new Error(`Bad "options.${option}" option the payload already has an "${claim}" property.`);
    }
    if (!options.mutatePayload) claims = { ...payload };
    const issued = claims.iat || Math.floor(Date.now() / 1000);
    if (options.noTimestamp) delete claims.iat;
    else claims.iat = issued;
    for (const [option, claim] of [['notBefore', 'nbf'], ['expiresIn', 'exp']]) {
      if (options[option] === undefined) continue;
      claims[claim] = timespan(options[option], issued);
      if (claims[claim] === undefined) throw new Error(`"${option}" should be a number of seconds or string representing a timespan eg: "1d", "20h", 60`);
    }
    for (const [option, claim] of Object.entries(CLAIMS)) {
      if (options[option] === undefined) continue;
      if (claims[claim] !== undefined) throw new Error(`Bad "options.${option}" option. The payload already has an "${claim}" property.`);
      claims[claim] = options[option];
    }
  } else {
    const unusable = ['expiresIn', 'notBefore', 'noTimestamp', 'audience', 'issuer', 'subject', 'jwtid'].filter((name) => options[name] !== undefined);
    if (unusable.length) throw new Error(`invalid ${unusable.join(',')} option for ${typeof payload} payload`);
  }
  const text = isObject ? JSON.stringify(claims) : payload;
  const input = `${encode(JSON.stringify(header))}.${encode(text)}`;
  return `${input}.${signature(header.alg, input, key)}`;
}

const sign = host.either((payload, secret, options) => signNow(payload, secret, options || {}));

const DEFAULTS = { secret: ['HS256', 'HS384', 'HS512'], rsa: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'], ec: ['ES256', 'ES384', 'ES512'] };

// Everything but the key, which may come later.
function prepare(token, options) {
  if (options.clockTimestamp !== undefined && typeof options.clockTimestamp !== 'number') throw wrong('clockTimestamp must be a number');
  if (options.nonce !== undefined && (typeof options.nonce !== 'string' || options.nonce.trim() === '')) throw wrong('nonce must be a non-empty string');
  if (options.allowInvalidAsymmetricKeyTypes !== undefined && typeof options.allowInvalidAsymmetricKeyTypes !== 'boolean') throw wrong('allowInvalidAsymmetricKeyTypes must be a boolean');
  if (!token) throw wrong('jwt must be provided');
  if (typeof token !== 'string') throw wrong('jwt must be a string');
  if (token.split('.').length !== 3) throw wrong('jwt malformed');
  const decoded = decode(token, { complete: true });
  if (!decoded) throw wrong('invalid token');
  return decoded;
}

function check(token, decoded, secret, options) {
  const hasSignature = token.split('.')[2].trim() !== '';
  if (!hasSignature && secret) throw wrong('jwt signature is required');
  if (hasSignature && !secret) throw wrong('secret or public key must be provided');
  if (!hasSignature && !options.algorithms) throw wrong('please specify "none" in "algorithms" to verify unsigned tokens');
  const { header, payload } = decoded;
  let [key, kind] = [secret, 'secret'];
  const isPublic = secret && (secret.type === 'public' || secret.type === 'private' || /-----BEGIN /.test(secret.toString()) || (secret.key && secret.kty !== 'oct'));
  if (secret && isPublic) {
    try {
      key = keys.read(secret, 'public');
    } catch {
      throw wrong('secretOrPublicKey is not valid key material');
    }
    kind = key.asymmetricKeyType;
  }
  const allowed = options.algorithms || DEFAULTS[kind] || [];
  if (!allowed.includes(header.alg)) throw wrong('invalid algorithm');
  if (header.alg.startsWith('HS') && kind !== 'secret') throw wrong(`secretOrPublicKey must be a symmetric key when using ${header.alg}`);
  if (/^(?:RS|ES|PS)/.test(header.alg) && kind === 'secret') throw wrong(`secretOrPublicKey must be an asymmetric key when using ${header.alg}`);
  if (hasSignature) {
    const at = token.lastIndexOf('.');
    let valid;
    try {
      valid = ALGORITHM.test(header.alg) && isSigned(header.alg, token.slice(0, at), token.slice(at + 1), key);
    } catch (thrown) {
      throw wrong(thrown.message, thrown);
    }
    if (!valid) throw wrong('invalid signature');
  }
  claims(payload, options);
  return options.complete ? { header, payload, signature: decoded.signature } : payload;
}

function claims(payload, options) {
  const now = options.clockTimestamp || Math.floor(Date.now() / 1000);
  const tolerance = options.clockTolerance || 0;
  if (payload.nbf !== undefined && !options.ignoreNotBefore) {
    if (typeof payload.nbf !== 'number') throw wrong('invalid nbf value');
    if (payload.nbf > now + tolerance) throw new NotBeforeError('jwt not active', new Date(payload.nbf * 1000));
  }
  if (payload.exp !== undefined && !options.ignoreExpiration) {
    if (typeof payload.exp !== 'number') throw wrong('invalid exp value');
    if (now >= payload.exp + tolerance) throw new TokenExpiredError('jwt expired', new Date(payload.exp * 1000));
  }
  const matches = (wanted, given) => (wanted instanceof RegExp ? wanted.test(given) : wanted === given);
  if (options.audience) {
    const [wanted, given] = [[options.audience].flat(), [payload.aud].flat()];
    if (!given.some((one) => wanted.some((own) => matches(own, one)))) throw wrong(`jwt audience invalid. expected: ${wanted.join(' or ')}`);
  }
  if (options.issuer && ![options.issuer].flat().includes(payload.iss)) throw wrong(`jwt issuer invalid. expected: ${options.issuer}`);
  if (options.subject && payload.sub !== options.subject) throw wrong(`jwt subject invalid. expected: ${options.subject}`);
  if (options.jwtid && payload.jti !== options.jwtid) throw wrong(`jwt jwtid invalid. expected: ${options.jwtid}`);
  if (options.nonce && payload.nonce !== options.nonce) throw wrong(`jwt nonce invalid. expected: ${options.nonce}`);
  if (options.maxAge) {
    if (typeof payload.iat !== 'number') throw wrong('iat required when maxAge is specified');
    const until = timespan(options.maxAge, payload.iat);
    if (until === undefined) throw wrong('"maxAge" should be a number of seconds or string representing a timespan eg: "1d", "20h", 60');
    if (now >= until + tolerance) throw new TokenExpiredError('maxAge exceeded', new Date(until * 1000));
  }
}

function verify(token, secret, options, callback) {
  if (typeof options === 'function') [options, callback] = [{}, options];
  const own = { ...options };
  if (typeof secret !== 'function') {
    if (!callback) return check(token, prepare(token, own), secret, own);
  } else if (!callback) throw wrong('verify must be called asynchronous if secret or public key is provided as a callback');
  const done = (error, value) => process.nextTick(callback, error, value);
  try {
    const decoded = prepare(token, own);
    const withKey = (key) => done(null, check(token, decoded, key, own));
    if (typeof secret !== 'function') return withKey(secret);
    secret(decoded.header, (error, key) => {
      if (error) return callback(wrong(`error in secret or public key callback: ${error.message}`));
      try {
        withKey(key);
      } catch (thrown) {
        done(thrown);
      }
    });
  } catch (thrown) {
    done(thrown);
  }
}

module.exports = { sign, verify, decode, JsonWebTokenError, TokenExpiredError, NotBeforeError };
