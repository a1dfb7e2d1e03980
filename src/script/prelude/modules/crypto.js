// crypto: hashes, HMAC, random values, derived keys, AES, and signatures with RSA, ECDSA and Ed25519.
const { Buffer, bytesOf } = require('buffer');
const { Transform } = require('stream');
const keys = require('keys');
const { native } = host;
const HASHES = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'sha512-256', 'sha3-256', 'sha3-384', 'sha3-512'];
const fail = (Kind, code, message) => Object.assign(new Kind(message), { code });
const buffer = (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const encoded = (bytes, encoding) => (encoding && encoding !== 'buffer' ? bytes.toString(encoding) : bytes);

// sha256 of "RSA-SHA256", "SHA-256" and the like.
const hashOf = (name) => {
  const plain = `${name}`.toLowerCase().replace(/^(rsa|ecdsa|hmac)-(with-)?/, '').replace(/^sha-/, 'sha').replace('sha512/256', 'sha512-256');
  return plain;
};

class Digest extends Transform {
  #parts = [];
  #finish;
  #done = false;
  constructor(finish) {
    super();
    this.#finish = finish;
  }
  update(data, encoding) {
    if (this.#done) throw fail(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
    if (typeof data !== 'string' && !ArrayBuffer.isView(data)) {
      const message = `The "data" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received ${data === null ? 'null' : typeof data === 'undefined' ? 'undefined' : `type ${typeof data}`}`;
      throw fail(TypeError, 'ERR_INVALID_ARG_TYPE', message);
    }
    this.#parts.push(typeof data === 'string' ? bytesOf(data, encoding) : Buffer.from(bytesOf(data)));
    return this;
  }
  digest(encoding) {
    if (this.#done) throw fail(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
    this.#done = true;
    return encoded(buffer(this.#finish(Buffer.concat(this.#parts))), encoding);
  }
  copy() {
    const copy = new Digest(this.#finish);
    for (const part of this.#parts) copy.update(part);
    return copy;
  }
  _transform(chunk, encoding, done) {
    this.update(chunk);
    done();
  }
  _flush(done) {
    done(null, this.digest());
  }
}
function known(name) {
  const hash = hashOf(name);
  if (!HASHES.includes(hash)) throw fail(Error, 'ERR_OSSL_EVP_UNSUPPORTED', `Digest method not supported: ${name}`);
  return hash;
}
const createHash = (name) => {
  const hash = known(name);
  return new Digest((data) => native.hash(hash, data));
};
const createHmac = (name, key, options) => {
  const hash = hashOf(name);
  if (!HASHES.includes(hash)) throw fail(Error, 'ERR_CRYPTO_INVALID_DIGEST', `Invalid digest: ${name}`);
  if (key === undefined || key === null) {
    const message = `The "key" argument must be of type ArrayBuffer, Buffer, TypedArray, DataView, string, KeyObject, or CryptoKey. Received ${key}`;
    throw fail(TypeError, 'ERR_INVALID_ARG_TYPE', message);
  }
  const secret = keys.secretBytes(key, options && options.encoding);
  return new Digest((data) => {
    const tag = native.hmac(hash, secret, data);
    if (!tag) throw fail(Error, 'ERR_CRYPTO_INVALID_DIGEST', `Invalid digest: ${name}`);
    return tag;
  });
};

const { either } = host;

const randomBytes = either((size) => {
  if (typeof size !== 'number') throw fail(TypeError, 'ERR_INVALID_ARG_TYPE', `The "size" argument must be of type number. Received type ${typeof size}`);
  return buffer(native.random(size));
});
const randomFillSync = (target, offset = 0, size = target.byteLength - offset) => {
  bytesOf(target).set(native.random(size), offset);
  return target;
};
const randomInt = either((low, high) => {
  const [min, max] = high === undefined ? [0, low] : [low, high];
  const span = max - min;
  if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max)) throw fail(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "max" argument must be a safe integer.');
  if (!(span > 0 && span <= 2 ** 48 - 1)) throw fail(RangeError, 'ERR_OUT_OF_RANGE', `The value of "max" is out of range. It must be greater than the value of "min" (${min}). Received ${max}`);
  const limit = 2 ** 48 - (2 ** 48 % span);
  for (;;) {
    const value = buffer(native.random(6)).readUIntBE(0, 6);
    if (value < limit) return min + (value % span);
  }
});
const randomUUID = () => {
  const bytes = buffer(native.random(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
};
const timingSafeEqual = (a, b) => {
  const [x, y] = [bytesOf(a), bytesOf(b)];
  if (x.length !== y.length) throw fail(RangeError, 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH', 'Input buffers must have the same byte length');
  let difference = 0;
  for (let at = 0; at < x.length; at++) difference |= x[at] ^ y[at];
  return difference === 0;
};

const pbkdf2Sync = (password, salt, iterations, length, digest) =>
  buffer(native.pbkdf2(known(digest), bytesOf(password), bytesOf(salt), iterations, length));
const hkdfSync = (digest, key, salt, info, length) =>
  native.hkdf(known(digest), keys.secretBytes(key), bytesOf(salt), bytesOf(info), length).buffer;

class Cipher extends Transform {
  #parts = [];
  #aad = [];
  #padded = true;
  #tag;
  constructor(encrypt, name, key, iv) {
    super();
    const cipher = `${name}`.toLowerCase().replace(/^id-(aes\d+)-gcm$/, '$1-gcm').replace(/^aes(\d+)(?=$|-)/, 'aes-$1').replace(/^(aes-\d+)$/, '$1-cbc');
    if (!/^aes-(128|192|256)-(cbc|ctr|gcm)$/.test(cipher)) throw fail(Error, 'ERR_CRYPTO_UNKNOWN_CIPHER', `Unknown cipher: ${name}; there are aes-128, -192 and -256 with cbc, ctr and gcm`);
    Object.assign(this, { encrypt, cipher, key: Buffer.from(keys.secretBytes(key)), iv: Buffer.from(iv === null ? [] : bytesOf(iv)) });
    if (this.key.length * 8 !== Number(cipher.split('-')[1])) throw fail(RangeError, 'ERR_CRYPTO_INVALID_KEYLEN', 'Invalid key length');
    if (this.iv.length !== (cipher.endsWith('gcm') ? 12 : 16)) {
      throw fail(TypeError, 'ERR_CRYPTO_INVALID_IV', cipher.endsWith('gcm') ? 'Invalid initialization vector: AES-GCM takes 12 bytes here' : 'Invalid initialization vector');
    }
  }
  setAAD(data) {
    this.#aad.push(Buffer.from(bytesOf(data)));
    return this;
  }
  setAuthTag(tag) {
    this.#tag = Buffer.from(bytesOf(tag));
    return this;
  }
  getAuthTag() {
    return this.#tag;
  }
  setAutoPadding(padded = true) {
    this.#padded = padded;
    return this;
  }
  // The whole text comes out of final(): what update() and final() return together is as in Node.
  update(data, inputEncoding, outputEncoding) {
    this.#parts.push(Buffer.from(bytesOf(data, inputEncoding)));
    return encoded(Buffer.alloc(0), outputEncoding);
  }
  final(outputEncoding) {
    const gcm = this.cipher.endsWith('gcm');
    const name = this.cipher.endsWith('cbc') && !this.#padded ? `${this.cipher}-unpadded` : this.cipher;
    if (gcm && !this.encrypt && (!this.#tag || this.#tag.length !== 16)) throw new Error('Unsupported state or unable to authenticate data');
    const input = Buffer.concat(gcm && !this.encrypt ? [...this.#parts, this.#tag] : this.#parts);
    let output = buffer(native.cipher(this.encrypt, name, this.key, this.iv, input, Buffer.concat(this.#aad)));
    if (gcm && this.encrypt) [output, this.#tag] = [output.subarray(0, -16), output.subarray(-16)];
    return encoded(output, outputEncoding);
  }
  _transform(chunk, encoding, done) {
    this.update(chunk);
    done();
  }
  _flush(done) {
    done(null, this.final());
  }
}

const constants = { RSA_PKCS1_PADDING: 1, RSA_PKCS1_PSS_PADDING: 6, RSA_PSS_SALTLEN_DIGEST: -1, RSA_PSS_SALTLEN_MAX_SIGN: -2, RSA_PSS_SALTLEN_AUTO: -2 };
function scheme(key, options) {
  if (key.kind === 'rsa') return options && options.padding === constants.RSA_PKCS1_PSS_PADDING ? 'pss' : 'rsa';
  if (key.kind === 'ed25519') return 'ed25519';
  return options && options.dsaEncoding === 'ieee-p1363' ? 'ec-raw' : 'ec';
}
const sign = either((name, data, input) => {
  const key = keys.read(input, 'private');
  return buffer(native.sign(scheme(key, input), name ? known(name) : '', key.own, bytesOf(data)));
});
const verify = either((name, data, input, signature) => {
  const key = keys.read(input, 'public');
  return native.verify(scheme(key, input), key.kind, name ? known(name) : '', key.publicPart, bytesOf(data), bytesOf(signature));
});
class Signature extends Transform {
  #name;
  #parts = [];
  constructor(name) {
    super();
    this.#name = known(name);
  }
  update(data, encoding) {
    this.#parts.push(Buffer.from(bytesOf(data, encoding)));
    return this;
  }
  _write(chunk, encoding, done) {
    this.update(chunk);
    done();
  }
  sign(key, encoding) {
    return encoded(sign(this.#name, Buffer.concat(this.#parts), key), encoding);
  }
  verify(key, signature, encoding) {
    return verify(this.#name, Buffer.concat(this.#parts), key, bytesOf(signature, encoding));
  }
}

const generateKeyPairSync = (type, options = {}) => {
  const kind = type === 'rsa' ? `rsa-${options.modulusLength}` : type === 'ec' ? keys.curveOf(options.namedCurve) || options.namedCurve : type;
  const privateKey = keys.privateKey(buffer(native.generateKey(`${kind}`)));
  const publicKey = keys.publicKey(privateKey.publicPart);
  return {
    publicKey: options.publicKeyEncoding ? publicKey.export(options.publicKeyEncoding) : publicKey,
    privateKey: options.privateKeyEncoding ? privateKey.export(options.privateKeyEncoding) : privateKey,
  };
};

const members = {
  createHash, createHmac, Hash: Digest, Hmac: Digest, getHashes: () => [...HASHES, 'RSA-SHA256', 'RSA-SHA384', 'RSA-SHA512'], getRandomValues: (target) => randomFillSync(target),
  hash: (name, data, encoding = 'hex') => createHash(name).update(data).digest(encoding),
  randomBytes, pseudoRandomBytes: randomBytes, randomFillSync, randomFill: (target, ...rest) => {
    const callback = rest.pop();
    process.nextTick(callback, null, randomFillSync(target, ...rest));
  },
  randomInt, randomUUID, timingSafeEqual, pbkdf2Sync, pbkdf2: either(pbkdf2Sync), hkdfSync, hkdf: either(hkdfSync),
  createCipheriv: (...values) => new Cipher(true, ...values), createDecipheriv: (...values) => new Cipher(false, ...values),
  getCiphers: () => ['128', '192', '256'].flatMap((bits) => ['cbc', 'ctr', 'gcm'].map((mode) => `aes-${bits}-${mode}`)),
  getCurves: () => [...keys.curves],
  sign, verify, createSign: (name) => new Signature(name), createVerify: (name) => new Signature(name), Sign: Signature, Verify: Signature,
  KeyObject: keys.KeyObject, createPrivateKey: (input) => keys.read(input, 'private'), createPublicKey: (input) => keys.read(input, 'public'),
  createSecretKey: keys.secretKey, generateKeyPairSync, constants,
  generateKeyPair: (type, options, callback) => {
    const pair = generateKeyPairSync(type, options);
    process.nextTick(callback, null, pair.publicKey, pair.privateKey);
  },
};
members.generateKeyPair[Symbol.for('nodejs.util.promisify.custom')] = async (type, options) => generateKeyPairSync(type, options);
for (const [name, member] of [['webcrypto', 'crypto'], ['subtle', 'subtle']]) {
  Object.defineProperty(members, name, { get: () => require('webcrypto')[member], enumerable: true, configurable: true });
}
const ABSENT = ['scrypt', 'scryptSync', 'publicEncrypt', 'privateDecrypt', 'privateEncrypt', 'publicDecrypt', 'createDiffieHellman', 'createECDH', 'diffieHellman', 'createCipher', 'createDecipher', 'X509Certificate'];
for (const name of ABSENT) {
  members[name] = function () {
    throw fail(Error, 'ERR_NOT_AVAILABLE', `crypto.${name} is not available in the dev tenant`);
  };
}
module.exports = members;
