// The part of the npm package `request` that rules use: url or uri,
// baseUrl, method, headers, qs, body, json, form, auth (bearer, or user and pass) and timeout; the callback gets
// (error, response, body). No streams, no cookies, no redirects.
(function (host) {
  'use strict';
  const { parse, stringify } = JSON;

  function encode(values) {
    return typeof values === 'string' ? values : new host.URLSearchParams(
      Object.entries(values).flatMap(([name, value]) => [value].flat().map((one) => [name, one === null ? '' : one])),
    ).toString();
  }

  function address(options) {
    const given = options.url || options.uri;
    if (!given) throw new Error('options.uri is a required argument');
    let url = given.href || String(given);
    if (options.baseUrl) url = `${options.baseUrl.replace(/\/$/, '')}/${url.replace(/^\//, '')}`;
    const query = options.qs ? encode(options.qs) : '';
    return query ? `${url}${url.includes('?') ? '&' : '?'}${query}` : url;
  }

  function prepare(options) {
    const headers = new host.Headers();
    for (const [name, value] of Object.entries(options.headers || {})) {
      if (value !== undefined) headers.set(name, value);
    }
    const setDefault = (name, value) => headers.has(name) || headers.set(name, value);
    let body = options.body;
    if (options.form) {
      body = encode(options.form);
      setDefault('content-type', 'application/x-www-form-urlencoded');
    } else if (options.json) {
      if (options.json !== true) body = options.json;
      if (body !== undefined) {
        // As in `request`, a string body is taken for JSON text.
        if (typeof body !== 'string' || options.json !== true) body = stringify(body);
        setDefault('content-type', 'application/json');
      }
    }
    if (options.json) setDefault('accept', 'application/json');
    const auth = options.auth;
    if (auth) {
      const bearer = typeof auth.bearer === 'function' ? auth.bearer() : auth.bearer;
      const basic = [auth.user || auth.username || '', auth.pass || auth.password || ''].join(':');
      headers.set('authorization', bearer ? `Bearer ${bearer}` : `Basic ${Buffer.from(basic).toString('base64')}`);
    }
    return { url: address(options), method: options.method, headers, body, timeout: options.timeout };
  }

  function read(received, json) {
    let body = received.body;
    if (json) {
      try {
        body = parse(body);
      } catch {
        // As in `request`: if it is not JSON, keep the text.
      }
    }
    const headers = Object.fromEntries(new host.Headers(received.headers));
    return { statusCode: received.status, headers, body };
  }

  function send(method, given) {
    const callback = given.find((value) => typeof value === 'function');
    const [first, second] = given;
    const options = Object.assign(
      {},
      typeof first === 'string' || first instanceof URL ? { url: first } : first,
      second !== null && typeof second === 'object' && second !== first ? second : {},
    );
    if (method) options.method = method;
    const done = (...values) => {
      const target = callback || options.callback;
      if (target) host.invoke(target, ...values);
    };
    const send = async () => host.http(prepare(options));
    send().then(
      (received) => {
        const response = read(received, options.json);
        done(null, response, response.body);
      },
      (error) => done(error),
    );
  }

  function build(defaults) {
    const merge = (given) => {
      const [first, ...rest] = given;
      const own = typeof first === 'string' || first instanceof URL ? { url: first } : first || {};
      const headers = Object.assign({}, defaults.headers, own.headers);
      return [Object.assign({}, defaults, own, { headers }), ...rest];
    };
    const request = (...given) => send(undefined, merge(given));
    for (const method of ['get', 'head', 'post', 'put', 'patch', 'delete', 'options']) {
      request[method] = (...given) => send(method.toUpperCase(), merge(given));
    }
    request.del = request.delete;
    request.defaults = (more) => build(Object.assign({}, defaults, more));
    return request;
  }

  const request = build({});
  host.define('request', request);
  host.modules.request = request;
})
