// path, as Node has it on POSIX. The working directory is "/".
const text = (value, name) => {
  if (typeof value === 'string') return value;
  const message = `The "${name}" argument must be of type string. Received ${value === null ? 'null' : typeof value}`;
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
};

function clean(path, above) {
  const parts = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length && parts.at(-1) !== '..') parts.pop();
    else if (part !== '..' || above) parts.push(part);
  }
  return parts.join('/');
}

const posix = {
  sep: '/',
  delimiter: ':',
  isAbsolute: (path) => text(path, 'path').startsWith('/'),
  normalize(path) {
    if (!text(path, 'path')) return '.';
    const absolute = path.startsWith('/');
    let cleaned = clean(path, !absolute);
    if (!cleaned && !absolute) cleaned = '.';
    if (cleaned && path.endsWith('/')) cleaned += '/';
    return (absolute ? '/' : '') + cleaned;
  },
  join(...parts) {
    const joined = parts.filter((part) => text(part, 'path')).join('/');
    return joined ? posix.normalize(joined) : '.';
  },
  resolve(...parts) {
    let path = '';
    for (const part of ['/', ...parts]) if (text(part, 'path')) path = part.startsWith('/') ? part : `${path}/${part}`;
    return `/${clean(path, false)}`;
  },
  relative(from, to) {
    const [a, b] = [from, to].map((path) => posix.resolve(path).split('/').filter(Boolean));
    let same = 0;
    while (same < a.length && same < b.length && a[same] === b[same]) same++;
    return [...a.slice(same).map(() => '..'), ...b.slice(same)].join('/');
  },
  dirname(path) {
    const trimmed = text(path, 'path').replace(/(.)\/+$/, '$1');
    const at = trimmed.lastIndexOf('/');
    if (at < 0) return '.';
    return trimmed.slice(0, at).replace(/\/+$/, '') || '/';
  },
  basename(path, suffix) {
    const base = text(path, 'path').replace(/\/+$/, '').replace(/^.*\//, '');
    return suffix && base !== suffix && base.endsWith(suffix) ? base.slice(0, -suffix.length) : base;
  },
  extname(path) {
    const [, extension = ''] = /^.+?(\.[^.]*)$/.exec(posix.basename(path)) || [];
    return /^\.+$/.test(posix.basename(path)) && posix.basename(path).length < 3 ? '' : extension;
  },
  parse(path) {
    const [base, ext] = [posix.basename(path), posix.extname(path)];
    const dir = posix.dirname(path);
    const root = path.startsWith('/') ? '/' : '';
    return { root, dir: dir === '.' && !path.startsWith('.') ? '' : dir, base, ext, name: ext ? base.slice(0, -ext.length) : base };
  },
  format({ dir, root = '', base, name = '', ext = '' }) {
    const file = base || name + (ext && !ext.startsWith('.') ? `.${ext}` : ext);
    if (!dir) return root + file;
    return dir === root ? dir + file : `${dir}/${file}`;
  },
  toNamespacedPath: (path) => path,
};
posix.posix = posix;
module.exports = posix;
