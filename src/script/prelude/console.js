// console. The host keeps the lines with the run, redacts secrets and cuts long lines.
(function (host) {
  'use strict';
  const { stringify } = JSON;
  const { keys } = Object;
  const builtIn = new Set(keys(globalThis));
  const isBuiltIn = builtIn.has.bind(builtIn);

  function show(value) {
    if (typeof value === 'string') return value;
    // Both hold secrets; those of `global` are unknown to the host's redaction.
    for (const name of ['configuration', 'global']) {
      if (!value || value !== globalThis[name]) continue;
      return `${name} {${keys(value).filter((key) => !isBuiltIn(key)).join(', ')}}`;
    }
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    if (typeof value === 'function') return `[function ${value.name || 'anonymous'}]`;
    if (value === null || typeof value !== 'object') return String(value);
    const ancestors = [];
    return stringify(value, function (key, inner) {
      while (ancestors.length && ancestors[ancestors.length - 1] !== this) ancestors.pop();
      if (typeof inner === 'bigint') return `${inner}n`;
      if (inner === null || typeof inner !== 'object') return inner;
      if (ancestors.includes(inner)) return '[circular]';
      if (inner instanceof Error) return `${inner.name}: ${inner.message}`;
      ancestors.push(inner);
      return inner;
    });
  }

  function log(level, values) {
    let text;
    try {
      text = values.map(show).join(' ');
    } catch {
      text = '(an unprintable value)';
    }
    host.console(level, text.toWellFormed());
  }

  const console = {};
  for (const level of ['debug', 'log', 'info', 'warn', 'error']) {
    console[level] = (...values) => log(level, values);
  }
  console.trace = console.debug;
  host.define('console', console);
})
