// request: the npm package of that name, which most rules were written with. As much of it as they use: url or uri,
// baseUrl, method, headers, qs, body, json, form, auth (bearer, or user and pass) and timeout; the callback gets
// (error, response, body). No streams, no cookies, no redirects.
(function (kit) {
  'use strict';
  const { parse, stringify } = JSON;

  function encode(values) {
    return typeof values === 'string' ? values : new kit.URLSearchParams(
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
    const headers = new kit.Headers();
    for (const [name, value] of Object.entries(options.headers || {})) {
      if (value !== undefined) headers.set(name, value);
    }
    const unless = (name, value) => headers.has(name) || headers.set(name, value);
    let body = options.body;
    if (options.form) {
      body = encode(options.form);
      unless('content-type', 'application/x-www-form-urlencoded');
    } else if (options.json) {
      if (options.json !== true) body = options.json;
      if (body !== undefined) {
        // A string is taken for JSON text when it came as the body, as `request` does.
        if (typeof body !== 'string' || options.json !== true) body = stringify(body);
        unless('content-type', 'application/json');
      }
    }
    if (options.json) unless('accept', 'application/json');
    const auth = options.auth;
    if (auth) {
      const bearer = typeof auth.bearer === 'function' ? auth.bearer() : auth.bearer;
      const basic = [auth.user || auth.username || '', auth.pass || auth.password || ''].join(':');
      headers.set('authorization', bearer ? `Bearer ${bearer}` : `Basic ${Buffer.from(basic).toString('base64')}`);
    }
    return { url: address(options), method: options.method, headers, body, timeout: options.timeout };
  }

  function read(answer, json) {
    let body = answer.body;
    if (json) {
      try {
        body = parse(body);
      } catch {
        // `request` hands on the text of what is not JSON.
      }
    }
    const headers = Object.fromEntries(new kit.Headers(answer.headers));
    return { statusCode: answer.status, headers, body };
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
    const tell = (...values) => {
      const heard = callback || options.callback;
      if (heard) kit.invoke(heard, ...values);
    };
    const go = async () => kit.http(prepare(options));
    go().then(
      (answer) => {
        const response = read(answer, options.json);
        tell(null, response, response.body);
      },
      (error) => tell(error),
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
  kit.define('request', request);
  kit.modules.request = request;
})
