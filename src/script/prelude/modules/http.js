// http and https: request and get. The request is sent when it ends, and the response is in memory. No server, no agent.
const { Readable, Writable } = require('stream');
const { Headers, send, statusTexts } = require('fetch');
const { URL, urlToHttpOptions } = require('url');

class IncomingMessage extends Readable {
  constructor({ status, headers, body }) {
    super();
    const all = new Headers(headers);
    const cookies = all.getSetCookie();
    Object.assign(this, {
      statusCode: status, statusMessage: statusTexts[status] || '', httpVersion: '1.1', rawHeaders: headers.flat(), complete: true,
      headers: { ...Object.fromEntries(all), ...(cookies.length && { 'set-cookie': cookies }) }, socket: {}, trailers: {},
    });
    if (body.length) this.push(body);
    this.push(null);
  }
  setTimeout() {
    return this;
  }
}

class ClientRequest extends Writable {
  #parts = [];
  #headers = new Headers();
  #controller = new AbortController();

  constructor(options, callback) {
    super();
    this.options = options;
    const method = `${options.method || 'GET'}`.toUpperCase();
    Object.assign(this, { method, path: options.path || '/', host: options.hostname || options.host || 'localhost', socket: {}, aborted: false });
    for (const [name, value] of Object.entries(options.headers || {})) if (value !== undefined) this.setHeader(name, value);
    if (options.auth) this.setHeader('authorization', `Basic ${Buffer.from(options.auth).toString('base64')}`);
    if (callback) this.once('response', callback);
    if (options.signal) options.signal.addEventListener('abort', () => this.destroy(options.signal.reason), { once: true });
  }
  setHeader(name, value) {
    this.#headers.delete(name);
    for (const one of [value].flat()) this.#headers.append(name, one);
    return this;
  }
  getHeader(name) {
    return this.#headers.get(name) ?? undefined;
  }
  getHeaders() {
    return Object.fromEntries(this.#headers);
  }
  hasHeader(name) {
    return this.#headers.has(name);
  }
  removeHeader(name) {
    this.#headers.delete(name);
  }
  setTimeout(millis, callback) {
    this.options.timeout = millis;
    if (callback) this.once('timeout', callback);
    return this;
  }
  setNoDelay() {}
  setSocketKeepAlive() {}
  flushHeaders() {}
  abort() {
    this.aborted = true;
    return this.destroy();
  }
  _destroy(error, close) {
    this.#controller.abort();
    close(error || Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }));
  }
  _write(chunk, encoding, done) {
    this.#parts.push(chunk);
    done();
  }
  _final(done) {
    const { protocol, port, timeout } = this.options;
    const name = this.host.includes(':') && !this.host.startsWith('[') ? `[${this.host}]` : this.host;
    const url = `${protocol}//${name}${port ? `:${port}` : ''}${this.path}`;
    const body = this.#parts.length ? Buffer.concat(this.#parts) : null;
    const text = body && require('buffer').isUtf8(body) ? body.toString() : body;
    send({ url, method: this.method, headers: this.#headers, body: text, timeout, signal: this.#controller.signal }).then(
      (received) => host.invoke(() => {
        const message = new IncomingMessage({ ...received, body: typeof received.body === 'string' ? Buffer.from(received.body) : received.body });
        message.req = this;
        this.res = message;
        if (!this.emit('response', message)) message.resume();
      }),
      (error) => host.invoke(() => {
        if (this.destroyed) return;
        if (error.code === 'ETIMEDOUT' && this.listenerCount('timeout')) this.emit('timeout');
        if (!this.destroyed) this.emit('error', error);
      }),
    );
    done();
  }
}

function build(protocol) {
  const options = (first, second) => {
    const given = typeof first === 'string' ? urlToHttpOptions(new URL(first)) : first instanceof URL ? urlToHttpOptions(first) : { ...first };
    const merged = { ...given, ...(typeof second === 'object' ? second : {}) };
    merged.protocol ||= protocol;
    if (!merged.hostname && merged.host) {
      const [, name, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(merged.host) || [, merged.host];
      Object.assign(merged, { hostname: name }, port && !merged.port ? { port } : {});
    }
    return merged;
  };
  const request = (first, second, third) => {
    const callback = [second, third].find((value) => typeof value === 'function');
    return new ClientRequest(options(first, second), callback);
  };
  const get = (...values) => {
    const sent = request(...values);
    sent.end();
    return sent;
  };
  class Agent {
    constructor(own) {
      this.options = own || {};
    }
    destroy() {}
  }
  return {
    request, get, Agent, ClientRequest, IncomingMessage, globalAgent: new Agent(), METHODS: ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'],
    STATUS_CODES: statusTexts, maxHeaderSize: 16384,
    createServer: () => {
      throw Object.assign(new Error(`${protocol.slice(0, -1)}.createServer is not available: a script has no server`), { code: 'ERR_NOT_AVAILABLE' });
    },
  };
}
module.exports = { ...build('http:'), https: build('https:') };
