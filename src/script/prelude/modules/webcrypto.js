// The global crypto: random values and SubtleCrypto with digests, HMAC, RSA, ECDSA, Ed25519, AES, PBKDF2 and HKDF.
const { Buffer, bytesOf } = require('buffer');
const keys = require('keys');
const node = require('crypto');
const { native } = host;
const refuse = (message, name = 'NotSupportedError') => new DOMException(message, name);
const hashName = (hash) => `${typeof hash === 'string' ? hash : hash && hash.name}`.toLowerCase().replace('-', '');
const named = (algorithm) => (typeof algorithm === 'string' ? { name: algorithm } : { ...algorithm });
const SIZES = { sha1: 64, sha256: 64, sha384: 128, sha512: 128 };
const copy = (bytes) => Uint8Array.from(bytes).buffer;

const secret = Symbol('CryptoKey');
class CryptoKey {
  constructor(key, keyObject, algorithm, extractable, usages) {
    if (key !== secret) throw new TypeError('Illegal constructor');
    Object.assign(this, { type: keyObject.type, extractable: Boolean(extractable), algorithm, usages: [...usages] });
    Object.defineProperty(this, 'keyObject', { value: keyObject });
  }
  get [Symbol.toStringTag]() {
    return 'CryptoKey';
  }
}

function wrap(keyObject, algorithm, extractable, usages) {
  const own = named(algorithm);
  const name = Object.keys(KINDS).find((one) => one.toLowerCase() === `${own.name}`.toLowerCase());
  if (!name) throw refuse(`Unrecognized algorithm name: ${own.name}`);
  const described = { name };
  if (own.hash) described.hash = { name: `${typeof own.hash === 'string' ? own.hash : own.hash.name}`.toUpperCase() };
  if (keyObject.type === 'secret') described.length = keyObject.own.length * 8;
  else if (keyObject.kind === 'rsa') Object.assign(described, { modulusLength: keyObject.asymmetricKeyDetails.modulusLength, publicExponent: Uint8Array.of(1, 0, 1) });
  else if (keyObject.kind !== 'ed25519') described.namedCurve = keys.curveName(keyObject.kind);
  return new CryptoKey(secret, keyObject, described, extractable, usages);
}
const KINDS = {
  HMAC: 'secret', 'AES-CBC': 'secret', 'AES-CTR': 'secret', 'AES-GCM': 'secret', PBKDF2: 'secret', HKDF: 'secret',
  'RSASSA-PKCS1-v1_5': 'rsa', 'RSA-PSS': 'pss', ECDSA: 'ec-raw', Ed25519: 'ed25519',
};
const need = (key, usage) => {
  if (!(key instanceof CryptoKey)) throw new TypeError('the key is not a CryptoKey');
  if (!key.usages.includes(usage)) throw refuse(`Unable to use this key to ${usage}`, 'InvalidAccessError');
  return KINDS[key.algorithm.name];
};
const signHash = (algorithm, key) => hashName(named(algorithm).hash || key.algorithm.hash || '');

function cipher(encrypt, algorithm, key, data) {
  need(key, encrypt ? 'encrypt' : 'decrypt');
  const { name, iv, counter, additionalData } = named(algorithm);
  const mode = `${name}`.slice(4).toLowerCase();
  const [bits, own] = [key.keyObject.own.length * 8, key.keyObject.own];
  try {
    return copy(native.cipher(encrypt, `aes-${bits}-${mode}`, own, Buffer.from(bytesOf(mode === 'ctr' ? counter : iv)), Buffer.from(bytesOf(data)), Buffer.from(additionalData ? bytesOf(additionalData) : [])));
  } catch (thrown) {
    throw refuse(`The operation failed for an operation-specific reason: ${thrown.message}`, 'OperationError');
  }
}

