// The part of axios that rules use: axios(config), axios(url, config), the methods by name, axios.create; with url,
// baseURL, method, headers, params, data, auth and timeout. A response outside 2xx rejects, with error.response.
(function (host) {
  'use strict';
  const { parse, stringify } = JSON;

  function prepare(config) {
    const headers = new host.Headers();
    headers.set('accept', 'application/json, text/plain, */*');
    for (const [name, value] of Object.entries(config.headers || {})) {
      if (value !== undefined) headers.set(name, value);
    }
    let body = config.data;
    if (body instanceof host.URLSearchParams) {
      if (!headers.has('content-type')) headers.set('content-type', 'application/x-www-form-urlencoded');
    } else if (body !== undefined && body !== null && typeof body !== 'string') {
      body = stringify(body);
      if (!headers.has('content-type')) headers.set('content-type', 'application/json');
    }
    if (config.auth) {
      const basic = Buffer.from(`${config.auth.username}:${config.auth.password}`).toString('base64');
      headers.set('authorization', `Basic ${basic}`);
    }
    let url = String(config.url || '');
    if (config.baseURL && !/^https?:/i.test(url)) {
      url = `${config.baseURL.replace(/\/$/, '')}/${url.replace(/^\//, '')}`;
    }
    const query = config.params ? new host.URLSearchParams(config.params).toString() : '';
    if (query) url += (url.includes('?') ? '&' : '?') + query;
    return { url, method: config.method, headers, body, timeout: config.timeout };
  }

  async function send(config) {
    const received = await host.http(prepare(config));
    let data = received.body;
    try {
      data = parse(data);
    } catch {
      // Not JSON: keep the text.
    }
    const headers = Object.fromEntries(new host.Headers(received.headers));
    const response = { data, status: received.status, headers, config };
    if (received.status >= 200 && received.status < 300) return response;
    throw Object.assign(new Error(`Request failed with status code ${received.status}`), { response, config });
  }

  function build(defaults) {
    const merge = (config, more) =>
      Object.assign({}, defaults, config, more, { headers: Object.assign({}, defaults.headers, (config || {}).headers) });
    const axios = (first, config) =>
      send(typeof first === 'string' ? merge(config, { url: first }) : merge(first));
    axios.request = (config) => send(merge(config));
    for (const method of ['get', 'head', 'delete', 'options']) {
      axios[method] = (url, config) => send(merge(config, { url, method }));
    }
    for (const method of ['post', 'put', 'patch']) {
      axios[method] = (url, data, config) => send(merge(config, { url, method, data }));
    }
    axios.create = (more) => build(merge(more));
    return axios;
  }

  const axios = build({});
  axios.default = axios;
  host.modules.axios = axios;
})
