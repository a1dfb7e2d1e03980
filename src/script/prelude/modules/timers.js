// Timers. The host waits, so that a waiting script uses no CPU time of its worker.
const timers = new Map();
let last = 0;

class Timeout {
  constructor(id) {
    this.id = id;
  }
  ref() {
    return this;
  }
  unref() {
    return this;
  }
  hasRef() {
    return timers.has(this.id);
  }
  refresh() {
    const timer = timers.get(this.id);
    if (timer) {
      host.stop(timer.call);
      arm(this.id, timer.delay, timer.fire);
    }
    return this;
  }
  close() {
    clear(this);
    return this;
  }
  [Symbol.toPrimitive]() {
    return this.id;
  }
}

function arm(id, delay, fire) {
  const millis = Math.min(Math.max(1, Math.trunc(Number(delay)) || 1), 2 ** 31 - 1);
  timers.set(id, { call: host.start({ sleep: millis }, fire, host.crash), delay, fire });
}

function set(callback, delay, values, again) {
  if (typeof callback !== 'function') {
    throw Object.assign(new TypeError('The "callback" argument must be of type function'), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  const id = ++last;
  const fire = () => {
    timers.delete(id);
    if (again) arm(id, delay, fire);
    host.invoke(callback, ...values);
  };
  arm(id, delay, fire);
  return new Timeout(id);
}

function clear(timer) {
  const id = timer instanceof Timeout ? timer.id : Number(timer);
  if (!timers.has(id)) return;
  host.stop(timers.get(id).call);
  timers.delete(id);
}

exports.setTimeout = (callback, delay, ...values) => set(callback, delay, values, false);
exports.setInterval = (callback, delay, ...values) => set(callback, delay, values, true);
exports.setImmediate = (callback, ...values) => set(callback, 0, values, false);
exports.clearTimeout = clear;
exports.clearInterval = clear;
exports.clearImmediate = clear;
exports.promises = {
  setTimeout: (delay, value, { signal } = {}) =>
    new Promise((resolve, reject) => {
      if (signal && signal.aborted) return reject(signal.reason);
      const timer = set(() => resolve(value), delay, [], false);
      if (signal) signal.addEventListener('abort', () => (clear(timer), reject(signal.reason)), { once: true });
    }),
  setImmediate: (value) => Promise.resolve(value),
};
host.resets.push(() => timers.clear());
