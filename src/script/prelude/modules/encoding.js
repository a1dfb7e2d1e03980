// TextEncoder and TextDecoder: UTF-8, UTF-16LE and Latin-1.
const { encode, decode, isUtf8 } = host.native;
const LABELS = {
  __proto__: null, 'utf-8': 'utf-8', utf8: 'utf-8', 'unicode-1-1-utf-8': 'utf-8', 'utf-16le': 'utf-16le', 'utf-16': 'utf-16le',
  latin1: 'windows-1252', 'iso-8859-1': 'windows-1252', ascii: 'windows-1252', 'us-ascii': 'windows-1252', 'windows-1252': 'windows-1252',
};

exports.TextEncoder = class TextEncoder {
  get encoding() {
    return 'utf-8';
  }
  encode(text = '') {
    return encode(`${text}`.toWellFormed(), 'utf8');
  }
  encodeInto(text, into) {
    let [read, written] = [0, 0];
    for (const character of `${text}`.toWellFormed()) {
      const bytes = encode(character, 'utf8');
      if (written + bytes.length > into.length) break;
      into.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
};

exports.TextDecoder = class TextDecoder {
  #decoder;
  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
    this.encoding = LABELS[`${label}`.trim().toLowerCase()];
    if (!this.encoding) {
      const message = `The "${label}" encoding is not supported`;
      throw Object.assign(new RangeError(message), { code: 'ERR_ENCODING_NOT_SUPPORTED' });
    }
    this.fatal = Boolean(fatal);
    this.ignoreBOM = Boolean(ignoreBOM);
  }
  decode(input = new Uint8Array(), { stream = false } = {}) {
    const bytes = require('buffer').bytesOf(input);
    const name = { 'utf-8': 'utf8', 'utf-16le': 'utf16le', 'windows-1252': 'latin1' }[this.encoding];
    if (this.fatal && name === 'utf8' && !stream && !this.#decoder && !isUtf8(bytes)) {
      throw Object.assign(new TypeError('The encoded data was not valid for encoding utf-8'), { code: 'ERR_ENCODING_INVALID_ENCODED_DATA' });
    }
    let text;
    if (stream || this.#decoder) {
      const { StringDecoder } = require('string_decoder');
      this.#decoder ??= new StringDecoder(name);
      text = stream ? this.#decoder.write(bytes) : this.#decoder.end(bytes);
      if (!stream) this.#decoder = undefined;
    } else text = decode(bytes, name);
    return this.ignoreBOM || text.charCodeAt(0) !== 0xfeff ? text : text.slice(1);
  }
};
