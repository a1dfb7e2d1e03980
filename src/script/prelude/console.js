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

  // The values that a format such as `%s` takes are shown in its place.
  function format([first, ...rest]) {
    const text = show(first).replace(/%([sdifjoOc%])/g, (whole, kind) => {
      if (kind === '%') return '%';
      if (rest.length === 0) return whole;
      const value = rest.shift();
      return kind === 'c' ? '' : show(/[dif]/.test(kind) ? Number(value) : value);
    });
    return [text, ...rest.map(show)].join(' ');
  }

  function log(level, values) {
    let text;
    try {
      const isFormat = values.length > 1 && typeof values[0] === 'string' && values[0].includes('%');
      text = isFormat ? format(values) : values.map(show).join(' ');
    } catch {
      text = '(an unprintable value)';
    }
    host.console(level, text.toWellFormed());
  }

  const console = {};
  for (const level of ['debug', 'log', 'info', 'warn', 'error']) {
    console[level] = (...values) => log(level, values);
  }
  const [counts, started] = [{ __proto__: null }, { __proto__: null }];
  const elapsed = (label = 'default', ...values) => log('log', [`${label}: ${Date.now() - started[label]}ms`, ...values]);
  Object.assign(console, {
    trace: console.debug, dir: (value) => log('log', [value]), table: (value) => log('log', [value]),
    group: console.log, groupCollapsed: console.log, groupEnd: () => {},
    assert: (isTrue, ...values) => isTrue || log('error', ['Assertion failed', ...values]),
    count: (label = 'default') => log('log', [`${label}: ${(counts[label] = (counts[label] || 0) + 1)}`]),
    countReset: (label = 'default') => delete counts[label],
    time: (label = 'default') => { started[label] = Date.now(); }, timeLog: elapsed, timeEnd: elapsed,
  });
  host.define('console', console);
})
