// querystring, as Node has it.
const escape = (text) => encodeURIComponent(text);

function unescape(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    // As in Node: what is not valid stays, byte by byte.
    const { Buffer } = require('buffer');
    const bytes = text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    return Buffer.from(bytes, 'latin1').toString('utf8');
  }
}

const primitive = (value) =>
  typeof value === 'string' ? value.toWellFormed()
    : (typeof value === 'number' && Number.isFinite(value)) || typeof value === 'bigint' || typeof value === 'boolean' ? `${value}` : '';

function stringify(values, separator = '&', equals = '=', options = {}) {
  if (values === null || typeof values !== 'object') return '';
  const encode = (options && options.encodeURIComponent) || module.exports.escape;
  return Object.keys(values)
    .flatMap((name) => [values[name]].flat().map((value) => `${encode(primitive(name))}${equals || '='}${encode(primitive(value))}`))
    .join(separator || '&');
}

function parse(text, separator = '&', equals = '=', { maxKeys = 1000, decodeURIComponent: own } = {}) {
  const values = Object.create(null);
  if (typeof text !== 'string' || !text) return values;
  const decode = own || module.exports.unescape;
  const spaced = (part) => decode(part.replace(/\+/g, ' '));
  let pairs = text.split(separator || '&');
  if (maxKeys > 0) pairs = pairs.slice(0, maxKeys);
  for (const pair of pairs) {
    if (!pair) continue;
    const at = pair.indexOf(equals || '=');
    const name = spaced(at < 0 ? pair : pair.slice(0, at));
    const value = at < 0 ? '' : spaced(pair.slice(at + (equals || '=').length));
    if (!(name in values)) values[name] = value;
    else if (Array.isArray(values[name])) values[name].push(value);
    else values[name] = [values[name], value];
  }
  return values;
}

Object.assign(exports, { escape, unescape, stringify, encode: stringify, parse, decode: parse });
