//! Actions that must be stopped: the login is denied, and a neighbour's runs on.

use vestibule::script::Denied;
use vestibule::script::DenyReason::{self, Crashed, Failed, OutOfMemory, TimedOut};

use super::hostile::LIMIT;
use super::script_host::{ScriptHost, action, event, settings};
use crate::waiting::DEADLINE;

/// An action's code and the reasons it may be denied for; several where memory and time race.
type Case = (&'static str, &'static [DenyReason]);

pub(super) const ENDLESS: &[Case] = &[
    ("for (;;) {}", &[TimedOut]),
    ("exports.onExecutePostLogin = () => { for (;;) { try { for (;;) {} } catch {} } };", &[TimedOut]),
    ("exports.onExecutePostLogin = async () => { for (;;) await null; };", &[TimedOut]),
    ("exports.onExecutePostLogin = () => { (async () => { for (;;) await null; })(); };", &[TimedOut]),
    (
        "exports.onExecutePostLogin = () => { const f = () => { queueMicrotask(f); queueMicrotask(f); }; f(); };",
        &[TimedOut, OutOfMemory],
    ),
    ("exports.onExecutePostLogin = () => new Promise(() => setInterval(() => {}, 1));", &[TimedOut]),
    ("exports.onExecutePostLogin = () => ({ then() { for (;;) {} } });", &[TimedOut]),
    ("exports.onExecutePostLogin = () => ({ get then() { for (;;) {} } });", &[TimedOut]),
    ("Object.defineProperty(exports, 'onExecutePostLogin', { get() { for (;;) {} } });", &[TimedOut]),
    ("module.exports = new Proxy({}, { get() { for (;;) {} } });", &[TimedOut]),
    (
        "exports.onExecutePostLogin = (event, api) => api.idToken.setCustomClaim('a', { toJSON() { for (;;) {} } });",
        &[TimedOut],
    ),
    (
        "exports.onExecutePostLogin = (event, api) => api.idToken.setCustomClaim('a', { get b() { for (;;) {} } });",
        &[TimedOut],
    ),
    ("exports.onExecutePostLogin = () => /^(([a-z])+.)+[A-Z]([a-z])+$/.test('a'.repeat(60));", &[TimedOut]),
    (
        "exports.onExecutePostLogin = () => 'x'.repeat(2 ** 28).replace(/x/g, 'yy');",
        &[TimedOut, OutOfMemory, Failed],
    ),
    ("exports.onExecutePostLogin = () => { for (;;) console.log('x'.repeat(9999)); };", &[TimedOut]),
    (
        "exports.onExecutePostLogin = async (event, api) => { for (;;) api.cache.set('k', 'v'.repeat(4000)); };",
        &[Failed, TimedOut],
    ),
    ("exports.onExecutePostLogin = (event, api) => { for (;;) api.cache.get('k'); };", &[TimedOut]),
    (
        "exports.onExecutePostLogin = async () => { for (;;) await fetch('http://a.example/').catch(() => {}); };",
        &[TimedOut],
    ),
    (
        "exports.onExecutePostLogin = () => { const f = () => { try { f(); } finally { f(); } }; f(); };",
        &[TimedOut, Failed],
    ),
    ("require = () => { for (;;) {} }; exports.onExecutePostLogin = () => require('x');", &[TimedOut]),
    (
        "Array.prototype[Symbol.iterator] = () => { for (;;) {} }; exports.onExecutePostLogin = () => [...[1]];",
        &[TimedOut],
    ),
];

