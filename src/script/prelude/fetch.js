// fetch. The host sends the request if the origin is in tenant.allow_fetch. Redirects are not followed: the response is
// the 3xx. Bodies are text.
(function (host) {
  'use strict';
  const { parse } = JSON;

  class Headers {
    #all = new Map();

    constructor(init) {
      const pairs = init && typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init || {});
      for (const [name, value] of pairs) this.append(name, value);
    }
    append(name, value) {
      const key = String(name).toLowerCase();
      this.#all.set(key, this.#all.has(key) ? `${this.#all.get(key)}, ${value}` : String(value));
    }
    set(name, value) {
      this.#all.set(String(name).toLowerCase(), String(value));
    }
    get(name) {
      const value = this.#all.get(String(name).toLowerCase());
      return value === undefined ? null : value;
    }
    has(name) {
      return this.#all.has(String(name).toLowerCase());
    }
    delete(name) {
      this.#all.delete(String(name).toLowerCase());
    }
    forEach(callback) {
      for (const [name, value] of this) callback(value, name, this);
    }
    keys() {
      return this.#all.keys();
    }
    values() {
      return this.#all.values();
    }
    entries() {
      return this.#all.entries();
    }
    [Symbol.iterator]() {
      return this.#all.entries();
    }
  }

  class Response {
    #body;

    constructor(url, { status, headers, body }) {
      this.url = url;
      this.status = status;
      this.ok = status >= 200 && status < 300;
      this.headers = new Headers(headers);
      this.#body = body;
    }
    async text() {
      return this.#body;
    }
    async json() {
      return parse(this.#body);
    }
  }

  // Sends a request for fetch, request and axios.
  host.http = async ({ url, method, headers, body, timeout }) => {
    const call = {
      url: String(url),
      method: String(method || 'GET'),
      headers: [...headers],
      body: body === undefined || body === null ? null : String(body),
      timeout_millis: timeout > 0 && timeout < 2 ** 31 ? Math.ceil(timeout) : null,
    };
    return host.ask({ fetch: call });
  };

  async function fetch(url, options = {}) {
    const headers = new Headers(options.headers);
    if (!headers.has('content-type')) {
      if (options.body instanceof host.URLSearchParams) {
        headers.set('content-type', 'application/x-www-form-urlencoded;charset=UTF-8');
      } else if (typeof options.body === 'string') {
        headers.set('content-type', 'text/plain;charset=UTF-8');
      }
    }
    const received = await host.http({ url, method: options.method, headers, body: options.body });
    return new Response(String(url), received);
  }

  host.Headers = Headers;
  host.define('fetch', fetch);
  host.define('Headers', Headers);
})
