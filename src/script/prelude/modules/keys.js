// KeyObject: PEM, DER and JWK. Signatures are the host's; this file only takes encodings apart.
const { Buffer, bytesOf } = require('buffer');
const { native } = host;
const fail = (message, code) => Object.assign(new Error(message), { code });

// DER: the parts of a constructed value, each with its tag, its bytes whole and its content.
function parts(bytes) {
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    let [start, length] = [at + 2, bytes[at + 1]];
    if (length & 0x80) {
      const size = length & 0x7f;
      if (size < 1 || size > 4) throw fail('the key is not valid DER', 'ERR_OSSL_ASN1');
      length = bytes.subarray(start, start + size).reduce((sum, byte) => sum * 256 + byte, 0);
      start += size;
    }
    const end = start + length;
    if (!(end <= bytes.length)) throw fail('the key is not valid DER', 'ERR_OSSL_ASN1');
    found.push({ tag: bytes[at], whole: bytes.subarray(at, end), content: bytes.subarray(start, end) });
    at = end;
  }
  return found;
}
function der(tag, ...contents) {
  const content = Buffer.concat(contents);
  const size = [];
  for (let rest = content.length; rest; rest = Math.floor(rest / 256)) size.unshift(rest % 256);
  return Buffer.concat([Buffer.from(content.length < 128 ? [tag, content.length] : [tag, 0x80 | size.length, ...size]), content]);
}
const sequence = (...contents) => der(0x30, ...contents);
const integer = (base64url) => {
  const bytes = Buffer.from(base64url, 'base64url');
  return der(2, bytes[0] & 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
};
const unsigned = (bytes) => (bytes[0] === 0 ? bytes.subarray(1) : bytes).toString('base64url');

const RSA = Buffer.from('06092a864886f70d010101', 'hex');
const EC = Buffer.from('06072a8648ce3d0201', 'hex');
const ED25519 = Buffer.from('06032b6570', 'hex');
const CURVES = {
  prime256v1: ['P-256', '06082a8648ce3d030107', 32], secp384r1: ['P-384', '06052b81040022', 48],
  secp521r1: ['P-521', '06052b81040023', 66], secp256k1: ['secp256k1', '06052b8104000a', 32],
};
// A curve by the name that JWK and WebCrypto give it, and that name.
const curveOf = (name) => Object.keys(CURVES).find((curve) => CURVES[curve][0] === name);
const curveName = (curve) => CURVES[curve][0];

const spki = (algorithm, key) => sequence(sequence(...algorithm), der(3, Buffer.of(0), key));
const NULL = Buffer.from('0500', 'hex');

// The type of an SPKI: rsa, ed25519 or a curve.
function kindOf(bytes) {
  const [algorithm] = parts(parts(bytes)[0].content);
  const [oid, curve] = parts(algorithm.content);
  if (oid.whole.equals(RSA)) return 'rsa';
  if (oid.whole.equals(ED25519)) return 'ed25519';
  const name = curve && Object.keys(CURVES).find((one) => CURVES[one][1] === curve.whole.toString('hex'));
  if (!oid.whole.equals(EC) || !name) throw fail('keys of this algorithm or curve are not supported', 'ERR_OSSL_UNSUPPORTED');
  return name;
}

// The SPKI of a certificate.
function certified(bytes) {
  const [body] = parts(parts(bytes)[0].content);
  const fields = parts(body.content);
  return fields[fields[0].tag === 0xa0 ? 6 : 5].whole;
}

class KeyObject {
  constructor(type, kind, own, publicPart) {
    this.type = type;
    Object.defineProperties(this, { kind: { value: kind }, own: { value: own }, publicPart: { value: publicPart } });
  }
  get asymmetricKeyType() {
    return this.type === 'secret' ? undefined : this.kind === 'rsa' || this.kind === 'ed25519' ? this.kind : 'ec';
  }
  get asymmetricKeyDetails() {
    if (this.type === 'secret') return undefined;
    if (this.kind === 'rsa') return { modulusLength: Buffer.from(this.export({ format: 'jwk' }).n, 'base64url').length * 8, publicExponent: 65537n };
    return this.kind === 'ed25519' ? {} : { namedCurve: this.kind };
  }
  get symmetricKeySize() {
    return this.type === 'secret' ? this.own.length : undefined;
  }
  equals(other) {
    return this.type === other.type && this.own.equals(other.own);
  }
  export({ type, format } = {}) {
    if (this.type === 'secret') return format === 'jwk' ? { kty: 'oct', k: this.own.toString('base64url') } : this.own;
    if (format === 'jwk') return toJwk(this);
    let [bytes, label] = this.type === 'private' ? [this.own, 'PRIVATE KEY'] : [this.publicPart, 'PUBLIC KEY'];
    if (type === 'pkcs1') {
      const key = this.type === 'private' ? parts(parts(bytes)[0].content)[2].content : parts(parts(bytes)[0].content)[1].content.subarray(1);
      [bytes, label] = [key, `RSA ${label}`];
    } else if (type === 'sec1') {
      const inner = parts(parts(parts(parts(bytes)[0].content)[2].content)[0].content).filter((part) => part.tag !== 0xa0);
      const [version, own, ...rest] = inner.map((part) => part.whole);
      [bytes, label] = [sequence(version, own, der(0xa0, Buffer.from(CURVES[this.kind][1], 'hex')), ...rest), 'EC PRIVATE KEY'];
    }
    return format === 'der' ? Buffer.from(bytes) : pem(label, bytes);
  }
  get [Symbol.toStringTag]() {
    return 'KeyObject';
  }
  static from(key) {
    return key.keyObject;
  }
}
const pem = (label, bytes) => `-----BEGIN ${label}-----\n${bytes.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`;

function toJwk(key) {
  const [, point] = parts(parts(key.publicPart)[0].content);
  const bits = point.content.subarray(1);
  if (key.kind === 'ed25519') {
    const d = key.type === 'private' && parts(parts(parts(key.own)[0].content)[2].content)[0].content.toString('base64url');
    return { crv: 'Ed25519', x: bits.toString('base64url'), kty: 'OKP', ...(d && { d }) };
  }
  if (key.kind !== 'rsa') {
    const [crv, , size] = CURVES[key.kind];
    const [x, y] = [bits.subarray(1, 1 + size), bits.subarray(1 + size)].map((one) => one.toString('base64url'));
    const d = key.type === 'private' && parts(parts(parts(parts(key.own)[0].content)[2].content)[0].content)[1].content.toString('base64url');
    return { kty: 'EC', x, y, crv, ...(d && { d }) };
  }
  const names = key.type === 'private' ? ['', 'n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'] : ['n', 'e'];
  const numbers = parts(parts(key.type === 'private' ? parts(parts(key.own)[0].content)[2].content : bits)[0].content);
  const jwk = { kty: 'RSA' };
  names.forEach((name, at) => name && (jwk[name] = unsigned(numbers[at].content)));
  return jwk;
}

function fromJwk(jwk) {
  if (jwk.kty === 'oct') return new KeyObject('secret', 'secret', Buffer.from(jwk.k, 'base64url'));
  if (jwk.kty === 'RSA') {
    if (!jwk.d) return publicKey(spki([RSA, NULL], sequence(integer(jwk.n), integer(jwk.e))));
    return privateKey(sequence(der(2, Buffer.of(0)), ...['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'].map((name) => integer(jwk[name]))));
  }
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') {
    if (jwk.d) return privateKey(sequence(der(2, Buffer.of(0)), sequence(ED25519), der(4, der(4, Buffer.from(jwk.d, 'base64url')))));
    return publicKey(spki([ED25519], Buffer.from(jwk.x, 'base64url')));
  }
  const curve = jwk.kty === 'EC' && curveOf(jwk.crv);
  if (!curve) throw fail('Invalid JWK data', 'ERR_CRYPTO_INVALID_JWK');
  const oid = Buffer.from(CURVES[curve][1], 'hex');
  const point = Buffer.concat([Buffer.of(4), Buffer.from(jwk.x, 'base64url'), Buffer.from(jwk.y, 'base64url')]);
  if (!jwk.d) return publicKey(spki([EC, oid], point));
  const sec1 = sequence(der(2, Buffer.of(1)), der(4, Buffer.from(jwk.d, 'base64url')), der(0xa0, oid), der(0xa1, der(3, Buffer.of(0), point)));
  return privateKey(sequence(der(2, Buffer.of(0)), sequence(EC, oid), der(4, sec1)));
}

