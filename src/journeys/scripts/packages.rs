//! npm packages in the bundle's `node_modules`: how they are found, and what is refused.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::script::DenyReason;

use super::script_host::{ScriptHost, settings};

/// The files of a small `node_modules`.
const FILES: [(&str, &str); 38] = [
    ("plain/package.json", r#"{"name":"plain","version":"1.2.3","main":"lib/main"}"#),
    (
        "plain/lib/main.js",
        "exports.name = 'plain'; exports.inner = require('./inner'); exports.data = require('../data.json'); exports.file = __filename; exports.dir = __dirname;",
    ),
    ("plain/lib/inner/index.js", "module.exports = function inner() { return typeof this; };"),
    ("plain/data.json", "\u{feff}{\"a\":[1,2]}"),
    ("plain/deep/file.js", "module.exports = 'deep';"),
    ("index-only/index.js", "module.exports = 'index';"),
    (
        "circle/index.js",
        "exports.before = 1; const other = require('./other'); exports.after = 2; exports.seen = other.seen;",
    ),
    ("circle/other.js", "const index = require('./index'); exports.seen = Object.keys(index);"),
    ("nested/index.js", "module.exports = require('shared');"),
    ("nested/node_modules/shared/index.js", "module.exports = 'nested shared';"),
    ("shared/index.js", "module.exports = 'outer shared';"),
    (
        "@scope/pkg/package.json",
        r#"{"name":"@scope/pkg","exports":{".":{"import":"./m.mjs","require":"./c.cjs"},"./sub/*":"./inner/*.js","./self":"./self.js","./hidden/*":null}}"#,
    ),
    ("@scope/pkg/c.cjs", "module.exports = 'commonjs';"),
    ("@scope/pkg/m.mjs", "export default 'module';"),
    ("@scope/pkg/inner/x.js", "module.exports = 'x';"),
    ("@scope/pkg/self.js", "module.exports = require('@scope/pkg');"),
    (
        "modern/package.json",
        r##"{"name":"modern","type":"module","exports":"./index.js","imports":{"#own":"./own.js"}}"##,
    ),
    (
        "modern/index.js",
        "import own, { two } from '#own'; import plain, { name } from 'plain'; import { createHash } from 'node:crypto'; export const sum = own + two; export { name }; export default function go() { return plain.inner() + createHash('md5').update('').digest('hex').slice(0, 4); } export const url = import.meta.url;",
    ),
    ("modern/own.js", "export const two = 2; export default 40;"),
    ("undeclared/index.js", "import shared from 'shared';\nexport const where = shared;"),
    ("waits/package.json", r#"{"name":"waits","type":"module","main":"index.js"}"#),
    ("waits/index.js", "export const value = await Promise.resolve(7);"),
    ("throws/index.js", "throw new Error('the package is broken');"),
    ("native/index.js", "module.exports = require('./build/native.node');"),
    ("native/build/native.node", "\u{7f}ELF"),
    ("asks/index.js", "module.exports = require('not-installed');"),
    (
        "uses/index.js",
        "const { Buffer } = require('buffer'); exports.jwt = typeof require('jsonwebtoken').sign; exports.hex = Buffer.from('a').toString('hex'); exports.global = global === globalThis; exports.text = require('fs').readFileSync(__dirname + '/list.txt', 'utf8'); exports.env = process.env.NODE_ENV;",
    ),
    ("uses/list.txt", "one\ntwo"),
    ("axios/index.js", "module.exports = 'installed axios';"),
    ("needs-axios/index.js", "module.exports = require('axios');"),
    (
        "old-class/index.js",
        "var util = require('util'), E = require('events'); function T() { E.call(this); } util.inherits(T, E); module.exports = T;",
    ),
    ("counter/index.js", "let count = 0; module.exports = () => ++count;"),
    ("shebang/index.js", "#!/usr/bin/env node\nmodule.exports = 'run';"),
    (
        "lodash/index.js",
        "module.exports = { get: (of, path) => path.split('.').reduce((o, k) => (o || {})[k], of) };",
    ),
    ("wrong-json/index.js", "module.exports = require('./x.json');"),
    ("wrong-json/x.json", "{"),
    ("syntax/index.js", "module.exports = (;"),
    (
        "exports-default/package.json",
        r#"{"name":"exports-default","exports":{"node":{"default":"./n.js"},"default":"./d.js"}}"#,
    ),
];

fn bundle() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in FILES.into_iter().chain([("exports-default/n.js", "module.exports = 'node';")]) {
        let path = folder.path().join("node_modules").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

fn host(bundle: &Path) -> ScriptHost {
    ScriptHost::open(&settings(), &[]).with_packages(bundle)
}

/// What an expression in a rule is.
async fn value(host: &ScriptHost, expression: &str) -> Result<Value, String> {
    let script = format!(
        "async function (user, context, callback) {{ user.seen = [{expression}]; callback(null, user, context); }}"
    );
    host.one(&script).await.map(|output| output.user["seen"][0].clone()).map_err(|denied| {
        assert_eq!(denied.reason, DenyReason::Failed, "{denied}");
        denied.message
    })
}

#[tokio::test]
async fn packages_are_found_as_node_finds_them() {
    let folder = bundle();
    let host = host(folder.path());
    let cases = [
        ("require('plain').name", json!("plain")),
        ("require('plain@1.0.0').inner()", json!("object")),
        ("require('plain').data", json!({ "a": [1, 2] })),
        (
            "[require('plain').file, require('plain').dir]",
            json!(["/node_modules/plain/lib/main.js", "/node_modules/plain/lib"]),
        ),
        ("require('plain/deep/file')", json!("deep")),
        ("require('plain/package.json').version", json!("1.2.3")),
        ("require('index-only')", json!("index")),
        ("require('circle')", json!({ "before": 1, "after": 2, "seen": ["before"] })),
        ("[require('nested'), require('shared')]", json!(["nested shared", "outer shared"])),
        (
            "[require('@scope/pkg'), require('@scope/pkg@2/sub/x'), require('@scope/pkg/self')]",
            json!(["commonjs", "x", "commonjs"]),
        ),
        ("(await import('@scope/pkg')).default", json!("module")),
        (
            "[require('modern').sum, require('modern').name, require('modern').default(), require('modern').url]",
            json!([42, "plain", "objectd41d", "file:///node_modules/modern/index.js"]),
        ),
        ("[require('undeclared').where, require('modern').sum]", json!(["outer shared", 42])),
        ("(await import('modern')).default === require('modern').default", json!(true)),
        ("require('undeclared').where", json!("outer shared")),
        ("(await import('waits')).value", json!(7)),
        ("require('uses')", json!({ "jwt": "function", "hex": "61", "global": true, "text": "one\ntwo" })),
        // Built-in packages come first for a script, installed ones for a package.
        ("[typeof require('axios').get, require('needs-axios')]", json!(["function", "installed axios"])),
        ("new (require('old-class'))().on('x', () => 1).emit('x')", json!(true)),
        ("require('shebang')", json!("run")),
        ("require('exports-default')", json!("node")),
        ("require.resolve('plain')", json!("/node_modules/plain/lib/main.js")),
        ("(await import('node:path')).join('a', 'b')", json!("a/b")),
        ("(await import('crypto')).default === require('crypto')", json!(true)),
    ];
    for (expression, expected) in cases {
        assert_eq!(value(&host, expression).await, Ok(expected), "{expression}");
    }
}

#[tokio::test]
async fn a_module_that_cannot_be_had_is_an_error_that_says_what_to_do() {
    let folder = bundle();
    let modules = folder.path().join("node_modules");
    std::fs::write(folder.path().join("outside.js"), "module.exports = 'secret'").unwrap();
    std::os::unix::fs::symlink("../outside.js", modules.join("escape.js")).unwrap();
    std::os::unix::fs::symlink("..", modules.join("up")).unwrap();
    std::fs::write(modules.join("big.js"), "/".repeat(4 * 1024 * 1024)).unwrap();
    let host = host(folder.path());
    let cases = [
        (
            "require('pg@8')",
            "Cannot find module 'pg'; it is neither built in nor in the bundle's node_modules: run \"npm install pg\"",
        ),
        ("require('@x/y/z')", "run \"npm install @x/y\""),
        ("require('./utilities')", "a script has no files of its own"),
        ("require('../../etc/passwd')", "a script has no files of its own"),
        ("require('/etc/passwd')", "a script has no files of its own"),
        ("require('plain/../../outside.js')", "leads out of the bundle's node_modules"),
        ("require('escape.js')", "leads out of the bundle's node_modules"),
        ("require('up/outside.js')", "leads out of the bundle's node_modules"),
        ("require('plain/../../no-such-file.js')", "leads out of the bundle's node_modules"),
        ("require('plain/nope')", "Cannot find module 'plain/nope'"),
        ("require('native')", "is native code (native/build/native.node)"),
        ("require('asks')", "Cannot find module 'not-installed'\nRequired by /node_modules/asks/index.js"),
        ("require('@scope/pkg/c.cjs')", "Package subpath './c.cjs' is not defined by \"exports\""),
        ("require('@scope/pkg/hidden/x')", "is not defined by \"exports\""),
        ("require('waits')", "awaits at its top level; load it with import()"),
        ("require('throws')", "the package is broken"),
        ("require('wrong-json')", "SyntaxError"),
        ("require('syntax')", "SyntaxError"),
        ("require('big.js')", "it is over 3145728 bytes"),
        ("require('node:nope')", "No such built-in module: node:nope"),
        ("require('fs').readFileSync('/etc/passwd')", "ENOENT"),
        ("require('fs').readFileSync('/node_modules/../outside.js')", "ENOENT"),
        ("require('net').connect(1)", "net.connect is not available: scripts have no sockets"),
        ("require('child_process').execSync('id')", "scripts have no processes"),
        ("require(5)", "require() takes the name of a module"),
    ];
    for (expression, expected) in cases {
        let error = value(&host, expression).await.unwrap_err();
        assert!(error.contains(expected), "{expression}: {error}");
    }
    let host = ScriptHost::open(&settings(), &[]);
    let error = value(&host, "require('plain')").await.unwrap_err();
    assert!(error.contains("npm install plain"), "{error}");
}

#[tokio::test]
async fn a_package_is_loaded_once_in_a_worker_and_again_after_an_error() {
    let folder = bundle();
    let mut settings = settings();
    settings.workers = 1;
    let host = ScriptHost::open(&settings, &[]).with_packages(folder.path());
    for expected in 1..=2 {
        assert_eq!(value(&host, "require('counter')()").await, Ok(json!(expected)));
    }
    let twice =
        "[1, 2].map(() => { try { return require('throws'); } catch (error) { return error.message; } })";
    assert_eq!(value(&host, twice).await, Ok(json!(["the package is broken", "the package is broken"])));
    std::fs::write(folder.path().join("node_modules/late.js"), "module.exports = 'late';").unwrap();
    assert_eq!(value(&host, "require('late')").await, Ok(json!("late")));
}

#[tokio::test]
async fn a_timer_and_a_fetch_go_on_while_a_package_is_read() {
    let folder = bundle();
    let script = "new Promise((resolve) => { setTimeout(() => resolve('timer'), 1); for (const name of ['plain', 'modern', 'nested']) require(name); })";
    assert_eq!(value(&host(folder.path()), &format!("await {script}")).await, Ok(json!("timer")));
}

#[tokio::test]
async fn thousands_of_searches_end_in_an_error_within_the_limit() {
    let folder = bundle();
    let mut settings = settings();
    settings.time = Duration::from_secs(60);
    let host = ScriptHost::open(&settings, &[]).with_packages(folder.path());
    let script = "(() => { for (let i = 0; i < 1e6; i++) try { require('x' + i); } catch (error) { if (error.code === 'ELIMIT') return i; } })()";
    assert_eq!(value(&host, script).await, Ok(json!(10_000)));
}
