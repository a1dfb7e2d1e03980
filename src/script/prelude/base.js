// Asking the host, and telling what was thrown. Other parts of the prelude build on this one.
// The kit is never visible to rules. A rule that changes built-ins can break its own login, and nothing else: the
// runtime is gone after it.
(function (kit) {
  'use strict';
  const { parse, stringify } = JSON;
  const waiting = new Map();

  class UnauthorizedError extends Error {
    constructor(message) {
      super(message === undefined ? 'Unauthorized' : message);
      this.name = 'UnauthorizedError';
    }
  }

  // As ValidationError(message) or ValidationError(code, message).
  class ValidationError extends Error {
    constructor(code, message) {
      super(message === undefined ? code : message);
      this.name = 'ValidationError';
      this.code = code;
    }
  }

  // Sends a call; exactly one of the two functions is called with the host's answer.
  kit.start = (call, resolve, reject) => {
    const id = kit.send(stringify(call));
    waiting.set(id, { resolve, reject });
    return id;
  };

  // Forgets a call: its answer is not waited for.
  kit.stop = (id) => {
    if (waiting.delete(id)) kit.forget(id);
  };

  kit.ask = (call) => new Promise((resolve, reject) => kit.start(call, resolve, reject));

  // The host's answer. Called from outside of JavaScript.
  kit.settle = (id, ok, text) => {
    const entry = waiting.get(id);
    if (!entry) return;
    waiting.delete(id);
    const value = parse(text);
    if (ok) return entry.resolve(value);
    entry.reject(Object.assign(new Error(value.message), { code: value.code }));
  };

  // Calls a function of a rule where nobody could catch what it throws: that ends the login, as it ends Node.
  kit.invoke = (callback, ...values) => {
    try {
      callback(...values);
    } catch (thrown) {
      kit.crash(thrown);
    }
  };

  // What was thrown: its kind, its text, and the rule's line if it is known.
  kit.describe = (thrown) => {
    try {
      if (thrown === null || typeof thrown !== 'object') return { kind: '', text: String(thrown), line: '' };
      const kind = String(thrown.name || 'Error');
      const text = String(thrown.message === undefined ? stringify(thrown) : thrown.message);
      const frames = String(thrown.stack || '').split('\n');
      const own = frames.find((frame) => /:\d+:\d+\)?$/.test(frame) && !frame.includes('vestibule:'));
      const line = own ? ` (line ${own.match(/:(\d+):\d+\)?$/)[1]})` : '';
      return { kind, text: text.toWellFormed(), line };
    } catch {
      return { kind: '', text: 'an error that can not be read', line: '' };
    }
  };

  kit.define = (name, value) => {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  };
  kit.modules = Object.create(null);
  kit.define('UnauthorizedError', UnauthorizedError);
  kit.define('ValidationError', ValidationError);
})
