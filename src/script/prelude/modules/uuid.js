// uuid: versions 1, 3, 4, 5 and 7 as texts, with parse, stringify, validate and version.
const crypto = require('crypto');
const { Buffer, bytesOf } = require('buffer');
const PATTERN = /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$/i;

const validate = (text) => typeof text === 'string' && PATTERN.test(text);
const stringify = (bytes, offset = 0) =>
  Buffer.from(bytes.slice(offset, offset + 16)).toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
function parse(text) {
  if (!validate(text)) throw new TypeError('Invalid UUID');
  return new Uint8Array(Buffer.from(text.replace(/-/g, ''), 'hex'));
}

function finish(bytes, version, target, offset = 0) {
  bytes[6] = (bytes[6] & 0x0f) | (version << 4);
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  if (!target) return stringify(bytes);
  for (let at = 0; at < 16; at++) target[offset + at] = bytes[at];
  return target;
}
const random = (options) => Buffer.from((options && (options.random || (options.rng && options.rng()))) || crypto.randomBytes(16));

const v4 = (options, target, offset) => finish(random(options), 4, target, offset);
function v7(options, target, offset) {
  const bytes = random(options);
  bytes.writeUIntBE(options && options.msecs !== undefined ? options.msecs : Date.now(), 0, 6);
  return finish(bytes, 7, target, offset);
}
let [node, sequence, last, within] = [undefined, undefined, 0, 0];
function v1(options = {}, target, offset) {
  node ??= crypto.randomBytes(6).map((byte, at) => (at ? byte : byte | 1));
  sequence ??= crypto.randomInt(0x4000);
  const own = options || {};
  const millis = own.msecs === undefined ? Date.now() : own.msecs;
  within = millis === last ? within + 1 : 0;
  last = millis;
  const time = (BigInt(millis) + 12219292800000n) * 10000n + BigInt(own.nsecs === undefined ? within : own.nsecs);
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(Number(time & 0xffffffffn), 0);
  bytes.writeUInt16BE(Number((time >> 32n) & 0xffffn), 4);
  bytes.writeUInt16BE(Number((time >> 48n) & 0x0fffn), 6);
  bytes.writeUInt16BE(own.clockseq === undefined ? sequence : own.clockseq, 8);
  bytes.set(own.node || node, 10);
  return finish(bytes, 1, target, offset);
}

const named = (version, hash) => {
  const make = (value, namespace, target, offset) => {
    const space = typeof namespace === 'string' ? parse(namespace) : namespace;
    if (!space || space.length !== 16) throw new TypeError('Namespace must be array-like (16 iterable integer values, 0-255)');
    const digest = crypto.createHash(hash).update(Buffer.from(space)).update(Buffer.from(bytesOf(Array.isArray(value) ? Uint8Array.from(value) : value))).digest();
    return finish(digest.subarray(0, 16), version, target, offset);
  };
  return Object.assign(make, { DNS: '6ba7b810-9dad-11d1-80b4-00c04fd430c8', URL: '6ba7b811-9dad-11d1-80b4-00c04fd430c8' });
};
const own = {
  v1, v3: named(3, 'md5'), v4, v5: named(5, 'sha1'), v7, NIL: '00000000-0000-0000-0000-000000000000', MAX: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
  parse, stringify, validate, version: (text) => (parse(text), parseInt(text.slice(14, 15), 16)),
};
// Version 3 of the package is itself a function that makes a version 4.
module.exports = Object.assign((...values) => v4(...values), own);
