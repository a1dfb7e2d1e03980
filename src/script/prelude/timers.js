// Timers. The host counts the time, so that a rule that waits costs its worker nothing.
(function (kit) {
  'use strict';
  const timers = new Map();
  let last = 0;

  function arm(timer, delay, then) {
    const millis = Math.min(Math.max(1, Math.trunc(Number(delay)) || 1), 2 ** 31 - 1);
    timers.set(timer, kit.start({ sleep: millis }, then, kit.crash));
  }

  function set(callback, delay, values, again) {
    if (typeof callback !== 'function') throw new TypeError('a timer needs a function');
    const timer = ++last;
    const fire = () => {
      timers.delete(timer);
      if (again) arm(timer, delay, fire);
      kit.invoke(callback, ...values);
    };
    arm(timer, delay, fire);
    return timer;
  }

  function clear(timer) {
    if (!timers.has(timer)) return;
    kit.stop(timers.get(timer));
    timers.delete(timer);
  }

  kit.define('setTimeout', (callback, delay, ...values) => set(callback, delay, values, false));
  kit.define('setInterval', (callback, delay, ...values) => set(callback, delay, values, true));
  kit.define('setImmediate', (callback, ...values) => set(callback, 0, values, false));
  kit.define('clearTimeout', clear);
  kit.define('clearInterval', clear);
  kit.define('clearImmediate', clear);
})
