// require and import: which module a name means. Built-in modules are compiled when a script first needs them, and web
// globals are among them. Everything else is a file of an npm package in the bundle's node_modules, which the host reads.
(function (host) {
  'use strict';
  const { parse, stringify } = JSON;
  const builtIn = new Map(); // the file in modules/ -> its module
  const installed = new Map(); // path -> its module
  const located = new Map(); // folder and specifier -> path
  const sources = new Map(); // path -> [kind, source], until it runs

  function load(file) {
    let module = builtIn.get(file);
    if (!module) {
      module = { exports: {} };
      builtIn.set(file, module);
      try {
        host.compileBuiltIn(file)(module, module.exports, load, host);
      } catch (thrown) {
        builtIn.delete(file);
        throw thrown;
      }
    }
    return module.exports;
  }

  const pick = ([file, member]) => (member ? load(file)[member] : load(file));
  // A file of a package, for fs.
  host.readFile = (path) => host.findModule('/node_modules/', path, false);
  const failure = (code, message) => Object.assign(new Error(message), { code });

  function nodeModule(name) {
    const own = host.nodeModule(name);
    if (!own && name.startsWith('node:')) throw failure('ERR_UNKNOWN_BUILTIN_MODULE', `No such built-in module: ${name}`);
    return own;
  }

  function locate(from, name, isImport) {
    const key = `${from.slice(0, from.lastIndexOf('/'))}\0${isImport}\0${name}`;
    let path = located.get(key);
    if (path === undefined) {
      const [found, kind, source] = host.findModule(from, name, isImport);
      if (!found) throw failure(kind, source);
      if (!installed.has(found) && !sources.has(found)) sources.set(found, [kind, source]);
      located.set(key, (path = found));
    }
    return path;
  }

  // A namespace as `require` returns it.
  function unwrap(namespace) {
    if ('module.exports' in namespace) return namespace['module.exports'];
    if (!('default' in namespace) || '__esModule' in namespace) return namespace;
    const exports = { __esModule: true };
    for (const name of Object.keys(namespace)) {
      Object.defineProperty(exports, name, { enumerable: true, get: () => namespace[name] });
    }
    return exports;
  }

  // Runs the CommonJS files that an ES module imports, before the engine links it: nothing may run while it does.
  const FROM = /(?:^|[\s;}])(?:import|export)\s*(?:[^'"();]*?\bfrom\s*)?(['"])([^'"]+)\1/g;
  const prepared = new Set();
  function prepare(path, source) {
    if (prepared.has(path)) return;
    prepared.add(path);
    for (const [, , name] of source.matchAll(FROM)) {
      try {
        if (nodeModule(name)) continue;
        const found = locate(path, name, true);
        const [kind, inner] = sources.get(found) || [];
        if (kind === 'module') prepare(found, inner);
        else if (kind) loadFile(found);
      } catch {
        // The import itself reports it.
      }
    }
  }

  function run(module, path, kind, source) {
    if (kind === 'json') return (module.exports = parse(source.replace(/^\ufeff/, '')));
    const asModule = () => {
      sources.set(path, ['module', source]);
      prepare(path, source);
      module.exports = unwrap(host.importModule(path));
    };
    if (kind === 'module') return asModule();
    let compiled;
    try {
      compiled = host.compile(path, source);
    } catch (thrown) {
      // As Node does: a file that is no script is taken for a module.
      if (thrown instanceof SyntaxError && /^\s*(?:import|export)\b/m.test(source)) return asModule();
      throw thrown;
    }
    const folder = path.slice(0, path.lastIndexOf('/'));
    compiled.call(module.exports, module.exports, module.require, module, path, folder);
  }

  function loadFile(path) {
    let module = installed.get(path);
    if (!module) {
      const [kind, source] = sources.get(path);
      sources.delete(path);
      module = { id: path, filename: path, path, exports: {}, loaded: false, children: [], paths: [], parent: null };
      module.require = requireOfFile(path);
      installed.set(path, module);
      try {
        run(module, path, kind, source);
      } catch (thrown) {
        installed.delete(path);
        sources.set(path, [kind, source]);
        throw thrown;
      }
      module.loaded = true;
    }
    return module.exports;
  }

  // A package finds Node's modules, then what npm installed for it, then what is built in.
  function requireOfFile(path) {
    const find = (name) => {
      const node = nodeModule(String(name));
      if (node) return { builtIn: node };
      try {
        return { path: locate(path, String(name), false) };
      } catch (thrown) {
        const npm = thrown.code === 'MODULE_NOT_FOUND' && host.npmPackage(String(name));
        if (npm) return { builtIn: npm };
        if (thrown.code === 'MODULE_NOT_FOUND') thrown.message += `\nRequired by ${path}`;
        throw thrown;
      }
    };
    const require = (name) => {
      const found = find(name);
      return found.builtIn ? pick(found.builtIn) : loadFile(found.path);
    };
    require.resolve = (name) => find(name).path || String(name);
    require.cache = Object.create(null);
    return require;
  }

  const said = new Set();

  // The version matters only to packages that are built in: they follow one.
  function noteVersion(name, version, followed) {
    const note = `require("${name}"): the built-in ${name} follows version ${followed}, not ${version}`;
    if (!followed || !/^\d/.test(version) || parseInt(version, 10) === followed || said.has(note)) return;
    said.add(note);
    host.console('debug', note);
  }

  function explain(thrown, name) {
    const stem = /^(?:@[^/]+\/)?[^/]+/.exec(name);
    const advice = {
      MODULE_NOT_FOUND: name.startsWith('.') || name.startsWith('/')
        ? 'a script has no files of its own; put shared code into an npm package or an action module'
        : `it is neither built in nor in the bundle's node_modules: run "npm install ${stem}" in the bundle's folder `
          + '("vestibule tenant npm" prints all that the bundle needs)',
      ERR_NATIVE: 'use a package of plain JavaScript',
    }[thrown.code];
    if (!advice || thrown.explained) return thrown;
    thrown.explained = true;
    thrown.message += `; ${advice}`;
    return thrown;
  }

  // The require function of a script. `versions` are those of the action's dependencies, by package.
  host.requireOf = (versions = {}) => {
    const find = (request) => {
      if (typeof request !== 'string' || !request) throw new TypeError('require() takes the name of a module');
      const [, stem, version, rest] = /^((?:@[^/@]+\/)?[^/@]+)(?:@([^/]+))?(\/.*)?$/.exec(request) || [, request];
      const name = stem + (rest || '');
      const node = nodeModule(name);
      if (node) return { builtIn: node };
      const wanted = String(version || versions[stem] || '');
      const npm = host.npmPackage(name);
      if (npm) {
        noteVersion(name, wanted, npm[2]);
        return { builtIn: npm, wanted };
      }
      try {
        return { path: locate('', name, false) };
      } catch (thrown) {
        throw explain(thrown, name);
      }
    };
    const require = (request) => {
      const found = find(request);
      if (!found.builtIn) return loadFile(found.path);
      const exports = pick(found.builtIn);
      // The packages whose shape depends on the version that the script names.
      return 'ofVersion' in Object(exports) ? exports.ofVersion(found.wanted) : exports;
    };
    require.resolve = (request) => find(request).path || request;
    require.cache = Object.create(null);
    return require;
  };

  // What `import` needs, called from Rust.
  const isFile = (base) => base.startsWith('/node_modules/');
  const NAME = /^(?!(?:default|__esModule)$)[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
  const hook = (step, base, name) => {
    if (step === 'locate') {
      if (installed.has(name) || sources.has(name)) return [name];
      const own = nodeModule(name);
      if (own) return [`node:${name.replace(/^node:/, '')}`];
      if (!isFile(base) && host.npmPackage(name)) return [`npm:${name}`];
      return [locate(isFile(base) ? base : '', name, true)];
    }
    const [, origin, own] = /^(node|npm):(.*)$/.exec(name) || [];
    if (!origin && sources.has(name) && sources.get(name)[0] === 'module') {
      const [, source] = sources.get(name);
      prepare(name, source);
      return [source];
    }
    const exports = !origin ? loadFile(name) : pick(origin === 'node' ? host.nodeModule(own) : host.npmPackage(own));
    const names = Object.keys(Object(exports)).filter((key) => NAME.test(key));
    const members = names.map((key, at) => `const _${at} = all[${stringify(key)}]; export { _${at} as ${key} };`);
    return [`const all = import.meta.exports; export default all; ${members.join('')}`, exports];
  };
  Object.defineProperty(globalThis, host.importHook, { value: hook });

  // Web globals are compiled when a script first reads them.
  host.load = load;
  host.defineLater = (name, make) => {
    const get = () => {
      const value = make();
      host.define(name, value);
      return value;
    };
    Object.defineProperty(globalThis, name, { get, set: (value) => host.define(name, value), configurable: true });
  };
  const define = (names, file) => {
    for (const name of names) host.defineLater(name, () => load(file)[name]);
  };
  define(['Buffer', 'atob', 'btoa'], 'buffer');
  define(['URL', 'URLSearchParams'], 'url');
  define(['TextEncoder', 'TextDecoder'], 'encoding');
  define(['AbortController', 'AbortSignal', 'Event', 'EventTarget'], 'abort');
  define(['Blob', 'File', 'FormData', 'Headers', 'Request', 'Response', 'fetch'], 'fetch');
  // The engine gives it to the first context only.
  define(['DOMException'], 'dom_exception');
  define(['structuredClone'], 'clone');
  define(['crypto', 'Crypto', 'CryptoKey', 'SubtleCrypto'], 'webcrypto');
  define(['process'], 'process');
  define(['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'], 'timers');
})
