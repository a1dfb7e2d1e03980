// util, as Node has it.
const custom = Symbol.for('nodejs.util.inspect.custom');
const kind = (value) => Object.prototype.toString.call(value).slice(8, -1);
const isObject = (value) => value !== null && typeof value === 'object';

const WORD = /^[A-Za-z_$][\w$]*$/;
const quote = (text) => {
  const mark = !text.includes("'") ? "'" : !text.includes('"') ? '"' : !text.includes('`') ? '`' : "'";
  const escaped = text.replace(/[\\\n\t\r\b\f\v\0-\x1f\x7f]/g, (one) =>
    ({ '\\': '\\\\', '\n': '\\n', '\t': '\\t', '\r': '\\r', '\b': '\\b', '\f': '\\f', '\v': '\\v' })[one]
      || `\\x${one.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`);
  return mark + (mark === "'" ? escaped.replace(/'/g, "\\'") : escaped) + mark;
};

function primitive(value) {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (Object.is(value, -0)) return '-0';
  return String(value);
}

function inspect(value, options) {
  const settings = { depth: 2, compact: 3, breakLength: 80, maxArrayLength: 100, maxStringLength: 10000, ...options };
  if (arguments.length > 2 || typeof options === 'boolean') Object.assign(settings, { showHidden: options, depth: arguments[2] ?? 2 });
  if (settings.depth === null) settings.depth = Infinity;
  return show(value, settings, 0, []);
}

function show(value, settings, level, above) {
  if (typeof value === 'string' && value.length > settings.maxStringLength) {
    return `${quote(value.slice(0, settings.maxStringLength))}... ${value.length - settings.maxStringLength} more characters`;
  }
  if (!isObject(value) && typeof value !== 'function') return primitive(value);
  if (above.includes(value)) return '[Circular *1]';
  if (typeof value[custom] === 'function') {
    const shown = value[custom](settings.depth - level, settings, inspect);
    return typeof shown === 'string' ? shown : show(shown, settings, level, above);
  }
  const prototype = Object.getPrototypeOf(value);
  const maker = prototype && prototype.constructor && prototype.constructor.name;
  const type = kind(value);
  const inner = (one) => show(one, settings, level + 1, [...above, value]);
  let prefix = '';
  let [open, close] = ['{', '}'];
  let entries = [];
  let keys = Object.keys(value);
  if (typeof value === 'function') {
    const isClass = /^class\b/.test(Function.prototype.toString.call(value));
    const base = isClass && Object.getPrototypeOf(value).name ? ` extends ${Object.getPrototypeOf(value).name}` : '';
    prefix = isClass ? `[class ${value.name || '(anonymous)'}${base}]` : `[${type}${value.name ? `: ${value.name}` : ' (anonymous)'}]`;
    if (!keys.length) return prefix;
  } else if (value instanceof Error) {
    const stack = typeof value.stack === 'string' && value.stack ? `\n${value.stack.replace(/\n$/, '')}` : '';
    const head = `${value.name}${value.message ? `: ${value.message}` : ''}`;
    prefix = stack.includes(head) ? stack.slice(1) : stack ? head + stack : `[${head}]`;
    keys = keys.filter((key) => !['stack', 'message', 'name'].includes(key));
    if ('cause' in value && !keys.includes('cause')) entries.push(`[cause]: ${inner(value.cause)}`);
    if (!keys.length && !entries.length) return prefix;
  } else if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  else if (value instanceof RegExp) return String(value);
  else if (value instanceof Promise) return 'Promise { <pending> }';
  else if (type === 'WeakMap' || type === 'WeakSet' || type === 'WeakRef') return `${type} { <items unknown> }`;
  else if (['String', 'Number', 'Boolean'].includes(type) && typeof value.valueOf() !== 'object') return `[${type}: ${primitive(value.valueOf())}]`;
  if (level > settings.depth) return Array.isArray(value) ? '[Array]' : `[${maker || 'Object: null prototype'}]`;
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && type !== 'DataView')) {
    [open, close] = ['[', ']'];
    if (maker !== 'Array') prefix = `${maker}(${value.length})`;
    const length = Math.min(value.length, settings.maxArrayLength);
    for (let at = 0; at < length; at++) entries.push(at in value ? inner(value[at]) : '<1 empty item>');
    if (value.length > length) entries.push(`... ${value.length - length} more item${value.length - length > 1 ? 's' : ''}`);
    keys = keys.filter((key) => !/^\d+$/.test(key));
  } else if (value instanceof Map) {
    prefix = `${maker}(${value.size})`;
    entries = [...value].map(([key, one]) => `${inner(key)} => ${inner(one)}`);
  } else if (value instanceof Set) {
    prefix = `${maker}(${value.size})`;
    entries = [...value].map(inner);
  } else if (prefix === '') {
    if (prototype === null) prefix = '[Object: null prototype]';
    else if (maker && maker !== 'Object') prefix = maker;
    if (type !== 'Object' && type !== maker && prefix) prefix += ` [${type}]`;
  }
  const shownKeys = [...keys, ...Object.getOwnPropertySymbols(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key))];
  for (const key of shownKeys) {
    const { get, set, value: one } = Object.getOwnPropertyDescriptor(value, key);
    const name = typeof key === 'symbol' ? `[${String(key)}]` : WORD.test(key) ? key : quote(key);
    const shown = get ? (set ? '[Getter/Setter]' : '[Getter]') : set ? '[Setter]' : inner(one);
    entries.push(`${name}: ${shown}`);
  }
  const start = prefix ? `${prefix} ` : '';
  if (!entries.length) return `${start}${open}${close}`;
  const line = `${start}${open} ${entries.join(', ')} ${close}`;
  const simple = entries.length <= 6 || entries.every((entry) => entry.length < 7);
  if (!line.includes('\n') && line.length <= settings.breakLength - 4 && (simple || line.length <= 72)) return line;
  const pad = '  '.repeat(level + 1);
  return `${start}${open}\n${pad}${entries.join(`,\n${pad}`)}\n${'  '.repeat(level)}${close}`;
}
inspect.custom = custom;
inspect.defaultOptions = {};

