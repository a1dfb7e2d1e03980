// EventEmitter, as Node has it.
// No class: packages call EventEmitter.call(this) and inherit with util.inherits.
function EventEmitter() {
  init(this);
}

function init(emitter) {
  if (!Object.hasOwn(emitter, '_events') || !emitter._events) {
    Object.defineProperty(emitter, '_events', { value: new Map(), writable: true, configurable: true });
  }
}
const listOf = (emitter, name) => {
  init(emitter);
  return emitter._events.get(name) || [];
};

function add(emitter, name, listener, once, first) {
  if (typeof listener !== 'function') {
    const message = `The "listener" argument must be of type function. Received ${listener === null ? 'null' : typeof listener}`;
    throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  if (listOf(emitter, 'newListener').length) emitter.emit('newListener', name, listener);
  const entry = { listener, once };
  const list = listOf(emitter, name);
  emitter._events.set(name, first ? [entry, ...list] : [...list, entry]);
  return emitter;
}

function remove(emitter, name, entry) {
  const rest = listOf(emitter, name).filter((one) => one !== entry);
  if (rest.length) emitter._events.set(name, rest);
  else emitter._events.delete(name);
  if (listOf(emitter, 'removeListener').length) emitter.emit('removeListener', name, entry.listener);
}

const methods = {
  on(name, listener) {
    return add(this, name, listener, false, false);
  },
  once(name, listener) {
    return add(this, name, listener, true, false);
  },
  prependListener(name, listener) {
    return add(this, name, listener, false, true);
  },
  prependOnceListener(name, listener) {
    return add(this, name, listener, true, true);
  },
  off(name, listener) {
    const entry = listOf(this, name).findLast((one) => one.listener === listener);
    if (entry) remove(this, name, entry);
    return this;
  },
  removeAllListeners(name) {
    init(this);
    if (name === undefined) this._events.clear();
    else this._events.delete(name);
    return this;
  },
  emit(name, ...values) {
    const list = listOf(this, name);
    if (!list.length && name === 'error') {
      if (values[0] instanceof Error) throw values[0];
      throw Object.assign(new Error(`Unhandled error. (${values[0]})`), { code: 'ERR_UNHANDLED_ERROR', context: values[0] });
    }
    for (const entry of list) {
      if (entry.once) remove(this, name, entry);
      entry.listener.apply(this, values);
    }
    return list.length > 0;
  },
  listeners(name) {
    return listOf(this, name).map((entry) => entry.listener);
  },
  listenerCount(name) {
    return listOf(this, name).length;
  },
  eventNames() {
    init(this);
    return [...this._events.keys()];
  },
  setMaxListeners() {
    return this;
  },
  getMaxListeners() {
    return EventEmitter.defaultMaxListeners;
  },
};
methods.addListener = methods.on;
methods.removeListener = methods.off;
methods.rawListeners = methods.listeners;
for (const [name, value] of Object.entries(methods)) {
  Object.defineProperty(EventEmitter.prototype, name, { value, writable: true, configurable: true, enumerable: true });
}

module.exports = Object.assign(EventEmitter, {
  EventEmitter,
  defaultMaxListeners: 10,
  errorMonitor: Symbol('events.errorMonitor'),
  captureRejectionSymbol: Symbol.for('nodejs.rejection'),
  once: (emitter, name) =>
    new Promise((resolve, reject) => {
      const failed = (error) => {
        emitter.off(name, done);
        reject(error);
      };
      const done = (...values) => {
        emitter.off('error', failed);
        resolve(values);
      };
      emitter.once(name, done);
      if (name !== 'error') emitter.once('error', failed);
    }),
  listenerCount: (emitter, name) => emitter.listenerCount(name),
  setMaxListeners: () => undefined,
  getEventListeners: (emitter, name) => emitter.listeners(name),
});
