// Buffer, as Node has it: a Uint8Array whose texts are encoded by the host.
const { encode, decode } = host.native;
const ENCODINGS = {
  __proto__: null, utf8: 'utf8', 'utf-8': 'utf8', hex: 'hex', base64: 'base64', base64url: 'base64url', ascii: 'ascii',
  latin1: 'latin1', binary: 'latin1', utf16le: 'utf16le', 'utf-16le': 'utf16le', ucs2: 'utf16le', 'ucs-2': 'utf16le',
};

const fail = (Kind, code, message) => Object.assign(new Kind(message), { code });
const wrongType = (name, type, value) =>
  fail(TypeError, 'ERR_INVALID_ARG_TYPE', `The ${name} must be ${type}. Received ${value === null ? 'null' : `type ${typeof value}`}`);

function encoding(name) {
  if (name === undefined || name === null || name === '') return 'utf8';
  const known = ENCODINGS[String(name).toLowerCase()];
  if (!known) throw fail(TypeError, 'ERR_UNKNOWN_ENCODING', `Unknown encoding: ${name}`);
  return known;
}

class FastBuffer extends Uint8Array {}

// Old rules write `new Buffer(text, encoding)`.
function Buffer(value, name, length) {
  return typeof value === 'number' ? Buffer.alloc(value) : Buffer.from(value, name, length);
}
const adopt = (bytes) => new FastBuffer(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const fromText = (text, name) => adopt(encode(text.toWellFormed(), encoding(name)));
const view = (bytes) =>
  bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const bytesOf = (value, name) => {
  if (typeof value === 'string') return fromText(value, name);
  if (ArrayBuffer.isView(value)) return view(value);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw wrongType('argument', 'a string or bytes', value);
};

Object.setPrototypeOf(Buffer, Uint8Array);
Buffer.prototype = FastBuffer.prototype;
Object.defineProperty(FastBuffer.prototype, 'constructor', { value: Buffer, writable: true, configurable: true });
Object.defineProperty(Buffer, Symbol.species, { get: () => FastBuffer });

Buffer.from = (value, name, length) => {
  if (typeof value === 'string') return fromText(value, name);
  if (value instanceof ArrayBuffer || (typeof SharedArrayBuffer === 'function' && value instanceof SharedArrayBuffer)) {
    return new FastBuffer(value, name, length);
  }
  if (value === null || typeof value !== 'object') {
    throw wrongType('first argument', 'of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object', value);
  }
  if (ArrayBuffer.isView(value) || Array.isArray(value)) return new FastBuffer(value);
  if (value.type === 'Buffer' && Array.isArray(value.data)) return new FastBuffer(value.data);
  const primitive = value.valueOf && value.valueOf();
  if (primitive !== null && primitive !== undefined && primitive !== value) return Buffer.from(primitive, name, length);
  if (typeof value.length === 'number') return new FastBuffer(Array.from(value));
  throw wrongType('first argument', 'of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object', value);
};
Buffer.of = (...values) => new FastBuffer(values);
Buffer.alloc = (size, fill, name) => {
  if (typeof size !== 'number') throw wrongType('"size" argument', 'of type number', size);
  const buffer = new FastBuffer(size);
  return fill === undefined || fill === 0 ? buffer : buffer.fill(fill, 0, size, name);
};
Buffer.allocUnsafe = Buffer.allocUnsafeSlow = (size) => Buffer.alloc(size);
Buffer.isBuffer = (value) => value instanceof FastBuffer;
Buffer.isEncoding = (name) => typeof name === 'string' && name.toLowerCase() in ENCODINGS;
Buffer.byteLength = (value, name) => bytesOf(value, name).byteLength;
Buffer.concat = (list, total) => {
  if (!Array.isArray(list)) throw wrongType('"list" argument', 'an instance of Array', list);
  const size = total === undefined ? list.reduce((sum, bytes) => sum + bytes.length, 0) : total;
  const all = new FastBuffer(size);
  let at = 0;
  for (const bytes of list) {
    if (!(bytes instanceof Uint8Array)) throw wrongType('"list" argument', 'a list of Buffer or Uint8Array', bytes);
    const part = at + bytes.length > size ? bytes.subarray(0, Math.max(0, size - at)) : bytes;
    all.set(part, at);
    at += part.length;
  }
  return all;
};
Buffer.compare = (a, b) => {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) if (a[at] !== b[at]) return a[at] < b[at] ? -1 : 1;
  return Math.sign(a.length - b.length);
};
Buffer.poolSize = 8192;