function formatWithOptions(options, first, ...rest) {
  let text = '';
  if (typeof first === 'string') {
    text = rest.length === 0 ? first : first.replace(/%[sdifjoOc%]/g, (mark) => {
      if (mark === '%%') return '%';
      if (!rest.length) return mark;
      const value = rest.shift();
      if (mark === '%s') {
        if (typeof value === 'bigint') return `${value}n`;
        return isObject(value) && !(value instanceof Error) && value.toString === Object.prototype.toString
          ? inspect(value, { ...options, depth: 0 }) : Object.is(value, -0) ? '-0' : String(value);
      }
      if (mark === '%d') return typeof value === 'bigint' ? `${value}n` : isObject(value) ? 'NaN' : primitive(Number(value));
      if (mark === '%i') return isObject(value) ? 'NaN' : String(parseInt(value, 10));
      if (mark === '%f') return String(parseFloat(value));
      if (mark === '%j') {
        try {
          return JSON.stringify(value);
        } catch {
          return '[Circular]';
        }
      }
      return mark === '%c' ? '' : inspect(value, mark === '%o' ? { ...options, depth: 4 } : options);
    });
  } else if (arguments.length > 1) text = inspect(first, options);
  for (const value of rest) text += ` ${typeof value === 'string' ? value : inspect(value, options)}`;
  return text;
}

