// process: an empty environment, and what packages read to describe themselves.
const EventEmitter = require('events');
const start = performance.now();

const process = Object.assign(new EventEmitter(), {
  env: {}, argv: ['node', 'script'], execArgv: [], execPath: '/usr/bin/node', title: 'node', pid: 1, ppid: 0, exitCode: undefined,
  platform: 'linux', arch: 'x64', version: 'v22.22.0', release: { name: 'node' }, features: {}, config: { variables: {} },
  versions: { node: '22.22.0', v8: '12.4.254.21-node.33', modules: '127' }, browser: undefined,
  cwd: () => '/',
  uptime: () => (performance.now() - start) / 1000,
  hrtime: Object.assign(
    (since) => {
      const now = performance.now() / 1000;
      const [seconds, nanos] = [Math.trunc(now), Math.trunc((now % 1) * 1e9)];
      if (!since) return [seconds, nanos];
      const borrow = nanos < since[1] ? 1 : 0;
      return [seconds - since[0] - borrow, nanos - since[1] + borrow * 1e9];
    },
    { bigint: () => BigInt(Math.trunc(performance.now() * 1e6)) },
  ),
  memoryUsage: Object.assign(() => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }), { rss: () => 0 }),
  nextTick: (callback, ...values) => queueMicrotask(() => host.invoke(callback, ...values)),
  emitWarning: (warning) => host.console('warn', `${(warning && warning.message) || warning}`),
  umask: () => 0o22, getuid: () => 65534, getgid: () => 65534, binding: undefined,
  exit: () => {
    throw new Error('process.exit is not available in a script');
  },
  stdout: { isTTY: false, write: (text) => (host.console('log', `${text}`.replace(/\n$/, '')), true) },
  stderr: { isTTY: false, write: (text) => (host.console('error', `${text}`.replace(/\n$/, '')), true) },
});
Object.defineProperty(process, Symbol.toStringTag, { value: 'process' });
exports.process = process;
exports.console = { ...console, Console: class Console { constructor() { return { ...console }; } } };
exports.perf_hooks = { performance, PerformanceObserver: class PerformanceObserver {}, constants: {} };
