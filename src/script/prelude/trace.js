// What a script read of the objects it got, and what a rule changed: for a run that is traced, which few are. Reads of nested
// objects are recorded through proxies, changes by comparison.
(function (host) {
  'use strict';
  const { apply, get, getOwnPropertyDescriptor, has, ownKeys, set } = Reflect;
  const { get: find, set: keep } = WeakMap.prototype;
  const { concat } = Array.prototype;
  const { hasOwn, keys } = Object;
  const { isArray } = Array;
  const { parse, stringify } = JSON;
  const [ProxyClass, WeakMapClass] = [Proxy, WeakMap];
  const wellFormed = Function.prototype.call.bind(String.prototype.toWellFormed);
  const DEPTH = 8;
  const targets = new WeakMapClass(); // proxy -> its object

  const isObject = (value) => value !== null && typeof value === 'object';
  const within = (path, name) => apply(concat, path, [wellFormed(name)]);

  // The object behind a proxy; any other value as it is.
  host.unwatched = (value) => (isObject(value) && apply(find, targets, [value])) || value;

  // `value`, recorded as `name` until `run.ended`.
  host.watched = (name, value, run) => {
    if (!host.isTraced()) return value;
    const proxies = new WeakMapClass();
    const watch = (object, path) => {
      if (!isObject(object) || path.length > DEPTH) return object;
      const known = apply(find, proxies, [object]);
      if (known) return known;
      const read = (path) => run.ended || host.read(path);
      const proxy = new ProxyClass(object, {
        get: (of, member, receiver) => {
          const found = get(of, member, receiver === proxy ? of : receiver);
          if (typeof member === 'symbol') return found;
          // JSON.stringify asks for it first: the object is read whole.
          if (member === 'toJSON' && found === undefined) return () => (read(within(path, '*')), of);
          if (typeof found === 'function' || (isArray(of) && !/^\d/.test(member))) return found;
          const inner = within(path, isArray(of) ? '[]' : member);
          read(inner);
          const own = getOwnPropertyDescriptor(of, member);
          // A proxy may not replace what cannot change.
          return own && !own.configurable && !own.writable ? found : watch(found, inner);
        },
        set: (of, member, value, receiver) =>
          receiver === proxy ? set(of, member, host.unwatched(value)) : set(of, member, value, receiver),
        has: (of, member) => (typeof member === 'symbol' || isArray(of) || read(within(path, member)), has(of, member)),
        ownKeys: (of) => (read(path), ownKeys(of)),
      });
      apply(keep, proxies, [object, proxy]);
      apply(keep, targets, [proxy, object]);
      return proxy;
    };
    return watch(value, [name]);
  };

  const compare = (path, before, after) => {
    const names = keys({ ...before, ...after });
    for (let at = 0; at < names.length; at++) {
      const name = names[at];
      const [old, now] = [before, after].map((of) => (hasOwn(of, name) ? of[name] : undefined));
      const text = stringify(now);
      if (stringify(old) === text) continue;
      const inner = within(path, name);
      const isDeeper = isObject(old) && isObject(now) && !isArray(old) && !isArray(now) && inner.length < DEPTH;
      if (isDeeper) compare(inner, old, now);
      else host.changed(inner, text === undefined ? '' : text);
    }
  };

  // A function that records what became of these objects, by their names, since now.
  host.changesSince = (objects) => {
    if (!host.isTraced()) return () => {};
    const before = stringify(objects);
    return (after) => compare([], parse(before), after);
  };
})
