// StringDecoder, as Node has it: keeps the bytes of a character that is not complete yet.
const { Buffer } = require('buffer');

function pending(bytes, encoding) {
  if (encoding === 'utf16le') return bytes.length % 2;
  if (encoding === 'base64' || encoding === 'base64url') return bytes.length % 3;
  if (encoding !== 'utf8') return 0;
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back];
    if ((byte & 0xc0) === 0x80) continue;
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return size > back ? back : 0;
  }
  return 0;
}

exports.StringDecoder = class StringDecoder {
  #rest = Buffer.alloc(0);

  constructor(encoding = 'utf8') {
    if (!Buffer.isEncoding(encoding)) {
      throw Object.assign(new TypeError(`Unknown encoding: ${encoding}`), { code: 'ERR_UNKNOWN_ENCODING' });
    }
    const lower = encoding.toLowerCase();
    this.encoding = { 'utf-8': 'utf8', ucs2: 'utf16le', 'ucs-2': 'utf16le', 'utf-16le': 'utf16le', binary: 'latin1' }[lower] || lower;
  }
  write(bytes) {
    if (typeof bytes === 'string') return bytes;
    const all = Buffer.concat([this.#rest, bytes]);
    const end = all.length - pending(all, this.encoding);
    this.#rest = all.subarray(end);
    return all.toString(this.encoding, 0, end);
  }
  end(bytes) {
    const text = bytes === undefined ? '' : this.write(bytes);
    const rest = this.#rest.toString(this.encoding);
    this.#rest = Buffer.alloc(0);
    return text + rest;
  }
};
