// os: what packages read to describe themselves.
Object.assign(exports, {
  EOL: '\n', arch: () => 'x64', platform: () => 'linux', type: () => 'Linux', release: () => '5.10.0', hostname: () => 'localhost',
  homedir: () => '/', tmpdir: () => '/tmp', cpus: () => [], totalmem: () => 2 ** 30, freemem: () => 2 ** 29, loadavg: () => [0, 0, 0],
  uptime: () => 0, networkInterfaces: () => ({}), userInfo: () => ({ username: 'script', uid: -1, gid: -1, shell: null, homedir: '/' }),
  endianness: () => 'LE', availableParallelism: () => 1, constants: { signals: {}, errno: {} },
});
