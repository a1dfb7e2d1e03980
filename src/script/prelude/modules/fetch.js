// fetch and its classes, node-fetch and undici. The host sends a request if its origin is in tenant.allow_fetch; each
// redirect is a request of its own. Bodies are in memory.
const { Buffer, bytesOf } = require('buffer');
const { URL, URLSearchParams } = require('url');
const fail = (message, cause) => Object.assign(new TypeError(message), cause && { cause, code: cause.code });

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
class Headers {
  #all = new Map();

  constructor(init) {
    if (init === undefined || init === null) return;
    const pairs = typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init);
    for (const [name, value] of pairs) this.append(name, value);
  }
  #key(name) {
    if (!NAME.test(`${name}`)) throw fail(`Headers: ${name} is an invalid header name.`);
    return `${name}`.toLowerCase();
  }
  append(name, value) {
    const key = this.#key(name);
    const text = `${value}`.trim();
    if (/[\0\r\n]/.test(text)) throw fail('Headers: the value of a header is invalid.');
    this.#all.set(key, [...(this.#all.get(key) || []), text]);
  }
  set(name, value) {
    this.#all.delete(this.#key(name));
    this.append(name, value);
  }
  get(name) {
    const values = this.#all.get(this.#key(name));
    return values ? values.join(', ') : null;
  }
  getSetCookie() {
    return [...(this.#all.get('set-cookie') || [])];
  }
  has(name) {
    return this.#all.has(this.#key(name));
  }
  delete(name) {
    this.#all.delete(this.#key(name));
  }
  forEach(callback, self) {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }
  *entries() {
    for (const key of [...this.#all.keys()].sort()) {
      if (key === 'set-cookie') for (const value of this.#all.get(key)) yield [key, value];
      else yield [key, this.get(key)];
    }
  }
  *keys() {
    for (const [name] of this) yield name;
  }
  *values() {
    for (const [, value] of this) yield value;
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  // node-fetch has it.
  raw() {
    return Object.fromEntries(this.#all);
  }
  get [Symbol.toStringTag]() {
    return 'Headers';
  }
}

class Blob {
  #bytes;
  constructor(parts = [], { type = '' } = {}) {
    this.#bytes = Buffer.concat([...parts].map((part) => (part instanceof Blob ? part.#bytes : Buffer.from(bytesOf(typeof part === 'object' ? part : `${part}`)))));
    this.type = `${type}`.toLowerCase();
  }
  get size() {
    return this.#bytes.length;
  }
  async arrayBuffer() {
    return this.#bytes.buffer.slice(this.#bytes.byteOffset, this.#bytes.byteOffset + this.#bytes.length);
  }
  async bytes() {
    return new Uint8Array(this.#bytes);
  }
  async text() {
    return this.#bytes.toString();
  }
  slice(start, end, type = '') {
    return new Blob([new Uint8Array(this.#bytes).slice(start, end)], { type });
  }
  stream() {
    return new BodyStream(this.#bytes);
  }
  static bytesOf(blob) {
    return blob.#bytes;
  }
  get [Symbol.toStringTag]() {
    return 'Blob';
  }
}
const { bytesOf: bytesOfBlob } = Blob;
delete Blob.bytesOf;

class File extends Blob {
  constructor(parts, name, options = {}) {
    super(parts, options);
    this.name = `${name}`;
    this.lastModified = options.lastModified === undefined ? Date.now() : options.lastModified;
  }
}

class FormData {
  #entries = [];
  #entry(name, value, file) {
    if (!(value instanceof Blob)) return [`${name}`, `${value}`.toWellFormed()];
    if (value instanceof File && file === undefined) return [`${name}`, value];
    return [`${name}`, new File([value], file === undefined ? 'blob' : file, { type: value.type })];
  }
  append(name, value, file) {
    this.#entries.push(this.#entry(name, value, file));
  }
  set(name, value, file) {
    const at = this.#entries.findIndex(([key]) => key === `${name}`);
    if (at < 0) return this.append(name, value, file);
    this.#entries[at] = this.#entry(name, value, file);
    this.#entries = this.#entries.filter(([key], index) => index <= at || key !== `${name}`);
  }
  get(name) {
    const found = this.#entries.find(([key]) => key === `${name}`);
    return found ? found[1] : null;
  }
  getAll(name) {
    return this.#entries.filter(([key]) => key === `${name}`).map(([, value]) => value);
  }
  has(name) {
    return this.#entries.some(([key]) => key === `${name}`);
  }
  delete(name) {
    this.#entries = this.#entries.filter(([key]) => key !== `${name}`);
  }
  forEach(callback, self) {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }
  *entries() {
    for (const entry of this.#entries) yield [...entry];
  }
  *keys() {
    for (const [name] of this.#entries) yield name;
  }
  *values() {
    for (const [, value] of this.#entries) yield value;
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  get [Symbol.toStringTag]() {
    return 'FormData';
  }
}

function multipart(form) {
  const boundary = `----vestibule${Buffer.from(host.native.random(16).buffer).toString('hex')}`;
  const quoted = (text) => text.replace(/\r?\n|\r/g, '%0D%0A').replace(/"/g, '%22');
  const parts = [];
  for (const [name, value] of form) {
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(name)}"`;
    if (value instanceof File) head += `; filename="${quoted(value.name)}"\r\nContent-Type: ${value.type || 'application/octet-stream'}`;
    parts.push(Buffer.from(`${head}\r\n\r\n`), value instanceof File ? bytesOfBlob(value) : Buffer.from(value), Buffer.from('\r\n'));
  }
  parts.push(Buffer.from(`--${boundary}--\r\n`));
  return [Buffer.concat(parts), `multipart/form-data; boundary=${boundary}`];
}

// A body as text or bytes, and its content type.
function extract(body) {
  if (body === undefined || body === null) return [null, null];
  if (typeof body === 'string') return [body, 'text/plain;charset=UTF-8'];
  if (body instanceof URLSearchParams) return [body.toString(), 'application/x-www-form-urlencoded;charset=UTF-8'];
  if (body instanceof FormData) return multipart(body);
  if (body instanceof Blob) return [bytesOfBlob(body), body.type || null];
  if (body instanceof BodyStream) return [body.content, null];
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return [bytesOf(body), null];
  return [String(body), 'text/plain;charset=UTF-8'];
}

// What of a web stream is used to read a body: a reader and iteration. One chunk.
class BodyStream {
  constructor(content) {
    this.content = content;
    this.locked = false;
  }
  getReader() {
    this.locked = true;
    let rest = [new Uint8Array(bytesOf(this.content))].filter((chunk) => chunk.length);
    return {
      read: async () => (rest.length ? { done: false, value: rest.shift() } : { done: true, value: undefined }),
      cancel: async () => void (rest = []),
      releaseLock: () => undefined,
      closed: Promise.resolve(),
    };
  }
  async cancel() {}
  async *[Symbol.asyncIterator]() {
    const chunk = new Uint8Array(bytesOf(this.content));
    if (chunk.length) yield chunk;
  }
}

class Body {
  #content;
  bodyUsed = false;
  constructor(content) {
    this.#content = content;
  }
  #use() {
    if (this.bodyUsed) throw fail('Body is unusable: Body has already been read');
    if (this.#content !== null) this.bodyUsed = true;
    return this.#content === null ? '' : this.#content;
  }
  get body() {
    return this.#content === null ? null : new BodyStream(this.#content);
  }
  async text() {
    const content = this.#use();
    return (typeof content === 'string' ? content : Buffer.from(content).toString()).replace(/^\ufeff/, '');
  }
  async json() {
    return JSON.parse(await this.text());
  }
  async bytes() {
    return new Uint8Array(bytesOf(this.#use()));
  }
  async buffer() {
    return Buffer.from(bytesOf(this.#use()));
  }
  async arrayBuffer() {
    return (await this.bytes()).buffer;
  }
  async blob() {
    return new Blob([this.#use()], { type: this.headers.get('content-type') || '' });
  }
  async formData() {
    const form = new FormData();
    const type = this.headers.get('content-type') || '';
    if (!type.startsWith('application/x-www-form-urlencoded')) throw fail('Response.formData: only urlencoded forms are supported');
    for (const [name, value] of new URLSearchParams(await this.text())) form.append(name, value);
    return form;
  }
  static content(body) {
    if (body.bodyUsed) throw fail('Body is unusable: Body has already been read');
    return body.#content;
  }
}
const { content } = Body;
delete Body.content;

class Request extends Body {
  constructor(input, init = {}) {
    const from = input instanceof Request ? input : null;
    const [own, type] = init.body === undefined && from ? [content(from), null] : extract(init.body);
    super(own);
    this.url = from ? from.url : new URL(`${input && input.href ? input.href : input}`).href;
    const method = init.method || (from ? from.method : 'GET');
    this.method = /^(get|head|post|put|delete|options)$/i.test(method) ? method.toUpperCase() : `${method}`;
    if (own !== null && /^(GET|HEAD)$/.test(this.method)) throw fail('Request with GET/HEAD method cannot have body.');
    this.headers = new Headers(init.headers || (from ? from.headers : undefined));
    if (type && !this.headers.has('content-type')) this.headers.set('content-type', type);
    this.redirect = init.redirect || (from ? from.redirect : 'follow');
    this.signal = init.signal || (from ? from.signal : undefined);
    this.timeout = init.timeout;
  }
  clone() {
    return new Request(this);
  }
}

const TEXTS = {
  __proto__: null, 200: 'OK', 201: 'Created', 202: 'Accepted', 204: 'No Content', 301: 'Moved Permanently', 302: 'Found', 303: 'See Other',
  304: 'Not Modified', 307: 'Temporary Redirect', 308: 'Permanent Redirect', 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden',
  404: 'Not Found', 405: 'Method Not Allowed', 409: 'Conflict', 410: 'Gone', 415: 'Unsupported Media Type', 422: 'Unprocessable Entity',
  429: 'Too Many Requests', 500: 'Internal Server Error', 501: 'Not Implemented', 502: 'Bad Gateway', 503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

class Response extends Body {
  constructor(body, { status = 200, statusText = '', headers } = {}) {
    const [own, type] = extract(body);
    super(own);
    if (!(status >= 100 && status <= 599)) throw new RangeError(`The status provided (${status}) is outside the range [200, 599].`);
    Object.assign(this, { type: 'default', url: '', redirected: false, status, statusText, headers: new Headers(headers) });
    if (type && !this.headers.has('content-type')) this.headers.set('content-type', type);
  }
  get ok() {
    return this.status >= 200 && this.status < 300;
  }
  clone() {
    const { url, redirected, type } = this;
    return Object.assign(new Response(content(this), this), { url, redirected, type });
  }
  static json(value, init = {}) {
    const headers = new Headers(init.headers);
    if (!headers.has('content-type')) headers.set('content-type', 'application/json');
    return new Response(JSON.stringify(value), { ...init, headers });
  }
  static error() {
    return Object.assign(new Response(null), { type: 'error', status: 0 });
  }
  static redirect(url, status = 302) {
    return new Response(null, { status, headers: { location: new URL(url).href } });
  }
}

// One request. The body of the answer is text or, when it is not UTF-8, bytes.
function send({ url, method, headers, body, timeout, signal }) {
  return new Promise((resolve, reject) => {
    if (signal && signal.aborted) return reject(signal.reason);
    let id;
    const aborted = () => {
      host.stop(id);
      reject(signal.reason);
    };
    const settle = (done) => (value) => {
      if (signal) signal.removeEventListener('abort', aborted);
      done(value);
    };
    const call = {
      url: String(url),
      method: String(method || 'GET'),
      headers: [...headers],
      body: body === undefined || body === null ? null
        : typeof body === 'string' ? { text: body.toWellFormed() } : { base64: Buffer.from(bytesOf(body)).toString('base64') },
      timeout_millis: timeout > 0 && timeout < 2 ** 31 ? Math.ceil(timeout) : null,
    };
    const read = (received) => {
      const { text, base64 } = received.body;
      resolve({ url: call.url, status: received.status, headers: received.headers, body: text === undefined ? Buffer.from(base64, 'base64') : text });
    };
    id = host.start({ fetch: call }, settle(read), settle(reject));
    if (signal) signal.addEventListener('abort', aborted, { once: true });
  });
}

// A request and up to `limit` redirects after it, as browsers follow them.
async function follow(request, limit) {
  let { url, method, headers, body } = request;
  headers = new Headers(headers);
  for (let count = 0; ; count++) {
    const received = await send({ ...request, url, method, headers, body });
    const location = [301, 302, 303, 307, 308].includes(received.status) && new Headers(received.headers).get('location');
    if (!location || limit === 0) return { ...received, redirected: count > 0 };
    if (count >= limit) throw Object.assign(new Error(`Maximum number of redirects exceeded (${limit})`), { code: 'ERR_FR_TOO_MANY_REDIRECTS' });
    const next = new URL(location, url);
    if (next.origin !== new URL(url).origin) for (const name of ['authorization', 'cookie']) headers.delete(name);
    if ((received.status === 303 && !/^(get|head)$/i.test(method)) || (received.status < 303 && /^post$/i.test(method))) {
      [method, body] = ['GET', null];
      for (const name of ['content-type', 'content-length', 'content-encoding']) headers.delete(name);
    }
    url = next.href;
  }
}

async function fetch(input, init) {
  // The host refuses it, and records that.
  const given = `${input && (input.href || input.url) ? input.href || input.url : input}`;
  if (!URL.canParse(given)) await send({ url: given, headers: [] }).catch((thrown) => Promise.reject(fail(thrown.message, thrown)));
  const request = new Request(input, init);
  const { url, method, headers, redirect, signal, timeout } = request;
  const limit = init && init.follow !== undefined ? init.follow : redirect === 'follow' ? 20 : 0;
  let received;
  try {
    received = await follow({ url, method, headers, body: content(request), signal, timeout }, limit);
  } catch (thrown) {
    if (signal && signal.aborted) throw thrown;
    throw fail(thrown.message, thrown);
  }
  if (redirect === 'error' && received.status >= 300 && received.status < 400 && new Headers(received.headers).has('location')) {
    throw fail(`fetch: ${url} redirects`);
  }
  const { status } = received;
  const empty = status === 204 || status === 304 || method === 'HEAD';
  const response = new Response(empty ? null : received.body, { status, statusText: TEXTS[status] || '', headers: received.headers });
  if (!received.headers.some(([name]) => name === 'content-type')) response.headers.delete('content-type');
  return Object.assign(response, { type: 'basic', url: received.url, redirected: received.redirected });
}

class FetchError extends Error {
  constructor(message, type, cause) {
    super(message);
    Object.assign(this, { name: 'FetchError', type, code: cause && cause.code, errno: cause && cause.code });
  }
}
// node-fetch 2: bodies are Node's streams, and its errors are its own.
async function nodeFetch(input, init) {
  let response;
  try {
    response = await fetch(input, init);
  } catch (thrown) {
    if (init && init.signal && init.signal.aborted) throw Object.assign(new Error('The user aborted a request.'), { name: 'AbortError', type: 'aborted' });
    throw new FetchError(`request to ${input && input.url ? input.url : input} failed, reason: ${thrown.message}`, 'system', thrown);
  }
  const chunk = response.body && Buffer.from(bytesOf(response.body.content));
  Object.defineProperty(response, 'body', { get: () => chunk && require('stream').Readable.from([chunk]), configurable: true });
  return response;
}
Object.assign(nodeFetch, { default: nodeFetch, Headers, Request, Response, FetchError, isRedirect: (status) => [301, 302, 303, 307, 308].includes(status) });

class Agent {
  close() {}
  destroy() {}
}
module.exports = {
  Headers, Blob, File, FormData, Request, Response, fetch, send, follow, extract, statusTexts: TEXTS, node_fetch: nodeFetch,
  undici: {
    fetch, Headers, Request, Response, FormData, File, Agent, ProxyAgent: Agent, setGlobalDispatcher() {}, getGlobalDispatcher: () => new Agent(),
    request: async (url, { method = 'GET', headers, body, query, signal, headersTimeout } = {}) => {
      const address = new URL(url);
      for (const [name, value] of Object.entries(query || {})) address.searchParams.append(name, value);
      const [own] = extract(body);
      const received = await send({ url: address, method, headers: new Headers(headers), body: own, signal, timeout: headersTimeout });
      const response = new Response(received.body, { status: received.status, headers: received.headers });
      return { statusCode: received.status, headers: Object.fromEntries(response.headers), trailers: {}, body: response };
    },
  },
};