function isDeepStrictEqual(a, b, seen = []) {
  if (Object.is(a, b)) return true;
  if (!isObject(a) || !isObject(b) || Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (seen.some(([x, y]) => x === a && y === b)) return true;
  const next = [...seen, [a, b]];
  const same = (x, y) => isDeepStrictEqual(x, y, next);
  if (a instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (a instanceof RegExp) return String(a) === String(b) && a.lastIndex === b.lastIndex;
  if (a instanceof Error && (a.message !== b.message || a.name !== b.name)) return false;
  if (a instanceof Map) return a.size === b.size && [...a].every(([key, value]) => (b.has(key) ? same(value, b.get(key)) : [...b].some(([k, v]) => same(key, k) && same(value, v))));
  if (a instanceof Set) return a.size === b.size && [...a].every((value) => b.has(value) || [...b].some((other) => same(value, other)));
  if (['Number', 'String', 'Boolean'].includes(kind(a)) && kind(a) === kind(b) && !Object.is(a.valueOf(), b.valueOf())) return false;
  const keys = Reflect.ownKeys(a).filter((key) => Object.prototype.propertyIsEnumerable.call(a, key));
  const others = Reflect.ownKeys(b).filter((key) => Object.prototype.propertyIsEnumerable.call(b, key));
  return (!Array.isArray(a) || a.length === b.length) && keys.length === others.length
    && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

function promisify(original) {
  if (typeof original !== 'function') {
    throw Object.assign(new TypeError('The "original" argument must be of type function'), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  if (original[promisify.custom]) return original[promisify.custom];
  return function (...values) {
    return new Promise((resolve, reject) => {
      original.call(this, ...values, (error, value) => (error ? reject(error) : resolve(value)));
    });
  };
}
promisify.custom = Symbol.for('nodejs.util.promisify.custom');

const types = {
  isDate: (value) => value instanceof Date, isRegExp: (value) => value instanceof RegExp, isPromise: (value) => value instanceof Promise,
  isMap: (value) => value instanceof Map, isSet: (value) => value instanceof Set, isNativeError: (value) => value instanceof Error,
  isWeakMap: (value) => value instanceof WeakMap, isWeakSet: (value) => value instanceof WeakSet,
  isTypedArray: (value) => ArrayBuffer.isView(value) && !(value instanceof DataView), isArrayBufferView: ArrayBuffer.isView,
  isUint8Array: (value) => value instanceof Uint8Array, isDataView: (value) => value instanceof DataView,
  isArrayBuffer: (value) => value instanceof ArrayBuffer, isAnyArrayBuffer: (value) => value instanceof ArrayBuffer,
  isSharedArrayBuffer: () => false, isProxy: () => false, isExternal: () => false, isModuleNamespaceObject: (value) => kind(value) === 'Module',
  isAsyncFunction: (value) => kind(value) === 'AsyncFunction', isGeneratorFunction: (value) => kind(value).endsWith('GeneratorFunction'),
  isGeneratorObject: (value) => kind(value) === 'Generator', isSymbolObject: (value) => isObject(value) && kind(value) === 'Symbol',
  isStringObject: (value) => value instanceof String, isNumberObject: (value) => value instanceof Number,
  isBooleanObject: (value) => value instanceof Boolean, isBoxedPrimitive: (value) => isObject(value) && value.valueOf() !== value,
  isArgumentsObject: (value) => kind(value) === 'Arguments', isKeyObject: (value) => kind(value) === 'KeyObject',
  isCryptoKey: (value) => kind(value) === 'CryptoKey', isUint16Array: (value) => value instanceof Uint16Array,
};

module.exports = {
  inspect, formatWithOptions, isDeepStrictEqual, promisify, types,
  format: (...values) => formatWithOptions({}, ...values),
  debuglog: () => Object.assign(() => undefined, { enabled: false }),
  debug: () => Object.assign(() => undefined, { enabled: false }),
  callbackify: (original) => function (...values) {
    const callback = values.pop();
    original.apply(this, values).then(
      (value) => process.nextTick(callback, null, value),
      (error) => process.nextTick(callback, error || Object.assign(new Error('Promise was rejected with a falsy value'), { reason: error })),
    );
  },
  inherits: (child, parent) => {
    Object.defineProperty(child, 'super_', { value: parent, writable: true, configurable: true });
    Object.setPrototypeOf(child.prototype, parent.prototype);
  },
  deprecate: (original) => original,
  stripVTControlCharacters: (text) => text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, ''),
  styleText: (_, text) => text,
  toUSVString: (text) => `${text}`.toWellFormed(),
  getSystemErrorName: (code) => `E${code}`,
  aborted: (signal) => new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true })),
  isArray: Array.isArray, isBoolean: (value) => typeof value === 'boolean', isNull: (value) => value === null,
  isNullOrUndefined: (value) => value === null || value === undefined, isNumber: (value) => typeof value === 'number',
  isString: (value) => typeof value === 'string', isUndefined: (value) => value === undefined, isObject,
  isFunction: (value) => typeof value === 'function', isRegExp: types.isRegExp, isDate: types.isDate, isError: types.isNativeError,
  isSymbol: (value) => typeof value === 'symbol', isBuffer: (value) => require('buffer').Buffer.isBuffer(value),
  isPrimitive: (value) => !isObject(value) && typeof value !== 'function',
  _extend: (target, source) => Object.assign(target, source), log: (...values) => console.log(...values),
};
for (const name of ['TextEncoder', 'TextDecoder']) {
  Object.defineProperty(module.exports, name, { get: () => require('encoding')[name], enumerable: true });
}