class SubtleCrypto {
  async digest(algorithm, data) {
    const digest = native.hash(hashName(algorithm), Buffer.from(bytesOf(data)));
    if (!digest || hashName(algorithm) === 'md5') throw refuse('Unrecognized algorithm name');
    return digest.buffer;
  }
  async importKey(format, data, algorithm, extractable, usages) {
    const { name } = named(algorithm);
    if (format === 'jwk') return wrap(keys.fromJwk(data), algorithm, extractable, usages);
    if (format === 'raw') {
      if (!keys.curveOf(named(algorithm).namedCurve)) return wrap(keys.secretKey(bytesOf(data)), algorithm, extractable, usages);
      const point = Buffer.from(bytesOf(data));
      const half = (point.length - 1) / 2;
      const [x, y] = [point.subarray(1, 1 + half), point.subarray(1 + half)].map((part) => part.toString('base64url'));
      return wrap(keys.fromJwk({ kty: 'EC', crv: named(algorithm).namedCurve, x, y }), algorithm, extractable, usages);
    }
    const bytes = Buffer.from(bytesOf(data));
    if (format === 'spki') return wrap(keys.publicKey(bytes), algorithm, extractable, usages);
    if (format === 'pkcs8') return wrap(keys.privateKey(bytes), algorithm, extractable, usages);
    throw refuse(`Unable to import ${name} using format ${format}`);
  }
  async exportKey(format, key) {
    if (!key.extractable) throw refuse('key is not extractable', 'InvalidAccessError');
    const { keyObject } = key;
    if (format === 'jwk') return { ...keyObject.export({ format: 'jwk' }), key_ops: key.usages, ext: true };
    if (format === 'raw') return copy(keyObject.type === 'secret' ? keyObject.own : keyObject.publicPart.subarray(-(1 + 2 * { 'P-256': 32, 'P-384': 48, 'P-521': 66 }[key.algorithm.namedCurve])));
    return copy(keyObject.type === 'private' ? keyObject.own : keyObject.publicPart);
  }
  async generateKey(algorithm, extractable, usages) {
    const { name, length, namedCurve, modulusLength, hash } = named(algorithm);
    if (KINDS[name] === 'secret') return wrap(keys.secretKey(native.random((length || SIZES[hashName(hash)] * 8) / 8)), algorithm, extractable, usages);
    const type = namedCurve ? 'ec' : name === 'Ed25519' ? 'ed25519' : 'rsa';
    const pair = node.generateKeyPairSync(type, { modulusLength, namedCurve });
    const may = (...allowed) => usages.filter((usage) => allowed.includes(usage));
    return { publicKey: wrap(pair.publicKey, algorithm, true, may('verify', 'encrypt')), privateKey: wrap(pair.privateKey, algorithm, extractable, may('sign', 'decrypt')) };
  }
  async sign(algorithm, key, data) {
    const kind = need(key, 'sign');
    const bytes = Buffer.from(bytesOf(data));
    if (kind === 'secret') return native.hmac(hashName(key.algorithm.hash), key.keyObject.own, bytes).buffer;
    return native.sign(kind, signHash(algorithm, key), key.keyObject.own, bytes).buffer;
  }
  async verify(algorithm, key, signature, data) {
    const kind = need(key, 'verify');
    const [bytes, given] = [Buffer.from(bytesOf(data)), Buffer.from(bytesOf(signature))];
    if (kind === 'secret') {
      const expected = native.hmac(hashName(key.algorithm.hash), key.keyObject.own, bytes);
      return expected.length === given.length && node.timingSafeEqual(expected, given);
    }
    return native.verify(kind, key.keyObject.kind, signHash(algorithm, key), key.keyObject.publicPart, bytes, given);
  }
  async encrypt(algorithm, key, data) {
    return cipher(true, algorithm, key, data);
  }
  async decrypt(algorithm, key, data) {
    return cipher(false, algorithm, key, data);
  }
  async deriveBits(algorithm, key, bits) {
    const { name, hash, salt, iterations, info } = named(algorithm);
    const own = key.keyObject.own;
    if (name === 'PBKDF2') return native.pbkdf2(hashName(hash), own, Buffer.from(bytesOf(salt)), iterations, bits / 8).buffer;
    if (name === 'HKDF') return native.hkdf(hashName(hash), own, Buffer.from(bytesOf(salt)), Buffer.from(bytesOf(info)), bits / 8).buffer;
    throw refuse(`Unrecognized algorithm name: ${name}`);
  }
  async deriveKey(algorithm, key, derived, extractable, usages) {
    const bits = derived.length || SIZES[hashName(derived.hash)] * 8;
    return wrap(keys.secretKey(await this.deriveBits(algorithm, key, bits)), derived, extractable, usages);
  }
}

class Crypto {
  subtle = new SubtleCrypto();
  getRandomValues(target) {
    if (!ArrayBuffer.isView(target) || target instanceof Float32Array || target instanceof Float64Array) throw refuse('The data argument must be an integer-type TypedArray', 'TypeMismatchError');
    if (target.byteLength > 65536) throw refuse('The requested length exceeds 65,536 bytes', 'QuotaExceededError');
    return node.randomFillSync(target);
  }
  randomUUID() {
    return node.randomUUID();
  }
}
module.exports = { crypto: new Crypto(), Crypto, CryptoKey, SubtleCrypto };
module.exports.subtle = module.exports.crypto.subtle;