function publicKey(bytes) {
  const kind = kindOf(bytes);
  return new KeyObject('public', kind, bytes, bytes);
}
function privateKey(bytes) {
  const read = native.privateKey(bytes);
  if (!read) throw fail('the private key cannot be read: it is not RSA of 2048 bits or more, EC or Ed25519', 'ERR_OSSL_UNSUPPORTED');
  return new KeyObject('private', read[0], Buffer.from(read[1].buffer), Buffer.from(read[2].buffer));
}

// A key as Node's functions take it: a KeyObject, PEM, or { key, format, type }.
function read(input, wanted) {
  if (input instanceof KeyObject) return wanted === 'public' && input.type === 'private' ? publicKey(input.publicPart) : input;
  if (input && input.keyObject) return input.keyObject;
  const options = input !== null && typeof input === 'object' && !ArrayBuffer.isView(input) ? input : { key: input };
  if (options.key instanceof KeyObject) return read(options.key, wanted);
  if (options.format === 'jwk') {
    const key = fromJwk(options.key);
    return wanted === 'public' && key.type === 'private' ? publicKey(key.publicPart) : key;
  }
  let { key } = options;
  let label = { pkcs1: wanted === 'public' ? 'RSA PUBLIC KEY' : 'RSA PRIVATE KEY', sec1: 'EC PRIVATE KEY', pkcs8: 'PRIVATE KEY' }[options.type] || (wanted === 'public' ? 'PUBLIC KEY' : 'PRIVATE KEY');
  if (options.format !== 'der') {
    const text = typeof key === 'string' ? key : Buffer.from(bytesOf(key)).toString();
    const [, found, base64] = /-----BEGIN ([A-Z0-9 ]+)-----([^]+?)-----END/.exec(text) || [];
    if (!found) throw fail('error:1E08010C:DECODER routines::unsupported', 'ERR_OSSL_UNSUPPORTED');
    label = found;
    if (/ENCRYPTED/.test(label + base64)) throw fail('encrypted private keys are not supported; decrypt it first', 'ERR_OSSL_UNSUPPORTED');
    key = base64;
  }
  const bytes = typeof key === 'string' ? Buffer.from(key, 'base64') : Buffer.from(bytesOf(key));
  if (label.endsWith('PRIVATE KEY')) {
    const own = privateKey(bytes);
    return wanted === 'public' ? publicKey(own.publicPart) : own;
  }
  if (wanted === 'private') throw fail('error:1E08010C:DECODER routines::unsupported', 'ERR_OSSL_UNSUPPORTED');
  if (label === 'RSA PUBLIC KEY') return publicKey(Buffer.from(native.publicKey(bytes).buffer));
  return publicKey(label.endsWith('CERTIFICATE') ? certified(bytes) : bytes);
}

module.exports = {
  KeyObject, read, fromJwk, curves: Object.keys(CURVES), curveOf, curveName, publicKey, privateKey,
  secretKey: (key, encoding) => new KeyObject('secret', 'secret', Buffer.from(typeof key === 'string' ? Buffer.from(key, encoding) : bytesOf(key))),
  // The bytes of a key for HMAC and AES.
  secretBytes: (key, encoding) => (key instanceof KeyObject ? key.own : key && key.keyObject ? key.keyObject.own : bytesOf(key, encoding)),
};
