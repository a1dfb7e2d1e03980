// axios: requests, instances, interceptors, transforms, timeouts, cancellation and errors, over the host's fetch.
const { Headers, FormData, Blob, extract, follow, statusTexts } = require('fetch');
const { URLSearchParams } = require('url');
const plain = (value) => {
  const prototype = value !== null && typeof value === 'object' && Object.getPrototypeOf(value);
  return prototype === null || (prototype && Object.getPrototypeOf(prototype) === null);
};

class AxiosError extends Error {
  constructor(message, code, config, request, response) {
    super(message);
    Object.assign(this, { name: 'AxiosError', isAxiosError: true, code, config, request, response });
    if (response) this.status = response.status;
  }
  toJSON() {
    const { message, name, stack, config, code, status = null } = this;
    return { message, name, stack, config, code, status };
  }
  static from(error, code, config, request, response) {
    return Object.assign(new AxiosError(error.message, code || error.code, config, request, response), { cause: error });
  }
}
for (const code of ['ERR_BAD_OPTION', 'ERR_BAD_REQUEST', 'ERR_BAD_RESPONSE', 'ERR_CANCELED', 'ERR_NETWORK', 'ECONNABORTED', 'ETIMEDOUT', 'ERR_FR_TOO_MANY_REDIRECTS']) AxiosError[code] = code;
class CanceledError extends AxiosError {
  constructor(message = 'canceled', config, request) {
    super(message, 'ERR_CANCELED', config, request);
    Object.assign(this, { name: 'CanceledError', __CANCEL__: true });
  }
}