const STOPPED: &[Case] = &[
    (
        "exports.onExecutePostLogin = () => { const a = []; for (;;) a.push(new Array(1e4).fill({})); };",
        &[OutOfMemory, TimedOut, Failed],
    ),
    (
        "exports.onExecutePostLogin = (event, api) => { for (;;) api.user.setAppMetadata('a', 1); };",
        &[Failed],
    ),
    (
        "exports.onExecutePostLogin = () => Promise.all(Array.from({ length: 5000 }, () => fetch('http://a.example/')));",
        &[Failed, TimedOut],
    ),
    ("exports.onExecutePostLogin = (event, api) => api.idToken.setCustomClaim('a', 1n);", &[Failed]),
    (
        "exports.onExecutePostLogin = (event, api) => { const a = {}; a.a = a; api.idToken.setCustomClaim('a', a); };",
        &[Failed],
    ),
    (
        "exports.onExecutePostLogin = (event, api) => { let a = {}; for (let n = 0; n < 9e4; n++) a = { a }; api.idToken.setCustomClaim('a', a); };",
        &[Failed, OutOfMemory],
    ),
    (
        "exports.onExecutePostLogin = (event, api) => api.access.deny(Symbol('x'));\nthrow Symbol('y');",
        &[Failed],
    ),
    (
        "exports.onExecutePostLogin = () => { throw new Proxy({}, { get() { throw null; }, has() { throw null; } }); };",
        &[Failed],
    ),
    ("exports.onExecutePostLogin = () => Promise.reject({ get name() { throw 1; } });", &[Failed]),
    ("exports.onExecutePostLogin = () => Promise.reject();", &[Failed]),
    (
        "Promise.prototype.then = () => {}; exports.onExecutePostLogin = async () => { await 0; throw 1; };",
        &[Failed],
    ),
    (
        "Promise.prototype.constructor = class { constructor(f) { f(() => {}, () => {}); } }; exports.onExecutePostLogin = async () => { throw 1; };",
        &[Failed],
    ),
    (
        "JSON.stringify = () => '[]'; JSON.parse = () => ({}); exports.onExecutePostLogin = () => null.x;",
        &[Failed],
    ),
    ("delete globalThis.Object; Proxy = undefined; exports.onExecutePostLogin = () => null.x;", &[Failed]),
    (
        "Object.prototype.ended = true; Object.prototype.then = 1; exports.onExecutePostLogin = () => null.x;",
        &[Failed],
    ),
    ("Error.prototype.toString = () => { throw 1; }; exports.onExecutePostLogin = () => null.x;", &[Failed]),
    ("Object.freeze(exports); exports.onExecutePostLogin = () => {};", &[Failed]),
    ("module.exports = null;", &[Failed]),
    ("}); (function () { for (;;) {} })(); (function () {", &[Failed, TimedOut]),
    ("require('fs');", &[Failed]),
    ("require('__proto__')();", &[Failed]),
    ("require('../../../etc/passwd');", &[Failed]),
    ("exports.onExecutePostLogin = async () => { await import('std'); };", &[Failed]),
    ("exports.onExecutePostLogin = () => eval('('.repeat(1e5));", &[Failed, OutOfMemory]),
    ("exports.onExecutePostLogin = () => new Function('return '.repeat(1e5))();", &[Failed, OutOfMemory]),
    ("exports.onExecutePostLogin = () => { const f = (n) => f(n + 1) + 1; return f(0); };", &[Failed]),
    ("exports.onExecutePostLogin = () => new ArrayBuffer(2 ** 40);", &[Failed, OutOfMemory]),
    (
        "exports.onExecutePostLogin = () => { for (let i = 0; i < 1e4; i++) setTimeout(() => {}, 1e6); };",
        &[Failed, Crashed],
    ),
];

/// Runs a hostile action after one that passes. Waits until the [`DEADLINE`]: unkilled, it would run for longer.
pub(super) async fn denied(host: &ScriptHost, code: &str) -> Denied {
    let actions = [action("fine", "exports.onExecutePostLogin = () => {};"), action("hostile", code)];
    let run = tokio::time::timeout(DEADLINE, host.act(&actions, event())).await.expect(code);
    let denied = run.expect_err(code);
    assert_eq!(denied.script, "hostile", "{code}: {denied}");
    denied
}

async fn all_denied(cases: &[Case]) {
    let mut settings = settings();
    settings.time = LIMIT;
    let host = ScriptHost::open(&settings, &[]);
    let fine = [action("fine", "exports.onExecutePostLogin = () => {};")];
    for (code, reasons) in cases {
        // A neighbour passes on the other worker all the while.
        let mut hostile = std::pin::pin!(denied(&host, code));
        let denied = loop {
            tokio::select! {
                denied = &mut hostile => break denied,
                passed = host.act(&fine, event()) => { passed.expect(code); }
            }
        };
        assert!(reasons.contains(&denied.reason), "{code}: {denied}");
    }
    #[cfg(target_os = "linux")]
    super::hostile::wait_until_reaped().await;
    host.scripts.stop().await;
}

#[tokio::test]
async fn an_endless_action_is_denied_while_a_neighbour_passes() {
    all_denied(ENDLESS).await;
}

#[tokio::test]
async fn a_greedy_or_broken_action_is_denied_while_a_neighbour_passes() {
    all_denied(STOPPED).await;
}

#[tokio::test]
async fn an_action_cannot_settle_its_own_run_or_reach_the_host() {
    let host = ScriptHost::open(&settings(), &[]);
    // It is denied by the action after it, whatever it does to the objects around it.
    let bends = "Object.prototype.ended = true;
        for (const name of ['apply', 'call', 'bind']) Function.prototype[name] = () => {};
        Proxy = Reflect.get = Reflect.defineProperty = undefined;
        exports.onExecutePostLogin = async (event, api) => {
          const found = ['host', 'std', 'os', 'Deno', 'Worker', 'WebAssembly'].filter((name) => name in globalThis);
          api.idToken.setCustomClaim('found', found);
          for (const key of Reflect.ownKeys(api)) delete api[key];
        };";
    let closes = "exports.onExecutePostLogin = (event, api) => api.access.deny('closed');";
    for _ in 0..2 {
        let output = host.act(&[action("bends", bends), action("closes", closes)], event()).await.unwrap();
        assert_eq!(output.effects.id_token["found"], serde_json::json!([]));
        assert!(matches!(output.outcome, vestibule::script::Outcome::Denied { .. }), "{:?}", output.outcome);
    }
}
