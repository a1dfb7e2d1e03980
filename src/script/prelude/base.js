// Calls to the host and descriptions of errors. The other parts of the prelude use this one.
// Rules cannot reach the host object. A rule that changes built-ins can break only its own login, because each login has
// its own runtime.
(function (host) {
  'use strict';
  const { parse, stringify } = JSON;
  const pending = new Map();

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
    pending.set(id, { resolve, reject });
    return id;
  };

  // Forgets a call and its reply.
  host.stop = (id) => {
    if (pending.delete(id)) host.forget(id);
  };

  host.ask = (call) => new Promise((resolve, reject) => host.start(call, resolve, reject));

  // Delivers the host's reply. Called from Rust.
  host.settle = (id, ok, text) => {
    const entry = pending.get(id);
    if (!entry) return;
    pending.delete(id);
    const value = parse(text);
    if (ok) return entry.resolve(value);
    entry.reject(Object.assign(new Error(value.message), { code: value.code }));
  };

  // Calls a rule's callback. If it throws, no code of the rule could catch that: it ends the login, as it ends Node.
  host.invoke = (callback, ...values) => {
    try {
      callback(...values);
    } catch (thrown) {
      host.crash(thrown);
    }
  };

  // The kind and text of a thrown value, and the rule's line if known.
  host.describe = (thrown) => {
    try {
      if (thrown === null || typeof thrown !== 'object') return { kind: '', text: String(thrown), line: '' };
      const kind = String(thrown.name || 'Error');
      const text = String(thrown.message === undefined ? stringify(thrown) : thrown.message);
      const frames = String(thrown.stack || '').split('\n');
      const own = frames.find((frame) => /:\d+:\d+\)?$/.test(frame) && !frame.includes('vestibule:'));
      const line = own ? ` (line ${own.match(/:(\d+):\d+\)?$/)[1]})` : '';
      return { kind, text: text.toWellFormed(), line };
    } catch {
      return { kind: '', text: 'an unreadable error', line: '' };
    }
  };

  host.define = (name, value) => {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  };
  host.modules = Object.create(null);
  host.define('UnauthorizedError', UnauthorizedError);
  host.define('ValidationError', ValidationError);
})
