// bluebird, native-or-bluebird and q on native promises: what rules use of them.
class Bluebird extends Promise {
  static try(run, ...values) {
    return new Bluebird((resolve) => resolve(run(...values)));
  }
  static method(run) {
    return function (...values) {
      return Bluebird.try(() => run.apply(this, values));
    };
  }
  static promisify(run, { context } = {}) {
    return function (...values) {
      return new Bluebird((resolve, reject) => run.call(context === undefined ? this : context, ...values, (error, value) => (error ? reject(error) : resolve(value))));
    };
  }
  static promisifyAll(target, { suffix = 'Async' } = {}) {
    for (let own = target; own && own !== Object.prototype && own !== Function.prototype; own = Object.getPrototypeOf(own)) {
      for (const name of Object.getOwnPropertyNames(own)) {
        if (typeof target[name] === 'function' && name !== 'constructor' && !(name + suffix in target)) target[name + suffix] = Bluebird.promisify(target[name]);
      }
    }
    return target;
  }
  static delay(millis, value) {
    return new Bluebird((resolve) => setTimeout(() => resolve(value), millis));
  }
  static async each(values, run) {
    const list = await Promise.all(await values);
    for (const [at, value] of list.entries()) await run(value, at, list.length);
    return list;
  }
  static map(values, run) {
    return Bluebird.resolve(values).then((list) => Bluebird.all([...list].map(async (value, at) => run(await value, at, list.length))));
  }
  static props(values) {
    const names = Object.keys(values);
    return Bluebird.all(Object.values(values)).then((list) => Object.fromEntries(list.map((value, at) => [names[at], value])));
  }
  static defer() {
    const own = {};
    own.promise = new Bluebird((resolve, reject) => Object.assign(own, { resolve, reject }));
    return own;
  }
  catch(...given) {
    const handler = given.pop();
    if (!given.length) return super.catch(handler);
    const fits = (error) => given.some((kind) => (typeof kind === 'function' && (kind === Error || kind.prototype instanceof Error) ? error instanceof kind : typeof kind === 'function' ? kind(error) : Object.keys(kind).every((key) => error[key] === kind[key])));
    return super.catch((error) => {
      if (fits(error)) return handler(error);
      throw error;
    });
  }
  spread(run) {
    return this.then((values) => Promise.all(values)).then((values) => run(...values));
  }
  tap(run) {
    return this.then(async (value) => (await run(value), value));
  }
  map(run) {
    return Bluebird.map(this, run);
  }
  each(run) {
    return Bluebird.resolve(Bluebird.each(this, run));
  }
  get(name) {
    return this.then((value) => value[name]);
  }
  return(value) {
    return this.then(() => value);
  }
  delay(millis) {
    return this.then((value) => Bluebird.delay(millis, value));
  }
  timeout(millis, message = 'operation timed out') {
    const late = new Bluebird((_, reject) => setTimeout(() => reject(Object.assign(new Error(message), { name: 'TimeoutError' })), millis));
    return Bluebird.race([this, late]);
  }
  asCallback(callback) {
    host.promised(this, callback);
    return this;
  }
  nodeify(callback) {
    return this.asCallback(callback);
  }
  done(fulfilled, rejected) {
    this.then(fulfilled, rejected).then(undefined, (error) => queueMicrotask(() => host.crash(error)));
  }
}
Object.assign(Bluebird, { Promise: Bluebird, fromCallback: (run) => new Bluebird((resolve, reject) => run((error, value) => (error ? reject(error) : resolve(value)))) });
Bluebird.fromNode = Bluebird.fromCallback;

class QPromise extends Bluebird {
  fail(handler) {
    return this.catch(handler);
  }
  fin(run) {
    return this.finally(run);
  }
}
const q = (value) => QPromise.resolve(value);
Object.assign(q, {
  Promise: (run) => new QPromise(run), resolve: q, when: (value, ...handlers) => q(value).then(...handlers), reject: (error) => QPromise.reject(error),
  all: (values) => q(values).then((list) => QPromise.all(list)), allSettled: (values) => QPromise.allSettled(values).then((list) => list.map(({ status, ...rest }) => ({ state: status, ...rest }))),
  defer: () => {
    const own = {};
    own.promise = new QPromise((resolve, reject) => Object.assign(own, { resolve, reject }));
    own.makeNodeResolver = () => (error, value) => (error ? own.reject(error) : own.resolve(value));
    return own;
  },
  fcall: (run, ...values) => QPromise.try(run, ...values), nfcall: (run, ...values) => q(Bluebird.promisify(run)(...values)),
  ninvoke: (target, name, ...values) => q(Bluebird.promisify(target[name], { context: target })(...values)),
  denodeify: (run) => (...values) => q(Bluebird.promisify(run)(...values)), delay: (millis) => q(Bluebird.delay(millis)),
  spread: (values, run) => q(values).then((list) => Promise.all(list)).then((list) => run(...list)), isPromise: (value) => value instanceof Promise,
});
q.nbind = q.denodeify;
exports.bluebird = Bluebird;
exports.q = q;
