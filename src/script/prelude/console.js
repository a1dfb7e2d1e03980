// console. The host keeps what it says with the login, blots out the values of `configuration` and cuts long lines.
(function (kit) {
  'use strict';
  const { stringify } = JSON;

  function show(value) {
    if (typeof value === 'string') return value;
    // Both hold secrets, and one of them secrets that the host does not know.
    for (const name of ['configuration', 'global']) {
      if (value && value === globalThis[name]) return `${name} {${Object.keys(value).join(', ')}}`;
    }
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    if (typeof value === 'function') return `[function ${value.name || 'without a name'}]`;
    if (value === null || typeof value !== 'object') return String(value);
    const above = [];
    return stringify(value, function (key, inner) {
      while (above.length && above[above.length - 1] !== this) above.pop();
      if (typeof inner === 'bigint') return `${inner}n`;
      if (inner === null || typeof inner !== 'object') return inner;
      if (above.includes(inner)) return '[circular]';
      if (inner instanceof Error) return `${inner.name}: ${inner.message}`;
      above.push(inner);
      return inner;
    });
  }

  function say(level, values) {
    let text;
    try {
      text = values.map(show).join(' ');
    } catch {
      text = '(a value that can not be shown)';
    }
    kit.say(level, text.toWellFormed());
  }

  const console = {};
  for (const level of ['debug', 'log', 'info', 'warn', 'error']) {
    console[level] = (...values) => say(level, values);
  }
  console.trace = console.debug;
  kit.define('console', console);
})
