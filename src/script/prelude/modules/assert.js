// assert, as Node has it; the messages are shorter.
const { inspect, isDeepStrictEqual } = require('util');

class AssertionError extends Error {
  constructor({ message, actual, expected, operator }) {
    super(message);
    const generatedMessage = false;
    Object.assign(this, { name: 'AssertionError', code: 'ERR_ASSERTION', actual, expected, operator, generatedMessage });
  }
}

function fail(actual, expected, message, operator, words) {
  if (message instanceof Error) throw message;
  const shown = message === undefined ? `${inspect(actual)} ${words} ${inspect(expected)}` : `${message}`;
  throw new AssertionError({ message: shown, actual, expected, operator });
}

function ok(value, message) {
  if (!value) fail(value, true, message === undefined ? 'The expression evaluated to a falsy value' : message, '==', '==');
}

// Whether two values are equal if every primitive is compared with ==.
function loose(a, b) {
  // eslint-disable-next-line eqeqeq
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return a == b || (a !== a && b !== b);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  if (a instanceof Date || a instanceof RegExp || a instanceof Map || a instanceof Set) return isDeepStrictEqual(a, b);
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && loose(a[key], b[key]));
}

// Whether a thrown value is what `throws` or `rejects` expects.
function matches(thrown, expected) {
  if (expected === undefined || typeof expected === 'string') return true;
  if (expected instanceof RegExp) return expected.test(`${thrown}`);
  if (typeof expected === 'function') {
    if (expected.prototype !== undefined && thrown instanceof expected) return true;
    return !(expected.prototype instanceof Error || expected === Error) && expected.call({}, thrown) === true;
  }
  return Object.keys(expected).every((key) =>
    expected[key] instanceof RegExp && typeof thrown[key] === 'string' ? expected[key].test(thrown[key]) : isDeepStrictEqual(thrown[key], expected[key]));
}
const check = (thrown, expected, message, operator) => {
  if (!matches(thrown, expected)) {
    if (typeof expected === 'function' && (expected === Error || expected.prototype instanceof Error)) throw thrown;
    fail(thrown, expected, message, operator, 'does not match');
  }
};

const assert = Object.assign((value, message) => ok(value, message), {
  AssertionError,
  ok,
  fail: (message = 'Failed') => fail(undefined, undefined, message, 'fail', ''),
  // eslint-disable-next-line eqeqeq
  equal: (a, b, message) => a == b || (a !== a && b !== b) || fail(a, b, message, '==', '=='),
  // eslint-disable-next-line eqeqeq
  notEqual: (a, b, message) => a != b || fail(a, b, message, '!=', '!='),
  strictEqual: (a, b, message) => Object.is(a, b) || fail(a, b, message, 'strictEqual', '!=='),
  notStrictEqual: (a, b, message) => !Object.is(a, b) || fail(a, b, message, 'notStrictEqual', '==='),
  deepEqual: (a, b, message) => loose(a, b) || fail(a, b, message, 'deepEqual', 'is not loosely deep-equal to'),
  notDeepEqual: (a, b, message) => !loose(a, b) || fail(a, b, message, 'notDeepEqual', 'is loosely deep-equal to'),
  deepStrictEqual: (a, b, message) => isDeepStrictEqual(a, b) || fail(a, b, message, 'deepStrictEqual', 'is not deep-equal to'),
  notDeepStrictEqual: (a, b, message) => !isDeepStrictEqual(a, b) || fail(a, b, message, 'notDeepStrictEqual', 'is deep-equal to'),
  match: (text, pattern, message) => pattern.test(text) || fail(text, pattern, message, 'match', 'does not match'),
  doesNotMatch: (text, pattern, message) => !pattern.test(text) || fail(text, pattern, message, 'doesNotMatch', 'matches'),
  ifError: (value) => {
    if (value !== null && value !== undefined) throw value instanceof Error ? value : new AssertionError({ message: `ifError got unwanted exception: ${value}`, actual: value });
  },
  throws: (run, expected, message) => {
    try {
      run();
    } catch (thrown) {
      return check(thrown, expected, message, 'throws');
    }
    fail(undefined, expected, message === undefined ? 'Missing expected exception.' : message, 'throws', '');
  },
  doesNotThrow: (run) => void run(),
  rejects: async (run, expected, message) => {
    try {
      await (typeof run === 'function' ? run() : run);
    } catch (thrown) {
      return check(thrown, expected, message, 'rejects');
    }
    fail(undefined, expected, message === undefined ? 'Missing expected rejection.' : message, 'rejects', '');
  },
  doesNotReject: async (run) => void (await (typeof run === 'function' ? run() : run)),
});
assert.strict = Object.assign((value, message) => ok(value, message), assert, {
  equal: assert.strictEqual, notEqual: assert.notStrictEqual, deepEqual: assert.deepStrictEqual, notDeepEqual: assert.notDeepStrictEqual,
});
assert.strict.strict = assert.strict;
module.exports = assert;
