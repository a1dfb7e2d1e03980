// URL and URLSearchParams, to read URLs and build queries. The host parses.
(function (host) {
  'use strict';
  const { parse } = JSON;
  const PARTS = ['origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'hash'];

  const encode = (text) =>
    encodeURIComponent(String(text).toWellFormed())
      .replace(/%20/g, '+')
      .replace(/[!'()~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

  const decode = (text) => {
    const spaced = text.replace(/\+/g, ' ');
    try {
      return decodeURIComponent(spaced);
    } catch {
      return spaced;
    }
  };

  class URLSearchParams {
    #pairs = [];

    constructor(init) {
      if (init === undefined || init === null) return;
      if (typeof init === 'object') {
        const pairs = typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init);
        for (const [name, value] of pairs) this.append(name, value);
        return;
      }
      for (const pair of String(init).replace(/^\?/, '').split('&')) {
        if (!pair) continue;
        const [name, ...rest] = pair.split('=');
        this.append(decode(name), decode(rest.join('=')));
      }
    }

    append(name, value) {
      this.#pairs.push([String(name), String(value)]);
    }
    delete(name) {
      this.#pairs = this.#pairs.filter(([key]) => key !== String(name));
    }
    get(name) {
      const found = this.#pairs.find(([key]) => key === String(name));
      return found ? found[1] : null;
    }
    getAll(name) {
      return this.#pairs.filter(([key]) => key === String(name)).map(([, value]) => value);
    }
    has(name) {
      return this.#pairs.some(([key]) => key === String(name));
    }
    set(name, value) {
      const index = this.#pairs.findIndex(([key]) => key === String(name));
      if (index < 0) return this.append(name, value);
      this.#pairs[index] = [String(name), String(value)];
      this.#pairs = this.#pairs.filter(([key], at) => at <= index || key !== String(name));
    }
    forEach(callback) {
      for (const [name, value] of this) callback(value, name, this);
    }
    *keys() {
      for (const [name] of this.#pairs) yield name;
    }
    *values() {
      for (const [, value] of this.#pairs) yield value;
    }
    *entries() {
      for (const [name, value] of this.#pairs) yield [name, value];
    }
    [Symbol.iterator]() {
      return this.entries();
    }
    toString() {
      return this.#pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
    }
  }

  // Only the query can change, through searchParams.
  class URL {
    #parts;
    #read;

    constructor(text, base) {
      const parts = host.url(String(text), base === undefined ? undefined : String(base));
      if (!parts) throw new TypeError(`"${text}" is not a URL`);
      this.#parts = parse(parts);
      this.searchParams = new URLSearchParams(this.#parts.search);
      this.#read = this.searchParams.toString();
    }
    get search() {
      const query = this.searchParams.toString();
      if (query === this.#read) return this.#parts.search;
      return query ? `?${query}` : '';
    }
    get href() {
      const query = this.searchParams.toString();
      if (query === this.#read) return this.#parts.href;
      const [address] = this.#parts.href.split(/[?#]/);
      return address + this.search + this.#parts.hash;
    }
    toString() {
      return this.href;
    }
    toJSON() {
      return this.href;
    }
    static #part(url, name) {
      return url.#parts[name];
    }
    static {
      for (const name of PARTS) {
        Object.defineProperty(URL.prototype, name, { get() { return URL.#part(this, name); }, configurable: true });
      }
    }
  }

  host.define('URL', URL);
  host.define('URLSearchParams', URLSearchParams);
  host.modules.url = { URL, URLSearchParams };
  host.URLSearchParams = URLSearchParams;
})
