// zlib: gzip, deflate and raw deflate, of whole buffers.
const { bytesOf } = require('buffer');
const { Transform } = require('stream');
const BUFFER_ERRORS = { code: 'Z_DATA_ERROR', errno: -3 };

for (const method of ['gzip', 'gunzip', 'deflate', 'inflate', 'deflateRaw', 'inflateRaw', 'unzip']) {
  const run = (data, options) => {
    const level = options && options.level >= 0 ? options.level : 6;
    try {
      return Buffer.from(host.native.zlib(method, bytesOf(data), level).buffer);
    } catch (thrown) {
      throw Object.assign(thrown, BUFFER_ERRORS);
    }
  };
  exports[`${method}Sync`] = run;
  exports[method] = host.either(run);
  const name = method[0].toUpperCase() + method.slice(1);
  exports[name] = class extends Transform {
    #parts = [];
    _transform(chunk, encoding, done) {
      this.#parts.push(chunk);
      done();
    }
    _flush(done) {
      exports[method](Buffer.concat(this.#parts), done);
    }
  };
  exports[`create${name}`] = (options) => new exports[name](options);
}
exports.constants = {
  Z_NO_FLUSH: 0, Z_SYNC_FLUSH: 2, Z_FINISH: 4, Z_NO_COMPRESSION: 0, Z_BEST_SPEED: 1, Z_BEST_COMPRESSION: 9,
  Z_DEFAULT_COMPRESSION: -1, BROTLI_OPERATION_FLUSH: 1,
};
