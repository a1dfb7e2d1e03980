// Runs the rules in order, each with the user and context that the one before called back with.
// Anything but a clean callback(null, user, context) denies the login.
(function (host) {
  'use strict';
  const { parse, stringify } = JSON;
  const later = Promise.prototype.then.bind(Promise.resolve());
  const { then } = Promise.prototype;
  const { apply } = Reflect;
  const PromiseClass = Promise;
  const isArray = Array.isArray;
  let rules = [];

  // Copies a result through JSON, so that it is plain data and is read only once.
  function copy(value, name) {
    if (value === null || typeof value !== 'object' || isArray(value)) {
      throw new Error(`it must call callback(null, user, context); its ${name} is not an object`);
    }
    const text = stringify(value);
    if (typeof text !== 'string' || text[0] !== '{') throw new Error(`its ${name} is not plain JSON`);
    if (text.length > host.limit) throw new Error(`its ${name} is over ${host.limit} bytes of JSON`);
    return parse(text);
  }

  function step(login, index, user, context) {
    if (host.login !== login || login.ended) return;
    if (index === rules.length) {
      login.ended = true;
      return host.done(stringify(user), stringify(context));
    }
    login.current = index;
    host.scriptStarted(index);
    const { user_id } = user;
    let called = false;
    const reading = { ended: false };
    const record = host.changesSince({ user, context });

    function callback(error, newUser, newContext) {
      if (host.login !== login || login.ended) return;
      if (called) return host.console('warn', 'it called its callback again; only the first call counts');
      called = reading.ended = true;
      if (error !== null && error !== undefined) return host.fail(login, index, error, true);
      try {
        newUser = copy(host.unwatched(newUser), 'user');
        newContext = copy(host.unwatched(newContext), 'context');
        record({ user: newUser, context: newContext });
      } catch (thrown) {
        return host.deny(index, 'Failed', host.describe(thrown).text);
      }
      if (newUser.user_id !== user_id) return host.deny(index, 'Failed', 'it called back with another user_id');
      // Later, because a throw in this turn still counts.
      later(() => step(login, index + 1, newUser, newContext));
    }

    try {
      const rule = rules[index];
      const watched = (name, value) => host.watched(name, value, reading);
      const returned = rule(watched('user', user), watched('context', context), callback);
      const refuse = (thrown) => host.fail(login, index, thrown);
      if (returned instanceof PromiseClass) apply(then, returned, [undefined, refuse]);
    } catch (thrown) {
      host.fail(login, index, thrown);
    }
  }

  // Called from Rust.
  host.loadRules = (compiled, configuration) => {
    rules = compiled;
    const wrong = rules.findIndex((rule) => typeof rule !== 'function');
    if (wrong >= 0) return host.deny(wrong, 'Failed', 'it is not a function (user, context, callback)');
    host.defineRuleGlobals(parse(configuration));
  };
  host.startRules = (user, context, auth0) => {
    host.setAuth0(parse(auth0));
    step(host.login, 0, parse(user), parse(context));
  };
})
