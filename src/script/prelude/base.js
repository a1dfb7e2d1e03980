// Calls to the host and descriptions of errors. The other parts of the prelude use this one.
// Scripts cannot reach the host object. A script that changes built-ins changes them for its own context only, and the
// prelude uses those it found.
(function (host) {
  'use strict';
  const { parse, stringify } = JSON;
  // The calls that are waited for, by id. No Map, whose methods a script can change.
  let pending = { __proto__: null };

  class UnauthorizedError extends Error {
    constructor(message) {
      super(message === undefined ? 'Unauthorized' : message);
      this.name = 'UnauthorizedError';
    }
  }

  // ValidationError(message) or ValidationError(code, message).
  class ValidationError extends Error {
    constructor(code, message) {
      super(message === undefined ? code : message);
      this.name = 'ValidationError';
      this.code = code;
    }
  }

  // Sends a call. The host's reply calls one of the two functions.
  host.start = (call, resolve, reject) => {
    const id = host.send(stringify(call));
    pending[id] = { resolve, reject };
    return id;
  };

  // Forgets a call and its reply.
  host.stop = (id) => {
    if (id in pending) host.forget(id);
    delete pending[id];
  };

  host.ask = (call) => new Promise((resolve, reject) => host.start(call, resolve, reject));

  // Delivers the host's reply. Called from Rust.
  host.settle = (id, ok, text) => {
    const entry = pending[id];
    if (!entry) return;
    delete pending[id];
    const value = parse(text);
    if (ok) return entry.resolve(value);
    entry.reject(Object.assign(new Error(value.message), { code: value.code }));
  };

  // Starts a run in this context: nothing of the one before is waited for. What belongs to a run checks that it is still
  // `host.login`.
  host.resets = [];
  host.begin = () => {
    host.login = { ended: false, current: undefined };
    pending = { __proto__: null };
    for (let at = 0; at < host.resets.length; at++) host.resets[at]();
  };
  host.begin();

  // Denies the run because a script failed. The message of an error that a rule called back with is enough; a thrown one
  // needs its kind and line.
  host.fail = (login, index, thrown, called) => {
    if (host.login !== login) return;
    login.ended = true;
    const { kind, text, line } = host.describe(thrown);
    const { absent } = login;
    const why = kind === 'TypeError' && absent && !(absent.name in absent.of) ? `; note that ${host.missing(absent.path)}` : '';
    if (kind === 'UnauthorizedError') return host.deny(index, 'Unauthorized', text);
    if (kind === 'ValidationError') return host.deny(index, 'Validation', text);
    if (kind === 'InternalError' && text === 'out of memory') {
      return host.deny(index, 'OutOfMemory', 'it needs more memory than script.memory_mib allows');
    }
    if (called) return host.deny(index, 'Failed', text);
    host.deny(index, 'Failed', kind ? `it threw ${kind}: ${text}${line}${why}` : `it threw ${text}`, text);
  };

  // A script does not compile. Called from Rust.
  host.refuse = (thrown) => {
    const { kind, text, line } = host.describe(thrown);
    host.deny(undefined, 'Failed', `it does not compile: ${kind}: ${text}${line}`);
  };

  // An error that no script could catch belongs to the running one.
  host.crash = (thrown) => host.fail(host.login, host.login.current, thrown);

  // Calls a script's callback. If it throws, no code of the script could catch that: it ends the run, as it ends Node.
  host.invoke = (callback, ...values) => {
    try {
      callback(...values);
    } catch (thrown) {
      host.crash(thrown);
    }
  };

  // A function with a result; with a callback as its last argument, the same later.
  const later = Promise.prototype.then.bind(Promise.resolve());
  host.either = (run) => (...values) => {
    if (typeof values.at(-1) !== 'function') return run(...values);
    const callback = values.pop();
    let result;
    try {
      result = [null, run(...values)];
    } catch (thrown) {
      result = [thrown];
    }
    later(() => host.invoke(callback, ...result));
  };

  // A promise, or its result for a callback.
  host.promised = (promise, callback) => {
    if (typeof callback !== 'function') return promise;
    promise.then((value) => host.invoke(callback, null, value), (error) => host.invoke(callback, error));
  };

  const wellFormed = Function.prototype.call.bind(String.prototype.toWellFormed);

  // Where a script threw, unless it has changed the methods of strings.
  function lineOf(thrown) {
    try {
      const frames = String(thrown.stack || '').split('\n');
      const own = frames.find((frame) => /:\d+:\d+\)?$/.test(frame) && !/vestibule:|\/node_modules\//.test(frame));
      return own ? ` (line ${own.match(/:(\d+):\d+\)?$/)[1]})` : '';
    } catch {
      return '';
    }
  }

  // The kind and text of a thrown value, and the rule's line if known.
  host.describe = (thrown) => {
    try {
      if (thrown === null || typeof thrown !== 'object') return { kind: '', text: String(thrown), line: '' };
      const kind = String(thrown.name || 'Error');
      const text = String(thrown.message === undefined ? stringify(thrown) : thrown.message);
      return { kind, text: wellFormed(text), line: lineOf(thrown) };
    } catch {
      return { kind: '', text: 'an unreadable error', line: '' };
    }
  };

  host.define = (name, value) => {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  };
  host.define('UnauthorizedError', UnauthorizedError);
  host.define('ValidationError', ValidationError);
})
