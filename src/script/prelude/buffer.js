// The part of Buffer that rules use: from and toString in utf8, base64, base64url, hex and latin1.
(function (host) {
  'use strict';
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

  const utf8 = {
    read: (text) => {
      const bytes = [];
      for (const character of text.toWellFormed()) {
        const code = character.codePointAt(0);
        if (code < 0x80) bytes.push(code);
        else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
        else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
        else {
          bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63));
          bytes.push(0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
        }
      }
      return bytes;
    },
    // Each byte that is not UTF-8 becomes U+FFFD.
    write: (bytes) => {
      let text = '';
      for (let at = 0; at < bytes.length; ) {
        const first = bytes[at];
        const size = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3
          : first >= 0xf0 && first < 0xf5 ? 4 : 0;
        let code = size === 1 ? first : first & (0x7f >> size);
        let good = size > 0 && at + size <= bytes.length;
        for (let next = 1; good && next < size; next++) {
          good = (bytes[at + next] & 0xc0) === 0x80;
          code = (code << 6) | (bytes[at + next] & 63);
        }
        good = good && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000);
        good = good && !(size === 3 && code < 0x800) && !(size === 4 && code < 0x10000);
        text += good ? String.fromCodePoint(code) : '\ufffd';
        at += good ? size : 1;
      }
      return text;
    },
  };

  const base64 = {
    read: (text) => {
      const bytes = [];
      let bits = 0;
      let count = 0;
      for (const character of text.replace(/-/g, '+').replace(/_/g, '/')) {
        const value = ALPHABET.indexOf(character);
        if (value < 0) continue;
        bits = ((bits << 6) | value) & 0xffff;
        count += 6;
        if (count >= 8) {
          count -= 8;
          bytes.push((bits >> count) & 0xff);
        }
      }
      return bytes;
    },
    write: (bytes) => {
      let text = '';
      for (let at = 0; at < bytes.length; at += 3) {
        const three = (bytes[at] << 16) | ((bytes[at + 1] || 0) << 8) | (bytes[at + 2] || 0);
        for (let place = 0; place < 4; place++) {
          text += place > bytes.length - at ? '=' : ALPHABET[(three >> (18 - 6 * place)) & 63];
        }
      }
      return text;
    },
  };

  const hex = {
    read: (text) => (text.match(/^(?:[0-9a-f]{2})*/i)[0].match(/../g) || []).map((pair) => parseInt(pair, 16)),
    write: (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(''),
  };

  const latin1 = {
    read: (text) => Array.from({ length: text.length }, (_, at) => text.charCodeAt(at) & 0xff),
    write: (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''),
  };

  const base64url = {
    read: base64.read,
    write: (bytes) => base64.write(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, ''),
  };
  const encodings = { utf8, 'utf-8': utf8, base64, base64url, hex, latin1, binary: latin1, ascii: latin1 };

  function encoding(name) {
    const known = encodings[String(name === undefined ? 'utf8' : name).toLowerCase()];
    if (!known) throw new TypeError(`Buffer does not support the encoding "${name}"`);
    return known;
  }

  function toBuffer(bytes) {
    return Object.setPrototypeOf(Uint8Array.from(bytes), Buffer.prototype);
  }

  // Old rules write `new Buffer(text, encoding)`.
  function Buffer(value, name) {
    return Buffer.from(value, name);
  }
  Buffer.prototype = Object.create(Uint8Array.prototype, {
    constructor: { value: Buffer },
    toString: { value(name) { return encoding(name).write(this); } },
    toJSON: { value() { return { type: 'Buffer', data: Array.from(this) }; } },
    equals: { value(other) { return hex.write(this) === hex.write(other); } },
  });
  Buffer.from = (value, name) => {
    if (typeof value === 'string') return toBuffer(encoding(name).read(value));
    if (value instanceof ArrayBuffer) return toBuffer(new Uint8Array(value));
    if (value !== null && typeof value === 'object' && 'length' in value) return toBuffer(value);
    throw new TypeError('Buffer.from takes a string, an array or bytes');
  };
  Buffer.alloc = (size) => toBuffer(new Uint8Array(size));
  Buffer.concat = (list) => toBuffer(list.flatMap((bytes) => Array.from(bytes)));
  Buffer.isBuffer = (value) => value instanceof Buffer;
  Buffer.byteLength = (value, name) => Buffer.from(value, name).length;

  host.define('Buffer', Buffer);
  host.define('btoa', (text) => base64.write(latin1.read(String(text))));
  host.define('atob', (text) => latin1.write(base64.read(String(text))));
  host.modules.buffer = { Buffer };
})