// Headers that can be read as a plain object, in any case, and with axios' own methods.
class AxiosHeaders {
  constructor(...sources) {
    for (const source of sources) this.set(source);
  }
  #key(name) {
    const lower = `${name}`.toLowerCase();
    return Object.keys(this).find((key) => key.toLowerCase() === lower) || name;
  }
  set(name, value) {
    if (name === undefined || name === null) return this;
    if (typeof name === 'object') for (const [key, one] of typeof name[Symbol.iterator] === 'function' ? name : Object.entries(name)) this.set(key, one);
    else if (value !== undefined && value !== null && typeof value !== 'function') this[this.#key(name)] = value === false ? value : Array.isArray(value) ? value : `${value}`;
    return this;
  }
  get(name) {
    return this[this.#key(name)];
  }
  has(name) {
    return this.get(name) !== undefined;
  }
  delete(name) {
    return delete this[this.#key(name)];
  }
  toJSON() {
    return { ...this };
  }
  concat(...more) {
    return new AxiosHeaders(this, ...more);
  }
  setContentType(value, keep) {
    return keep === false && this.has('content-type') ? this : this.set('Content-Type', value);
  }
  getContentType() {
    return this.get('content-type');
  }
  setAuthorization(value) {
    return this.set('Authorization', value);
  }
  static from(source) {
    return source instanceof AxiosHeaders ? source : new AxiosHeaders(source);
  }
}

function query(params, serializer) {
  if (!params) return '';
  if (typeof serializer === 'function') return serializer(params);
  if (serializer && typeof serializer.serialize === 'function') return serializer.serialize(params);
  if (params instanceof URLSearchParams) return params.toString();
  const pairs = [];
  const encode = (text) => encodeURIComponent(text).replace(/%3A/gi, ':').replace(/%24/g, '$').replace(/%2C/gi, ',').replace(/%20/g, '+');
  const add = (name, value) => {
    if (value === null || value === undefined) return;
    if (Array.isArray(value)) for (const [at, one] of value.entries()) add(`${name}[${one !== null && typeof one === 'object' ? at : ''}]`, one);
    else if (value instanceof Date) pairs.push([name, value.toISOString()]);
    else if (typeof value === 'object') for (const key of Object.keys(value)) add(`${name}[${key}]`, value[key]);
    else pairs.push([name, value]);
  };
  for (const name of Object.keys(params)) add(name, params[name]);
  return pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
}

function getUri(config) {
  let url = config.url || '';
  if (config.baseURL && (config.allowAbsoluteUrls === false || !/^([a-z][a-z\d+\-.]*:)?\/\//i.test(url))) {
    url = url ? `${config.baseURL.replace(/\/?\/$/, '')}/${url.replace(/^\/+/, '')}` : config.baseURL;
  }
  const text = query(config.params, config.paramsSerializer);
  if (!text) return url;
  const [address] = url.split('#');
  return address + (address.includes('?') ? '&' : '?') + text;
}

// axios' own transformRequest: the body as text or bytes, and its content type.
function serialize(data, headers) {
  if (data === undefined || data === null || typeof data === 'function') return data;
  const type = `${headers.getContentType() || ''}`;
  if (plain(data) || Array.isArray(data) || (type.includes('application/json') && !(data instanceof FormData))) {
    if (type.includes('application/x-www-form-urlencoded') && typeof data === 'object') return query(data);
    if (type.includes('multipart/form-data') && typeof data === 'object') return toFormData(data);
    headers.setContentType('application/json', false);
    if (typeof data === 'string') {
      try {
        JSON.parse(data);
        return data.trim();
      } catch {
        return JSON.stringify(data);
      }
    }
    return JSON.stringify(data);
  }
  if (data instanceof URLSearchParams) headers.setContentType('application/x-www-form-urlencoded;charset=utf-8', false);
  return data instanceof URLSearchParams ? data.toString() : data;
}
function toFormData(values, form = new FormData()) {
  for (const [name, value] of Object.entries(values)) for (const one of [value].flat()) form.append(name, one !== null && typeof one === 'object' && !(one instanceof Blob) ? JSON.stringify(one) : one);
  return form;
}

function deserialize(data, headers, status) {
  if (typeof data !== 'string' || !data || (this.responseType && this.responseType !== 'json')) return data;
  const strict = this.responseType === 'json' && !(this.transitional && this.transitional.silentJSONParsing);
  try {
    return JSON.parse(data);
  } catch (thrown) {
    if (strict) throw AxiosError.from(thrown, 'ERR_BAD_RESPONSE', this, null, this.response);
    return data;
  }
}

const apply = (transforms, config, data, headers, status) => [transforms].flat().filter(Boolean).reduce((value, transform) => transform.call(config, value, headers, status), data);

async function dispatch(config) {
  const canceled = () => new CanceledError(config.cancelToken && config.cancelToken.reason ? config.cancelToken.reason.message : undefined, config);
  if ((config.signal && config.signal.aborted) || (config.cancelToken && config.cancelToken.reason)) throw canceled();
  const { headers } = config;
  const [body, type] = (() => {
    const own = apply(config.transformRequest, config, config.data, headers);
    return own instanceof FormData || own instanceof Blob ? extract(own) : [own === undefined || own === null ? null : typeof own === 'object' ? extract(own)[0] : `${own}`, null];
  })();
  if (type) headers.setContentType(type);
  if (body === null) headers.delete('content-type');
  else headers.setContentType('application/x-www-form-urlencoded', false);
  if (config.auth) headers.set('Authorization', `Basic ${Buffer.from(`${config.auth.username || ''}:${config.auth.password || ''}`).toString('base64')}`);
  const sent = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    // Of names that differ in case only, the last counts.
    sent.delete(name);
    if (value !== false) for (const one of [value].flat()) sent.append(name, one);
  }
  const request = { method: config.method.toUpperCase(), path: getUri(config) };
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (config.signal) config.signal.addEventListener('abort', abort);
  if (config.cancelToken) config.cancelToken.promise.then(abort);
  let received;
  try {
    received = await follow({ url: request.path, method: request.method, headers: sent, body, timeout: config.timeout, signal: controller.signal }, config.maxRedirects ?? 5);
  } catch (thrown) {
    if (controller.signal.aborted) throw canceled();
    if (thrown.code === 'ETIMEDOUT' && config.timeout) {
      throw new AxiosError(config.timeoutErrorMessage || `timeout of ${config.timeout}ms exceeded`, 'ECONNABORTED', config, request);
    }
    throw AxiosError.from(thrown, thrown.code === 'EFETCH' ? 'ECONNREFUSED' : thrown.code, config, request);
  } finally {
    if (config.signal) config.signal.removeEventListener('abort', abort);
  }
  let data = received.body;
  if (config.responseType === 'arraybuffer') data = Buffer.from(data);
  else if (config.responseType === 'stream') data = require('stream').Readable.from([Buffer.from(data)]);
  else if (config.responseType === 'blob') data = new Blob([data]);
  else if (typeof data !== 'string') data = data.toString();
  const { status } = received;
  const answered = new Headers(received.headers);
  const cookies = answered.getSetCookie();
  const response = { data, status, statusText: statusTexts[status] || '', headers: new AxiosHeaders(answered, cookies.length ? { 'set-cookie': cookies } : {}), config, request };
  request.res = { responseUrl: received.url };
  response.data = apply(config.transformResponse, config, data, response.headers, status);
  const isValid = config.validateStatus;
  if (!status || !isValid || isValid(status)) return response;
  const code = status >= 500 ? 'ERR_BAD_RESPONSE' : 'ERR_BAD_REQUEST';
  throw new AxiosError(`Request failed with status code ${status}`, code, config, request, response);
}

class Interceptors {
  handlers = [];
  use(fulfilled, rejected, options) {
    return this.handlers.push({ fulfilled, rejected, ...options }) - 1;
  }
  eject(at) {
    if (this.handlers[at]) this.handlers[at] = null;
  }
  clear() {
    this.handlers = [];
  }
}

function mergeConfig(a, b = {}) {
  const merged = { ...a };
  for (const [key, value] of Object.entries(b)) {
    if (value !== undefined) merged[key] = key !== 'data' && plain(value) && plain(merged[key]) ? mergeConfig(merged[key], value) : value;
  }
  return merged;
}

const METHODS = ['common', 'delete', 'get', 'head', 'post', 'put', 'patch', 'options'];
function build(defaults) {
  const interceptors = { request: new Interceptors(), response: new Interceptors() };
  const request = (first, second) => {
    const given = typeof first === 'string' ? { ...second, url: first } : first || {};
    const config = mergeConfig(axios.defaults, given);
    config.method = `${config.method || 'get'}`.toLowerCase();
    const shared = axios.defaults.headers || {};
    const own = Object.fromEntries(Object.entries(shared).filter(([name]) => !METHODS.includes(name)));
    config.headers = new AxiosHeaders(shared.common, shared[config.method], own, given.headers);
    const before = interceptors.request.handlers.filter((one) => one && (!one.runWhen || one.runWhen(config))).reverse();
    let chain = Promise.resolve(config);
    for (const { fulfilled, rejected } of before) chain = chain.then(fulfilled, rejected);
    chain = chain.then((ready) => dispatch({ ...ready, headers: AxiosHeaders.from(ready.headers) }));
    for (const one of interceptors.response.handlers) if (one) chain = chain.then(one.fulfilled, one.rejected);
    return chain;
  };
  const axios = (first, second) => request(first, second);
  Object.assign(axios, { defaults, interceptors, request, getUri: (config) => getUri(mergeConfig(axios.defaults, config)) });
  for (const method of ['get', 'head', 'delete', 'options']) axios[method] = (url, config) => request({ ...config, method, url });
  for (const method of ['post', 'put', 'patch']) {
    axios[method] = (url, data, config) => request({ ...config, method, url, data });
    axios[`${method}Form`] = (url, data, config = {}) => request({ ...config, method, url, data, headers: { ...config.headers, 'Content-Type': 'multipart/form-data' } });
  }
  axios.create = (more) => build(mergeConfig(axios.defaults, more));
  return axios;
}

class CancelToken {
  constructor(executor) {
    this.promise = new Promise((resolve) => executor((message) => {
      if (!this.reason) resolve((this.reason = new CanceledError(message)));
    }));
  }
  throwIfRequested() {
    if (this.reason) throw this.reason;
  }
  static source() {
    let cancel;
    return { token: new CancelToken((own) => (cancel = own)), cancel };
  }
}

const axios = build({
  transitional: { silentJSONParsing: true, forcedJSONParsing: true, clarifyTimeoutError: false }, adapter: 'http',
  transformRequest: [serialize], transformResponse: [deserialize], timeout: 0, maxContentLength: -1, maxBodyLength: -1,
  validateStatus: (status) => status >= 200 && status < 300,
  headers: { common: { Accept: 'application/json, text/plain, */*' }, delete: {}, get: {}, head: {}, post: {}, put: {}, patch: {} },
});
module.exports = Object.assign(axios, {
  default: axios, axios, Axios: axios, AxiosError, AxiosHeaders, CanceledError, Cancel: CanceledError, CancelToken, VERSION: '1.7.9', mergeConfig, toFormData,
  isAxiosError: (value) => Boolean(value && value.isAxiosError), isCancel: (value) => Boolean(value && value.__CANCEL__),
  all: (promises) => Promise.all(promises), spread: (callback) => (values) => callback(...values),
  HttpStatusCode: { Ok: 200, Created: 201, NoContent: 204, BadRequest: 400, Unauthorized: 401, Forbidden: 403, NotFound: 404, InternalServerError: 500 },
});
