// Timers. The host waits, so that a waiting rule uses no CPU time of its worker.
(function (host) {
  'use strict';
  const timers = new Map();
  let last = 0;
  host.resets.push(() => timers.clear());

  function arm(timer, delay, then) {
    const millis = Math.min(Math.max(1, Math.trunc(Number(delay)) || 1), 2 ** 31 - 1);
    timers.set(timer, host.start({ sleep: millis }, then, host.crash));
  }

  function set(callback, delay, values, again) {
    if (typeof callback !== 'function') throw new TypeError('a timer needs a function');
    const timer = ++last;
    const fire = () => {
      timers.delete(timer);
      if (again) arm(timer, delay, fire);
      host.invoke(callback, ...values);
    };
    arm(timer, delay, fire);
    return timer;
  }

  function clear(timer) {
    if (!timers.has(timer)) return;
    host.stop(timers.get(timer));
    timers.delete(timer);
  }

  host.define('setTimeout', (callback, delay, ...values) => set(callback, delay, values, false));
  host.define('setInterval', (callback, delay, ...values) => set(callback, delay, values, true));
  host.define('setImmediate', (callback, ...values) => set(callback, 0, values, false));
  host.define('clearTimeout', clear);
  host.define('clearInterval', clear);
  host.define('clearImmediate', clear);
})
