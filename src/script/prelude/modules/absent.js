// Node's modules for files, sockets, processes and threads, which scripts do not have. They load, so that packages with an
// optional use of them load; a call names what is missing.
const REASON = {
  __proto__: null, child_process: 'processes', cluster: 'processes', worker_threads: 'threads', vm: 'other contexts',
  net: 'sockets; use fetch, http or https', tls: 'sockets; use fetch or https', dgram: 'sockets', dns: 'DNS', http2: 'HTTP/2; use fetch',
  fs: 'files', readline: 'a terminal', tty: 'a terminal', inspector: 'a debugger', 'stream/web': 'web streams', repl: 'a terminal',
};
// Packages may read their own text files.
const file = (path) => {
  const [found, , source] = `${path}`.startsWith('/node_modules/') ? host.readFile(`${path}`) : [];
  return found ? source : undefined;
};
function read(path, options) {
  const text = file(path);
  if (text === undefined) {
    const message = `ENOENT: no such file or directory, open '${path}' (scripts have no files but those of their packages)`;
    throw Object.assign(new Error(message), { code: 'ENOENT', errno: -2, syscall: 'open', path });
  }
  const encoding = typeof options === 'string' ? options : options && options.encoding;
  return encoding ? text : Buffer.from(text);
}
// A channel that no one listens to.
const SILENT = { hasSubscribers: false, subscribe() {}, unsubscribe: () => false };
const PARTS = {
  __proto__: null,
  tty: { isatty: () => false },
  fs: {
    constants: {}, existsSync: (path) => file(path) !== undefined, readFileSync: read,
    readFile: host.either(read),
    promises: { readFile: async (path, options) => read(path, options) },
  },
  'fs/promises': { readFile: async (path, options) => read(path, options) },
  worker_threads: { isMainThread: true, parentPort: null, workerData: null, threadId: 0 },
  diagnostics_channel: {
    channel: (name) => ({ ...SILENT, name, publish() {}, bindStore() {}, runStores: (data, run, self, ...values) => run.apply(self, values) }),
    hasSubscribers: () => false, subscribe() {}, unsubscribe() {},
    tracingChannel: () => ({
      ...SILENT, traceSync: (run, data, self, ...values) => run.apply(self, values),
      tracePromise: async (run, data, self, ...values) => run.apply(self, values),
      traceCallback: (run, at, data, self, ...values) => run.apply(self, values),
    }),
  },
  module: { createRequire: () => { throw new Error('module.createRequire is not available'); }, builtinModules: [] },
  net: { isIP: (text) => (/^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => part < 256) ? 4 : 0)
    || (`${text}`.includes(':') && require('url').URL.canParse(`http://[${text}]/`) ? 6 : 0) },
  v8: { serialize: undefined }, domain: { active: null },
  vm: {}, dns: {}, tls: {}, http2: { constants: {} },
};
PARTS.net.isIPv4 = (text) => PARTS.net.isIP(text) === 4;
PARTS.net.isIPv6 = (text) => PARTS.net.isIP(text) === 6;

for (const name of host.absentModules) {
  const parts = { ...PARTS[name] };
  const reason = REASON[name.split('/promises')[0]];
  exports[name] = new Proxy(parts, {
    get(target, member) {
      if (member in target || typeof member === 'symbol' || member === '__esModule' || member === 'then') return target[member];
      // A function that is also a class: packages extend net.Socket, and only then call it.
      return (target[member] = function () {
        throw Object.assign(new Error(`${name}.${member} is not available: scripts have no ${reason || name}`), { code: 'ERR_NOT_AVAILABLE' });
      });
    },
  });
}
