// Streams small enough for what packages do with bodies that are in memory: flowing, piping, transforming and iterating.
// There is no back pressure (write returns true) and no byte-wise read(size).
const EventEmitter = require('events');
const { inherits } = require('util');

function Stream(options) {
  EventEmitter.call(this);
  Object.assign(this, { destroyed: false, errored: null }, pick(options, ['read', 'write', 'transform', 'flush', 'final', 'destroy']));
}
inherits(Stream, EventEmitter);
Object.setPrototypeOf(Stream, EventEmitter);
const pick = (options, names) => {
  const own = {};
  for (const name of names) if (options && typeof options[name] === 'function') own[`_${name}`] = options[name];
  return own;
};
Stream.prototype.pipe = function (target, { end = true } = {}) {
  this.on('data', (chunk) => target.write(chunk));
  if (end) this.on('end', () => target.end());
  target.emit('pipe', this);
  return target;
};
Stream.prototype.destroy = function (error) {
  if (this.destroyed) return this;
  this.destroyed = true;
  this.errored = error || null;
  const close = (own) => process.nextTick(() => {
    if (own || error) this.emit('error', own || error);
    this.emit('close');
  });
  if (this._destroy) this._destroy(error || null, close);
  else close();
  return this;
};

function initReadable(stream, options = {}) {
  Object.assign(stream, { readable: true, readableEnded: false, readableFlowing: null, readableObjectMode: Boolean(options.objectMode || options.readableObjectMode) });
  stream._chunks = [];
  stream._ended = false;
  stream._decoder = options.encoding ? new (require('string_decoder').StringDecoder)(options.encoding) : null;
}
const readable = {
  push(chunk, encoding) {
    if (chunk === null) {
      const rest = this._decoder && this._decoder.end();
      if (rest) this._chunks.push(rest);
      this._ended = true;
    } else if (this.readableObjectMode) this._chunks.push(chunk);
    else {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      this._chunks.push(this._decoder ? this._decoder.write(bytes) : bytes);
    }
    if (this.readableFlowing) schedule(this);
    else if (this.listenerCount('readable')) process.nextTick(() => this.emit('readable'));
    return true;
  },
  unshift(chunk) {
    this._chunks.unshift(chunk);
  },
  read() {
    if (!this._chunks.length && !this._ended) fill(this);
    if (!this._chunks.length) {
      if (this._ended) process.nextTick(() => finish(this));
      return null;
    }
    if (this.readableObjectMode) return this._chunks.shift();
    const all = this._chunks.splice(0);
    if (this._ended) process.nextTick(() => finish(this));
    return typeof all[0] === 'string' ? all.join('') : Buffer.concat(all);
  },
  setEncoding(encoding) {
    this._decoder = new (require('string_decoder').StringDecoder)(encoding);
    this._chunks = this._chunks.map((chunk) => (typeof chunk === 'string' ? chunk : this._decoder.write(chunk)));
    return this;
  },
  resume() {
    this.readableFlowing = true;
    schedule(this);
    return this;
  },
  pause() {
    this.readableFlowing = false;
    return this;
  },
  isPaused() {
    return this.readableFlowing === false;
  },
  unpipe() {
    return this;
  },
  on(name, listener) {
    EventEmitter.prototype.on.call(this, name, listener);
    if (name === 'data' && this.readableFlowing !== false) this.resume();
    if (name === 'readable') process.nextTick(() => this.emit('readable'));
    return this;
  },
  async *[Symbol.asyncIterator]() {
    const queue = [];
    let wake;
    const put = (entry) => {
      queue.push(entry);
      if (wake) wake();
    };
    this.on('error', (error) => put({ error }));
    this.on('end', () => put({ end: true }));
    this.on('data', (chunk) => put({ chunk }));
    for (;;) {
      while (!queue.length) await new Promise((resolve) => (wake = resolve));
      const { chunk, error, end } = queue.shift();
      if (error) throw error;
      if (end) return;
      yield chunk;
    }
  },
};
readable.addListener = readable.on;

function fill(stream) {
  if (stream._read && !stream._reading && !stream._ended) {
    stream._reading = true;
    try {
      stream._read(16384);
    } finally {
      stream._reading = false;
    }
  }
}
function finish(stream) {
  if (stream.readableEnded || stream._chunks.length) return;
  Object.assign(stream, { readableEnded: true, readable: false });
  stream.emit('end');
  if (!('writable' in stream) || stream.writableFinished) stream.emit('close');
}
function schedule(stream) {
  if (stream._scheduled) return;
  stream._scheduled = true;
  process.nextTick(() => {
    stream._scheduled = false;
    while (stream.readableFlowing && !stream.destroyed) {
      if (!stream._chunks.length) fill(stream);
      if (!stream._chunks.length) break;
      stream.emit('data', stream._chunks.shift());
    }
    if (stream.readableFlowing && stream._ended && !stream._chunks.length) finish(stream);
  });
}