const methods = {
  toString(name, start = 0, end = this.length) {
    const part = start <= 0 && end >= this.length ? this : this.subarray(Math.max(0, start), Math.max(0, end));
    return decode(part, encoding(name));
  },
  toLocaleString(name, start, end) {
    return this.toString(name, start, end);
  },
  toJSON() {
    return { type: 'Buffer', data: Array.from(this) };
  },
  inspect() {
    const shown = this.subarray(0, 50).toString('hex').replace(/..(?=.)/g, '$& ');
    const more = this.length > 50 ? ` ... ${this.length - 50} more byte${this.length > 51 ? 's' : ''}` : '';
    return `<Buffer${shown ? ' ' : ''}${shown}${more}>`;
  },
  equals(other) {
    if (!(other instanceof Uint8Array)) throw wrongType('"otherBuffer" argument', 'an instance of Buffer or Uint8Array', other);
    return this.length === other.length && Buffer.compare(this, other) === 0;
  },
  compare(other, start = 0, end = other.length, from = 0, to = this.length) {
    return Buffer.compare(this.subarray(from, to), other.subarray(start, end));
  },
  slice(start, end) {
    return this.subarray(start, end);
  },
  write(text, offset, length, name) {
    if (typeof offset === 'string') [offset, name] = [0, offset];
    else if (typeof length === 'string') [length, name] = [undefined, length];
    const start = offset === undefined ? 0 : offset;
    const bytes = fromText(String(text), name);
    let size = Math.min(bytes.length, this.length - start, length === undefined ? Infinity : length);
    // No half of a character is written.
    if (encoding(name) === 'utf8') while (size > 0 && size < bytes.length && (bytes[size] & 0xc0) === 0x80) size--;
    this.set(bytes.subarray(0, size), start);
    return size;
  },
  copy(target, at = 0, start = 0, end = this.length) {
    const part = this.subarray(start, Math.min(end, start + target.length - at));
    target.set(part, at);
    return part.length;
  },
  fill(value, offset, end, name) {
    if (typeof offset === 'string') [offset, name] = [0, offset];
    else if (typeof end === 'string') [end, name] = [this.length, end];
    const [from, to] = [offset === undefined ? 0 : offset, end === undefined ? this.length : end];
    if (typeof value === 'number' || typeof value === 'boolean') return Uint8Array.prototype.fill.call(this, value, from, to);
    const bytes = bytesOf(value, name);
    if (!bytes.length) return Uint8Array.prototype.fill.call(this, 0, from, to);
    for (let at = from; at < to; at++) this[at] = bytes[(at - from) % bytes.length];
    return this;
  },
  indexOf(value, from, name) {
    return search(this, value, from, name, 1);
  },
  lastIndexOf(value, from, name) {
    return search(this, value, from, name, -1);
  },
  includes(value, from, name) {
    return search(this, value, from, name, 1) >= 0;
  },
};
methods[Symbol.for('nodejs.util.inspect.custom')] = methods.inspect;

function search(bytes, value, from, name, step) {
  if (typeof from === 'string') [from, name] = [undefined, from];
  const wanted = typeof value === 'number' ? Uint8Array.of(value & 255) : bytesOf(value, name);
  let at = from === undefined || Number.isNaN(+from) ? (step > 0 ? 0 : bytes.length) : Math.trunc(from);
  if (at < 0) at = Math.max(at + bytes.length, step > 0 ? 0 : -1);
  if (step < 0) at = Math.min(at, bytes.length - wanted.length);
  for (; at >= 0 && at + wanted.length <= bytes.length; at += step) {
    let same = 0;
    while (same < wanted.length && bytes[at + same] === wanted[same]) same++;
    if (same === wanted.length) return at;
  }
  return -1;
}

