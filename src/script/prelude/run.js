// Runs the rules in order, each with the user and context that the one before called back with.
// Anything but a clean callback(null, user, context) denies the login.
(function (host) {
  'use strict';
  const { parse, stringify } = JSON;
  const { user, context, limit } = parse(host.input);
  const later = Promise.prototype.then.bind(Promise.resolve());
  const then = Promise.prototype.then;
  const kept = globalThis.global;
  let current = 0;
  let finished = false;

  function keepGlobal() {
    try {
      host.keepGlobal(stringify(globalThis.global === undefined ? kept : globalThis.global));
    } catch {
      globalThis.console.warn('global is not plain JSON and is not kept');
    }
  }

  function deny(index, reason, message) {
    if (finished !== 'denied') host.deny(index, reason, message);
    finished = 'denied';
  }

  // The message of an error that the rule called back with is enough; a thrown one needs its kind and line.
  function refuse(index, thrown, called) {
    const { kind, text, line } = host.describe(thrown);
    if (kind === 'UnauthorizedError') return deny(index, 'Unauthorized', text);
    if (kind === 'ValidationError') return deny(index, 'Validation', text);
    if (kind === 'InternalError' && text === 'out of memory') {
      return deny(index, 'OutOfMemory', 'it needs more memory than script.memory_mib allows');
    }
    if (called) return deny(index, 'Failed', text);
    deny(index, 'Failed', kind ? `it threw ${kind}: ${text}${line}` : `it threw ${text}`);
  }

  // Copies a result through JSON, so that it is plain data and is read only once.
  function copy(value, name) {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      throw new Error(`it must call callback(null, user, context); its ${name} is not an object`);
    }
    const text = stringify(value);
    if (typeof text !== 'string' || text[0] !== '{') throw new Error(`its ${name} is not plain JSON`);
    if (text.length > limit) throw new Error(`its ${name} is over ${limit} bytes of JSON`);
    return parse(text);
  }

  function step(rules, index, user, context) {
    if (finished) return;
    if (index === rules.length) {
      finished = 'done';
      keepGlobal();
      return host.done(stringify(user), stringify(context));
    }
    current = index;
    host.ruleStarted(index);
    const { user_id } = user;
    let called = false;

    function callback(error, newUser, newContext) {
      if (called) return deny(index, 'Failed', 'it called its callback twice');
      called = true;
      if (finished) return;
      if (error !== null && error !== undefined) {
        refuse(index, error, true);
        return keepGlobal();
      }
      try {
        newUser = copy(newUser, 'user');
        newContext = copy(newContext, 'context');
      } catch (thrown) {
        return deny(index, 'Failed', host.describe(thrown).text);
      }
      if (newUser.user_id !== user_id) return deny(index, 'Failed', 'it called back with another user_id');
      // Later, because a second callback or a throw in this turn still counts.
      later(() => step(rules, index + 1, newUser, newContext));
    }

    try {
      const returned = rules[index](user, context, callback);
      if (returned instanceof Promise) then.call(returned, undefined, (thrown) => refuse(index, thrown));
    } catch (thrown) {
      refuse(index, thrown);
    }
  }

  // An error that no rule could catch belongs to the running rule.
  host.crash = (thrown) => refuse(current, thrown);
  host.refuse = (index, thrown) => {
    const { kind, text, line } = host.describe(thrown);
    deny(index, 'Failed', `it does not compile: ${kind}: ${text}${line}`);
  };
  host.run = (rules) => {
    const wrong = rules.findIndex((rule) => typeof rule !== 'function');
    if (wrong >= 0) return deny(wrong, 'Failed', 'it is not a function (user, context, callback)');
    step(rules, 0, user, context);
  };
})