function initWritable(stream, options = {}) {
  Object.assign(stream, { writable: true, writableEnded: false, writableFinished: false, _queue: [], _writing: false });
  stream.writableObjectMode = Boolean(options.objectMode || options.writableObjectMode);
  stream._decodeStrings = options.decodeStrings !== false;
}
const writable = {
  write(chunk, encoding, callback) {
    if (typeof encoding === 'function') [encoding, callback] = [undefined, encoding];
    if (this.writableEnded) {
      const error = Object.assign(new Error('write after end'), { code: 'ERR_STREAM_WRITE_AFTER_END' });
      process.nextTick(() => this.emit('error', error));
      return false;
    }
    const text = typeof chunk === 'string' && !this.writableObjectMode && this._decodeStrings;
    this._queue.push([text ? Buffer.from(chunk, encoding) : chunk, text ? 'buffer' : encoding, callback]);
    drain(this);
    return true;
  },
  end(chunk, encoding, callback) {
    if (typeof chunk === 'function') [chunk, callback] = [undefined, chunk];
    else if (typeof encoding === 'function') [encoding, callback] = [undefined, encoding];
    if (chunk !== undefined && chunk !== null) this.write(chunk, encoding);
    if (callback) this.once('finish', callback);
    this.writableEnded = true;
    drain(this);
    return this;
  },
  cork() {},
  uncork() {},
  setDefaultEncoding() {
    return this;
  },
};
function drain(stream) {
  if (stream._writing || stream.destroyed) return;
  const next = stream._queue.shift();
  if (!next) {
    if (!stream.writableEnded || stream._finishing) return;
    stream._finishing = true;
    const done = (error) => {
      if (error) return stream.destroy(error);
      Object.assign(stream, { writableFinished: true, writable: false });
      process.nextTick(() => stream.emit('finish'));
    };
    return stream._final ? stream._final(done) : done();
  }
  const [chunk, encoding, callback] = next;
  stream._writing = true;
  stream._write(chunk, encoding || 'utf8', (error) => {
    stream._writing = false;
    if (callback) callback(error);
    if (error) return stream.destroy(error);
    if (stream.listenerCount('drain') && !stream._queue.length) process.nextTick(() => stream.emit('drain'));
    drain(stream);
  });
}

function Readable(options) {
  Stream.call(this, options);
  initReadable(this, options);
}
inherits(Readable, Stream);
Object.assign(Readable.prototype, readable);
Readable.prototype[Symbol.asyncIterator] = readable[Symbol.asyncIterator];
Readable.from = (source, options) => {
  const stream = new Readable({ objectMode: true, ...options });
  const list = typeof source === 'string' || source instanceof Uint8Array ? [source] : source;
  (async () => {
    for await (const chunk of list) stream.push(chunk);
    stream.push(null);
  })().catch((error) => stream.destroy(error));
  return stream;
};

function Writable(options) {
  Stream.call(this, options);
  initWritable(this, options);
}
inherits(Writable, Stream);
Object.assign(Writable.prototype, writable, { _write: (chunk, encoding, done) => done() });

function Duplex(options) {
  Stream.call(this, options);
  initReadable(this, options);
  initWritable(this, options);
}
inherits(Duplex, Readable);
Object.assign(Duplex.prototype, writable, { _write: Writable.prototype._write });

function Transform(options) {
  Duplex.call(this, options);
}
inherits(Transform, Duplex);
Transform.prototype._transform = function (chunk, encoding, done) {
  done(null, chunk);
};
Transform.prototype._write = function (chunk, encoding, done) {
  this._transform(chunk, encoding, (error, value) => {
    if (value !== undefined && value !== null) this.push(value);
    done(error);
  });
};
Transform.prototype._final = function (done) {
  const end = (error, value) => {
    if (value !== undefined && value !== null) this.push(value);
    if (!error) this.push(null);
    done(error);
  };
  if (this._flush) this._flush(end);
  else end();
};

function PassThrough(options) {
  Transform.call(this, options);
}
inherits(PassThrough, Transform);

function finished(stream, options, callback = options) {
  let called = false;
  const done = (error) => {
    if (!called) callback.call(stream, error);
    called = true;
  };
  stream.on('error', done);
  stream.on('end', () => done());
  stream.on('finish', () => done());
  return () => (called = true);
}
function pipeline(...streams) {
  const callback = typeof streams.at(-1) === 'function' ? streams.pop() : () => undefined;
  const list = streams.flat();
  for (const stream of list) stream.on('error', (error) => callback(error));
  list.reduce((from, to) => from.pipe(to));
  list.at(-1).on('finish', () => callback());
  return list.at(-1);
}
const promised = (run) => (...values) =>
  new Promise((resolve, reject) => run(...values, (error) => (error ? reject(error) : resolve())));
const gather = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
};

module.exports = Object.assign(Stream, {
  Stream, Readable, Writable, Duplex, Transform, PassThrough, finished, pipeline,
  promises: { finished: promised(finished), pipeline: promised(pipeline) },
  consumers: {
    buffer: gather, text: async (stream) => (await gather(stream)).toString(), json: async (stream) => JSON.parse(await gather(stream)),
    arrayBuffer: async (stream) => Uint8Array.from(await gather(stream)).buffer,
  },
  isReadable: (stream) => Boolean(stream && stream.readable),
});
