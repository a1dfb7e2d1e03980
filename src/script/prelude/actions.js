// Runs one action: loads its module once, then calls its handler with an event and an api of its own for each run.
(function (host) {
  'use strict';
  const { parse, stringify } = JSON;
  const { apply, defineProperty, get } = Reflect;
  const ProxyClass = Proxy;
  // Members that the engine and JSON.stringify look for.
  const SILENT = { __proto__: null, then: 1, toJSON: 1, constructor: 1, prototype: 1 };
  let exported;
  let secrets;
  let members = [];

  // An object of which the last missing member that was read is known: a TypeError may come from it. A script may look for
  // members, and add its own.
  const guard = (run, target, path) =>
    new ProxyClass(target, {
      get: (of, name, receiver) => {
        if (typeof name !== 'symbol' && !(name in of || name in SILENT)) run.absent = { of, name, path: path + name };
        return get(of, name, receiver);
      },
    });

  // How a member answers: with a promise, with a value, or with api, so that calls can be chained.
  function kind(path) {
    const [group, name] = path.split('.');
    if (group === 'groups' || group === 'roles') return 'promise';
    const isValue = group === 'cache' || group === 'rules' || (group === 'redirect' && name !== 'sendUserTo');
    return isValue ? 'value' : 'api';
  }

  function method(run, api, event, path, kind) {
    const call = (args) => {
      if (host.login !== run || run.ended) throw new Error(`api.${path}: this api is of an earlier run`);
      while (args.length && args[args.length - 1] === undefined) args.length--;
      const answer = host.api(path, stringify(args));
      if (path === 'transaction.setMetadata') setMetadata(event, args[0], args[1]);
      return answer === undefined || answer === null ? undefined : parse(answer);
    };
    if (kind === 'promise') return async (...args) => call(args);
    if (kind === 'value') return (...args) => call(args);
    return (...args) => {
      call(args);
      return api;
    };
  }

  // api.transaction.setMetadata is visible at once.
  function setMetadata(event, key, value) {
    if (event.transaction === null || typeof event.transaction !== 'object') event.transaction = {};
    const { transaction } = event;
    if (transaction.metadata === null || typeof transaction.metadata !== 'object') transaction.metadata = {};
    if (value === null || value === undefined) delete transaction.metadata[key];
    else transaction.metadata[key] = value;
  }

  // Also when the script has defined the name in Object.prototype.
  const set = (target, name, value) =>
    defineProperty(target, name, { __proto__: null, value, writable: true, enumerable: true, configurable: true });

  function build(run, event) {
    const groups = {};
    const api = guard(run, groups, '');
    let current = '';
    let methods;
    // Members of a group follow each other.
    for (let at = 0; at < members.length; at++) {
      const { path, group, name, kind } = members[at];
      if (group !== current) {
        current = group;
        methods = {};
        set(groups, group, guard(run, methods, `${group}.`));
      }
      set(methods, name, method(run, api, event, path, kind));
    }
    return api;
  }

  // require of an action or of one of its modules, which cannot require each other.
  const requirer = (modules, require) => (name) => {
    const wanted = String(name);
    if (!wanted.startsWith('actions:')) return require(name);
    const found = modules.find((entry) => entry[0] === wanted);
    if (!found) throw new Error(`the action has no module "${wanted}"; add it to the action's modules`);
    if (!found.loaded) {
      const within = (inner) => {
        if (String(inner).startsWith('actions:')) throw new Error(`${wanted} requires "${inner}": a module cannot require modules`);
        return host.requireOf(parse(found[3]))(inner);
      };
      const module = { exports: {} };
      found.loaded = module;
      const own = { secrets: parse(found[2]) };
      try {
        apply(found[1], module.exports, [module.exports, within, module, `${wanted}.js`, '/', own]);
      } catch (thrown) {
        found.loaded = undefined;
        throw thrown;
      }
    }
    return found.loaded.exports;
  };

  // Called from Rust.
  host.loadAction = (name, wrapper, secretsText, modules, memberNames, versions) => {
    secrets = secretsText;
    members = memberNames.sort().map((path) => {
      const [group, name] = path.split('.');
      return { path, group, name, kind: kind(path) };
    });
    const module = { exports: {} };
    try {
      const require = requirer(modules, host.requireOf(parse(versions)));
      apply(wrapper, module.exports, [module.exports, require, module, `${name}.js`, '/']);
    } catch (thrown) {
      return host.fail(host.login, undefined, thrown);
    }
    exported = module;
  };
  host.startAction = (eventText, handlerName) => {
    const run = host.login;
    const event = parse(eventText);
    event.secrets = parse(secrets);
    const ended = (verdict) => {
      if (host.login === run && !run.ended) verdict();
    };
    (async () => {
      const of = exported.exports;
      const handler = of === null || of === undefined ? undefined : of[handlerName];
      if (typeof handler !== 'function') return host.deny(undefined, 'Failed', `it exports no function ${handlerName}`);
      try {
        await apply(handler, of, [host.watched('event', event, run), build(run, event)]);
      } catch (thrown) {
        return host.fail(run, undefined, thrown);
      }
      ended(() => {
        run.ended = true;
        host.settled();
      });
    })();
  };
})