function range(buffer, offset, size) {
  if (typeof offset !== 'number') throw wrongType('"offset" argument', 'of type number', offset);
  if (!Number.isInteger(offset) || offset < 0 || offset + size > buffer.length) {
    const allowed = `>= 0 and <= ${buffer.length - size}`;
    throw fail(RangeError, 'ERR_OUT_OF_RANGE', `The value of "offset" is out of range. It must be ${allowed}. Received ${offset}`);
  }
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

// readUInt8, writeInt32LE, readDoubleBE, readBigUInt64LE, …
for (const [kind, bits] of [['Uint', 8], ['Int', 8], ['Uint', 16], ['Int', 16], ['Uint', 32], ['Int', 32], ['Float', 32],
  ['Float', 64], ['BigUint', 64], ['BigInt', 64]]) {
  const size = bits / 8;
  for (const order of bits === 8 ? [''] : ['LE', 'BE']) {
    const name = kind === 'Float' ? `${bits === 32 ? 'Float' : 'Double'}${order}` : `${kind}${bits}${order}`;
    const little = order === 'LE';
    const [min, max] = kind.endsWith('int') || kind === 'Uint' ? [0n, 2n ** BigInt(bits) - 1n] : [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n];
    const read = function (offset = 0) {
      return range(this, offset, size)[`get${kind}${bits}`](offset, little);
    };
    const write = function (value, offset = 0) {
      const data = range(this, offset, size);
      const exact = kind.startsWith('Big') ? value : Number(value);
      if (kind !== 'Float' && (exact < min || exact > max)) {
        const message = `The value of "value" is out of range. It must be >= ${min} and <= ${max}. Received ${value}`;
        throw fail(RangeError, 'ERR_OUT_OF_RANGE', message);
      }
      data[`set${kind}${bits}`](offset, exact, little);
      return offset + size;
    };
    for (const alias of new Set([name, name.replace('Uint', 'UInt')])) {
      methods[`read${alias}`] = read;
      methods[`write${alias}`] = write;
    }
  }
}
// readUIntBE(offset, byteLength) and its kin, up to 6 bytes.
for (const signed of [false, true]) {
  for (const order of ['LE', 'BE']) {
    const read = function (offset, size) {
      range(this, offset, size);
      const bytes = Array.from(this.subarray(offset, offset + size));
      if (order === 'LE') bytes.reverse();
      const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
      return signed && value >= 2 ** (8 * size - 1) ? value - 2 ** (8 * size) : value;
    };
    const write = function (value, offset, size) {
      range(this, offset, size);
      let rest = value < 0 ? value + 2 ** (8 * size) : +value;
      for (let at = 0; at < size; at++) {
        this[order === 'LE' ? offset + at : offset + size - 1 - at] = rest % 256;
        rest = Math.floor(rest / 256);
      }
      return offset + size;
    };
    for (const kind of signed ? ['Int'] : ['UInt', 'Uint']) {
      methods[`read${kind}${order}`] = read;
      methods[`write${kind}${order}`] = write;
    }
  }
}
for (const size of [2, 4, 8]) {
  methods[`swap${size * 8}`] = function () {
    for (let at = 0; at < this.length; at += size) this.subarray(at, at + size).reverse();
    return this;
  };
}
for (const name of Reflect.ownKeys(methods)) {
  Object.defineProperty(FastBuffer.prototype, name, { value: methods[name], writable: true, configurable: true });
}
Object.defineProperty(FastBuffer.prototype, 'parent', { get() { return this.buffer; } });
Object.defineProperty(FastBuffer.prototype, 'offset', { get() { return this.byteOffset; } });

exports.Buffer = Buffer;
exports.SlowBuffer = Buffer;
exports.kMaxLength = 2 ** 31 - 1;
exports.constants = { MAX_LENGTH: 2 ** 31 - 1, MAX_STRING_LENGTH: 2 ** 29 - 24 };
exports.INSPECT_MAX_BYTES = 50;
exports.isUtf8 = (bytes) => host.native.isUtf8(view(bytes));
exports.isAscii = (bytes) => view(bytes).every((byte) => byte < 128);
exports.atob = (text) => {
  const plain = String(text).replace(/[\t\n\f\r ]/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(plain) || plain.replace(/=+$/, '').length % 4 === 1 || (plain.includes('=') && plain.length % 4)) {
    throw new DOMException('The string to be decoded is not correctly encoded.', 'InvalidCharacterError');
  }
  return decode(encode(plain, 'base64'), 'latin1');
};
exports.btoa = (text) => {
  if (/[^\0-\xff]/.test(String(text))) throw new DOMException('Invalid character', 'InvalidCharacterError');
  return decode(encode(String(text), 'latin1'), 'base64');
};
exports.bytesOf = bytesOf;
for (const name of ['Blob', 'File']) Object.defineProperty(exports, name, { get: () => require('fetch')[name], enumerable: true });
