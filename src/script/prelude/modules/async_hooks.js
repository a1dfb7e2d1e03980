// AsyncLocalStorage and AsyncResource for what runs synchronously; a context does not follow promises.
exports.AsyncLocalStorage = class AsyncLocalStorage {
  #store;
  run(store, callback, ...values) {
    const before = this.#store;
    this.#store = store;
    try {
      return callback(...values);
    } finally {
      this.#store = before;
    }
  }
  exit(callback, ...values) {
    return this.run(undefined, callback, ...values);
  }
  enterWith(store) {
    this.#store = store;
  }
  getStore() {
    return this.#store;
  }
  disable() {
    this.#store = undefined;
  }
};
exports.AsyncResource = class AsyncResource {
  runInAsyncScope(callback, self, ...values) {
    return callback.apply(self, values);
  }
  emitDestroy() {
    return this;
  }
  static bind(callback) {
    return callback;
  }
};
exports.executionAsyncId = () => 0;
exports.createHook = () => ({ enable() {}, disable() {} });
