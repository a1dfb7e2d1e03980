// Event, EventTarget, AbortController and AbortSignal.
class Event {
  #stopped = false;
  constructor(type, { bubbles = false, cancelable = false } = {}) {
    Object.assign(this, { type: `${type}`, bubbles, cancelable, defaultPrevented: false, target: null, currentTarget: null });
    this.timeStamp = performance.now();
  }
  preventDefault() {
    if (this.cancelable) this.defaultPrevented = true;
  }
  stopPropagation() {}
  stopImmediatePropagation() {
    this.#stopped = true;
  }
  static stopped(event) {
    return event.#stopped;
  }
}
const { stopped } = Event;
delete Event.stopped;

class EventTarget {
  #listeners = new Map();
  addEventListener(type, listener, options) {
    if (!listener) return;
    const list = this.#listeners.get(type) || [];
    if (list.some((one) => one.listener === listener)) return;
    const { once = false, signal } = Object(options);
    if (signal && signal.aborted) return;
    this.#listeners.set(type, [...list, { listener, once }]);
    if (signal) signal.addEventListener('abort', () => this.removeEventListener(type, listener), { once: true });
  }
  removeEventListener(type, listener) {
    this.#listeners.set(type, (this.#listeners.get(type) || []).filter((one) => one.listener !== listener));
  }
  dispatchEvent(event) {
    event.target = event.currentTarget = this;
    const own = this[`on${event.type}`];
    if (typeof own === 'function') host.invoke((one) => own.call(this, one), event);
    for (const { listener, once } of this.#listeners.get(event.type) || []) {
      if (once) this.removeEventListener(event.type, listener);
      host.invoke((one) => (typeof listener === 'function' ? listener.call(this, one) : listener.handleEvent(one)), event);
      if (stopped(event)) break;
    }
    return !event.defaultPrevented;
  }
}

const secret = Symbol('AbortSignal');
class AbortSignal extends EventTarget {
  aborted = false;
  reason = undefined;
  onabort = null;
  constructor(key) {
    if (key !== secret) throw Object.assign(new TypeError('Illegal constructor'), { code: 'ERR_ILLEGAL_CONSTRUCTOR' });
    super();
  }
  throwIfAborted() {
    if (this.aborted) throw this.reason;
  }
  static abort(reason) {
    const signal = new AbortSignal(secret);
    abort(signal, reason);
    return signal;
  }
  static timeout(millis) {
    const signal = new AbortSignal(secret);
    const error = () => new DOMException('The operation was aborted due to timeout', 'TimeoutError');
    require('timers').setTimeout(() => abort(signal, error()), millis);
    return signal;
  }
  static any(signals) {
    const all = [...signals];
    const one = new AbortSignal(secret);
    const first = all.find((signal) => signal.aborted);
    if (first) abort(one, first.reason);
    else for (const signal of all) signal.addEventListener('abort', () => abort(one, signal.reason), { once: true });
    return one;
  }
}

function abort(signal, reason) {
  if (signal.aborted) return;
  signal.aborted = true;
  signal.reason = reason === undefined ? new DOMException('This operation was aborted', 'AbortError') : reason;
  signal.dispatchEvent(new Event('abort'));
}

class AbortController {
  signal = new AbortSignal(secret);
  abort(reason) {
    abort(this.signal, reason);
  }
}

Object.assign(exports, { Event, EventTarget, AbortSignal, AbortController });
