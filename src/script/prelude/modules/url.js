// URL and URLSearchParams of the web, and Node's older url.parse, format and resolve. The host parses.
const { native } = host;
const invalid = (Kind, code, message) => Object.assign(new Kind(message), { code });

class URLSearchParams {
  #pairs = [];
  #changed;

  constructor(init) {
    if (init === undefined || init === null) return;
    if (typeof init === 'object' || typeof init === 'function') {
      const pairs = typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init);
      for (const pair of pairs) {
        const [name, value, ...more] = pair;
        if (value === undefined || more.length) {
          throw invalid(TypeError, 'ERR_INVALID_TUPLE', 'Each query pair must be an iterable [name, value] tuple');
        }
        this.#pairs.push([`${name}`, `${value}`]);
      }
      return;
    }
    this.#read(String(init).replace(/^\?/, ''));
  }

  #read(text) {
    this.#pairs = JSON.parse(native.parseForm(text.toWellFormed()));
  }
  // The parameters of a URL: read from its query, and written back to it.
  static of(text, changed) {
    const params = new URLSearchParams();
    params.#changed = changed;
    params.#read(text);
    return params;
  }
  static reread(params, text) {
    params.#read(text);
  }
  #write(pairs) {
    this.#pairs = pairs;
    if (this.#changed) this.#changed(this.toString());
  }

  get size() {
    return this.#pairs.length;
  }
  append(name, value) {
    this.#write([...this.#pairs, [`${name}`, `${value}`]]);
  }
  delete(name, value) {
    this.#write(this.#pairs.filter(([key, own]) => key !== `${name}` || (value !== undefined && own !== `${value}`)));
  }
  get(name) {
    const found = this.#pairs.find(([key]) => key === `${name}`);
    return found ? found[1] : null;
  }
  getAll(name) {
    return this.#pairs.filter(([key]) => key === `${name}`).map(([, value]) => value);
  }
  has(name, value) {
    return this.#pairs.some(([key, own]) => key === `${name}` && (value === undefined || own === `${value}`));
  }
  set(name, value) {
    const at = this.#pairs.findIndex(([key]) => key === `${name}`);
    if (at < 0) return this.append(name, value);
    const others = this.#pairs.filter(([key], index) => index <= at || key !== `${name}`);
    this.#write(others.map((pair, index) => (index === at ? [pair[0], `${value}`] : pair)));
  }
  sort() {
    this.#write([...this.#pairs].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  }
  forEach(callback, self) {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }
  *keys() {
    for (const [name] of this.#pairs) yield name;
  }
  *values() {
    for (const [, value] of this.#pairs) yield value;
  }
  *entries() {
    for (let at = 0; at < this.#pairs.length; at++) yield [...this.#pairs[at]];
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  toString() {
    return native.form(JSON.stringify(this.#pairs.map((pair) => pair.map((text) => text.toWellFormed()))));
  }
  get [Symbol.toStringTag]() {
    return 'URLSearchParams';
  }
}
const { of: paramsOf, reread } = URLSearchParams;
delete URLSearchParams.of;
delete URLSearchParams.reread;

class URL {
  #parts;
  #params;

  constructor(text, base) {
    const input = `${text}`;
    const parts = native.url(input.toWellFormed(), base === undefined ? undefined : `${base}`);
    if (!parts) throw Object.assign(invalid(TypeError, 'ERR_INVALID_URL', 'Invalid URL'), { input });
    this.#parts = JSON.parse(parts);
  }
  #set(part, value) {
    const parts = native.setUrl(this.#parts.href, part, `${value}`.toWellFormed());
    if (!parts) throw Object.assign(invalid(TypeError, 'ERR_INVALID_URL', 'Invalid URL'), { input: `${value}` });
    this.#parts = JSON.parse(parts);
    if (this.#params && (part === 'search' || part === 'href')) reread(this.#params, this.#parts.search.slice(1));
  }
  get searchParams() {
    this.#params ??= paramsOf(this.#parts.search.slice(1), (text) => {
      this.#parts = JSON.parse(native.setUrl(this.#parts.href, 'search', text));
    });
    return this.#params;
  }
  toString() {
    return this.#parts.href;
  }
  toJSON() {
    return this.#parts.href;
  }
  get [Symbol.toStringTag]() {
    return 'URL';
  }
  static canParse(text, base) {
    return native.url(`${text}`.toWellFormed(), base === undefined ? undefined : `${base}`) != null;
  }
  static parse(text, base) {
    return URL.canParse(text, base) ? new URL(text, base) : null;
  }
  static {
    const parts = ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'];
    for (const name of parts) {
      const set = name === 'origin' ? undefined : function (value) { this.#set(name, value); };
      const get = function () { return this.#parts[name]; };
      Object.defineProperty(URL.prototype, name, { get, set, enumerable: true, configurable: true });
    }
  }
}

// url.parse: never throws on a text, keeps what the web's parser would refuse.
class Url {
  protocol = null;
  slashes = null;
  auth = null;
  host = null;
  port = null;
  hostname = null;
  hash = null;
  search = null;
  query = null;
  pathname = null;
  path = null;
  href = null;
}
const SLASHED = new Set(['http:', 'https:', 'ftp:', 'gopher:', 'file:', 'ws:', 'wss:']);
const escapeUrl = (text) => text.replace(/[\s<>"`{}|\\^']/g, (one) => encodeURIComponent(one).replace("'", '%27'));

function parse(text, parseQuery, slashesDenoteHost) {
  if (text instanceof Url) return text;
  if (typeof text !== 'string') {
    throw invalid(TypeError, 'ERR_INVALID_ARG_TYPE', `The "url" argument must be of type string. Received type ${typeof text}`);
  }
  const url = new Url();
  let rest = text.trim();
  const [, before, after] = /^([^?#]*)([^]*)$/.exec(rest);
  rest = before.replace(/\\/g, '/') + after;
  const scheme = /^[a-z0-9.+-]+:/i.exec(rest);
  if (scheme) {
    url.protocol = scheme[0].toLowerCase();
    rest = rest.slice(scheme[0].length);
  }
  const opaque = url.protocol === 'javascript:';
  if (rest.startsWith('//') && !opaque && (scheme || slashesDenoteHost || /^\/\/[^@/]+@[^@/]+/.test(rest))) {
    url.slashes = true;
    rest = rest.slice(2);
    const at = rest.search(/[/?#]/);
    let authority = at < 0 ? rest : rest.slice(0, at);
    rest = at < 0 ? '' : rest.slice(at);
    const sign = authority.lastIndexOf('@');
    if (sign >= 0) {
      url.auth = decodeURIComponent(authority.slice(0, sign));
      authority = authority.slice(sign + 1);
    }
    const port = /:([0-9]*)$/.exec(authority);
    if (port) {
      url.port = port[1] || null;
      authority = authority.slice(0, port.index);
    }
    const name = authority.toLowerCase();
    url.hostname = name.startsWith('[') ? name.slice(1, -1) : /[^\0-\x7f]/.test(name) ? native.domain(name, false) : name;
    url.host = (name.startsWith('[') ? name : url.hostname) + (url.port ? `:${url.port}` : '');
  }
  if (!opaque) rest = escapeUrl(rest);
  const hash = rest.indexOf('#');
  if (hash >= 0) [url.hash, rest] = [rest.slice(hash), rest.slice(0, hash)];
  const mark = rest.indexOf('?');
  if (mark >= 0) {
    [url.search, rest] = [rest.slice(mark), rest.slice(0, mark)];
    url.query = url.search.slice(1);
  }
  if (parseQuery) {
    url.query = require('querystring').parse(url.query || '');
    url.search ??= '';
  }
  url.pathname = rest || (SLASHED.has(url.protocol) && url.hostname ? '/' : rest || null);
  if (url.pathname !== null || url.search) url.path = (url.pathname || '') + (url.search || '');
  url.href = format(url);
  return url;
}

function format(url, { fragment = true, search: query = true, auth: withAuth = true, unicode = false } = {}) {
  if (typeof url === 'string') return parse(url).href;
  if (url instanceof URL) {
    const copy = new URL(url.href);
    if (!fragment) copy.hash = '';
    if (!query) copy.search = '';
    if (!withAuth) copy.username = copy.password = '';
    return unicode ? copy.href.replace(copy.hostname, native.domain(copy.hostname, true)) : copy.href;
  }
  let protocol = url.protocol || '';
  if (protocol && !protocol.endsWith(':')) protocol += ':';
  const auth = url.auth ? `${encodeURIComponent(url.auth).replace(/%3A/i, ':')}@` : '';
  let host = '';
  if (url.host) host = auth + url.host;
  else if (url.hostname) {
    host = auth + (url.hostname.includes(':') && !url.hostname.startsWith('[') ? `[${url.hostname}]` : url.hostname);
    if (url.port) host += `:${url.port}`;
  }
  let search = url.search || '';
  if (!search && url.query !== null && typeof url.query === 'object') {
    const text = require('querystring').stringify(url.query);
    search = text ? `?${text}` : '';
  }
  if (search && !search.startsWith('?')) search = `?${search}`;
  let hash = url.hash || '';
  if (hash && !hash.startsWith('#')) hash = `#${hash}`;
  let pathname = (url.pathname || '').replace(/[?#]/g, encodeURIComponent);
  if (url.slashes || SLASHED.has(protocol)) {
    if (url.slashes || host) host = `//${host}`;
    if (host && pathname && !pathname.startsWith('/')) pathname = `/${pathname}`;
  }
  return protocol + host + pathname + search.replace(/#/g, '%23') + hash;
}

function resolve(from, to) {
  const resolved = new URL(to, new URL(from, 'resolve://'));
  return resolved.protocol === 'resolve:' ? resolved.pathname + resolved.search + resolved.hash : resolved.href;
}

exports.URL = URL;
exports.URLSearchParams = URLSearchParams;
exports.Url = Url;
exports.parse = parse;
exports.format = format;
exports.resolve = resolve;
exports.resolveObject = (from, to) => parse(resolve(typeof from === 'string' ? from : format(from), to));
exports.domainToASCII = (name) => native.domain(`${name}`, false);
exports.domainToUnicode = (name) => native.domain(`${name}`, true);
exports.urlToHttpOptions = (url) => ({
  protocol: url.protocol, hostname: url.hostname.replace(/^\[|\]$/g, ''), hash: url.hash, search: url.search,
  pathname: url.pathname, path: `${url.pathname}${url.search}`, href: url.href, ...(url.port && { port: Number(url.port) }),
  ...((url.username || url.password) && { auth: `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}` }),
});
exports.fileURLToPath = exports.pathToFileURL = () => {
  throw new Error('url.fileURLToPath is not available: scripts have no files');
};
exports.punycode = {
  toASCII: exports.domainToASCII,
  toUnicode: exports.domainToUnicode,
  ucs2: { decode: (text) => Array.from(text, (one) => one.codePointAt(0)), encode: (codes) => String.fromCodePoint(...codes) },
};
