// request, request-promise and request-promise-native: url or uri, baseUrl, method, headers, qs, body, json, form, formData,
// auth, timeout, encoding, followRedirect, gzip. No streams, no cookie jar.
const { Headers, FormData, follow, send, extract } = require('fetch');
const { URLSearchParams } = require('url');

// As the package `qs` writes them: nested values in brackets.
function encode(values) {
  if (typeof values === 'string') return values;
  const params = new URLSearchParams();
  const add = (name, value) => {
    if (value === undefined) return;
    if (value instanceof Date) params.append(name, value.toISOString());
    else if (value !== null && typeof value === 'object') for (const key of Object.keys(value)) add(`${name}[${key}]`, value[key]);
    else params.append(name, value === null ? '' : value);
  };
  for (const name of Object.keys(values)) add(name, values[name]);
  return params.toString().replace(/\+/g, '%20');
}

function address(options) {
  const given = options.url || options.uri;
  if (!given && !options.baseUrl) throw new Error('options.uri is a required argument');
  let url = given.href || String(given);
  if (options.baseUrl) url = `${options.baseUrl.replace(/\/$/, '')}/${url.replace(/^\//, '')}`;
  if (!/^https?:/i.test(url)) throw new Error(`Invalid URI "${url}"`);
  const query = options.qs ? encode(options.qs) : '';
  return query ? `${url}${url.includes('?') ? '&' : '?'}${query}` : url;
}

function prepare(options) {
  const headers = new Headers();
  for (const [name, value] of Object.entries(options.headers || {})) if (value !== undefined) headers.set(name, value);
  const setDefault = (name, value) => headers.has(name) || headers.set(name, value);
  let body = options.body;
  if (options.form) {
    body = encode(options.form);
    setDefault('content-type', 'application/x-www-form-urlencoded');
  } else if (options.formData) {
    const form = new FormData();
    for (const [name, value] of Object.entries(options.formData)) for (const one of [value].flat()) form.append(name, one && one.value !== undefined ? one.value : one);
    const [bytes, type] = extract(form);
    body = bytes;
    headers.set('content-type', type);
  } else if (options.json) {
    if (options.json !== true) body = options.json;
    if (body !== undefined) {
      // As in `request`, a string body is taken for JSON text.
      if (typeof body !== 'string' || options.json !== true) body = JSON.stringify(body);
      setDefault('content-type', 'application/json');
    }
  }
  if (options.json) setDefault('accept', 'application/json');
  const { auth } = options;
  if (auth) {
    const bearer = typeof auth.bearer === 'function' ? auth.bearer() : auth.bearer;
    const basic = [auth.user || auth.username || '', auth.pass || auth.password || ''].join(':');
    headers.set('authorization', bearer !== undefined ? `Bearer ${bearer}` : `Basic ${Buffer.from(basic).toString('base64')}`);
  }
  return { url: address(options), method: options.method || 'GET', headers, body, timeout: options.timeout };
}

function read(received, options) {
  let { body } = received;
  if (options.encoding === null) body = Buffer.from(body);
  else if (typeof body !== 'string') body = body.toString(options.encoding || 'utf8');
  if (options.json && typeof body === 'string') {
    try {
      body = JSON.parse(body, options.jsonReviver);
    } catch {
      // As in `request`: if it is not JSON, keep the text.
    }
  }
  return {
    statusCode: received.status, statusMessage: require('fetch').statusTexts[received.status], body, request: { uri: { href: received.url } },
    headers: Object.fromEntries(new Headers(received.headers)), toJSON() { return { statusCode: this.statusCode, body: this.body, headers: this.headers }; },
  };
}

async function run(options) {
  const prepared = prepare(options);
  const follows = options.followRedirect !== false && (options.followAllRedirects || /^(get|head|options)$/i.test(prepared.method));
  return read(await (follows ? follow(prepared, options.maxRedirects ?? 10) : send(prepared)), options);
}

// The handle that request() returns: its events, and nothing to write to.
function start(options, callback) {
  const handle = new (require('events'))();
  const done = run(options);
  done.then(
    (response) => host.invoke(() => {
      handle.emit('response', response);
      if (callback) callback(null, response, response.body);
      handle.emit('complete', response, response.body);
    }),
    (error) => host.invoke(() => {
      if (callback) callback(error);
      else if (handle.listenerCount('error')) handle.emit('error', error);
    }),
  );
  handle.done = done;
  handle.abort = () => undefined;
  return handle;
}

class StatusCodeError extends Error {
  constructor(statusCode, body, options, response) {
    super(`${statusCode} - ${typeof body === 'string' ? body : JSON.stringify(body)}`);
    Object.assign(this, { name: 'StatusCodeError', statusCode, error: body, options, response });
  }
}
class RequestError extends Error {
  constructor(cause, options) {
    super(`${cause}`);
    Object.assign(this, { name: 'RequestError', cause, error: cause, options, code: cause.code });
  }
}

function promise(options, callback) {
  const settled = start(options, callback).done.then(
    (response) => {
      if (options.simple !== false && !/^2/.test(`${response.statusCode}`)) throw new StatusCodeError(response.statusCode, response.body, options, response);
      if (typeof options.transform === 'function') return options.transform(response.body, response, options.resolveWithFullResponse);
      return options.resolveWithFullResponse ? response : response.body;
    },
    (error) => {
      throw new RequestError(error, options);
    },
  );
  return Object.assign(settled, { promise: () => settled });
}

function build(defaults, send) {
  const merge = (method, given) => {
    const callback = given.find((value) => typeof value === 'function');
    const [first, second] = given;
    const own = typeof first === 'string' || first instanceof URL ? { url: first } : first || {};
    const more = second !== null && typeof second === 'object' ? second : {};
    const headers = { ...defaults.headers, ...own.headers, ...more.headers };
    const options = { ...defaults, ...own, ...more, headers };
    if (method) options.method = method;
    return send(options, callback || options.callback);
  };
  const request = (...given) => merge(undefined, given);
  for (const method of ['get', 'head', 'post', 'put', 'patch', 'delete', 'options']) {
    request[method] = (...given) => merge(method.toUpperCase(), given);
  }
  request.del = request.delete;
  request.defaults = (more) => build({ ...defaults, ...more, headers: { ...defaults.headers, ...(more || {}).headers } }, send);
  request.jar = () => ({});
  request.cookie = (text) => text;
  return request;
}

module.exports = build({}, start);
module.exports.promised = Object.assign(build({}, promise), { errors: undefined });
module.exports.promised.errors = { StatusCodeError, RequestError };
