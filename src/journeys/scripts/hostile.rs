//! Rules that must be stopped: the login is denied and the host is unharmed.

use std::time::Duration;

use vestibule::script::DenyReason::{self, Failed, OutOfMemory, TimedOut, Unauthorized};

use super::script_host::{ScriptHost, rule, settings};
use crate::waiting::DEADLINE;

/// Long enough for a cold worker on a busy machine to run what passes.
pub(super) const LIMIT: Duration = Duration::from_secs(1);
const PASSING: &str = "function (u, c, cb) { cb(null, u, c); }";

/// A script and the reasons it may be denied for; several where memory and time race.
type Case = (&'static str, &'static [DenyReason]);

const ENDLESS: &[Case] = &[
    ("function () { while (true) {} }", &[TimedOut]),
    ("function () { for (;;) { try { for (;;) {} } catch (e) {} } }", &[TimedOut]),
    ("function () { for (;;) { try { return; } finally { continue; } } }", &[TimedOut]),
    ("function () { return new Array(1e9) + ''; }", &[TimedOut, OutOfMemory]),
    ("function () { return new Array(1e9).join(''); }", &[TimedOut, OutOfMemory]),
    ("function () { new Array(1e9).sort(); }", &[TimedOut, OutOfMemory]),
    ("function () { new Array(2 ** 32 - 1).fill(0); }", &[TimedOut, OutOfMemory]),
    ("function () { String.raw({ raw: { length: 2 ** 53 - 1 } }); }", &[TimedOut, OutOfMemory]),
    ("function () { (3n ** 600000n).toString(); }", &[TimedOut, OutOfMemory]),
    ("function () { /(a+)+$/.test('a'.repeat(40) + 'b'); }", &[TimedOut]),
    ("async function () { for (;;) await 0; }", &[TimedOut]),
    // Without memory for the next job, the chain ends: a login without a callback.
    (
        "function () { const again = () => Promise.resolve().then(again); again(); }",
        &[TimedOut, OutOfMemory, Failed],
    ),
    (
        "function () { const f = () => { Promise.resolve().then(f); Promise.resolve().then(f); }; f(); }",
        &[TimedOut, OutOfMemory, Failed],
    ),
    ("async function () { for (;;) await new Promise((done) => setTimeout(done, 0)); }", &[TimedOut]),
    ("function () { setInterval(() => {}, 1); }", &[TimedOut]),
    ("function () { setTimeout(() => {}, 1e9); }", &[TimedOut]),
    ("function () { for (;;) console.log('x'.repeat(5000)); }", &[TimedOut]),
    (
        "function () { for (;;) { const t = setTimeout(() => {}, 1e6); clearTimeout(t); } }",
        &[TimedOut, DenyReason::Crashed],
    ),
    ("function (u, c, cb) { u.toJSON = () => { for (;;) {} }; cb(null, u, c); }", &[TimedOut]),
    ("function (u, c, cb) { cb(null, u, c); for (;;) {} }", &[TimedOut]),
];

const GREEDY: &[Case] = &[
    (
        "function () { const all = []; for (;;) all.push(new Array(1000).fill(1)); }",
        &[OutOfMemory, TimedOut, Failed],
    ),
    ("function () { let s = 'x'; for (;;) s += s; }", &[OutOfMemory, TimedOut, Failed]),
    (
        "function () { const all = []; for (;;) all.push(new Uint8Array(1e6)); }",
        &[OutOfMemory, TimedOut, Failed],
    ),
    ("function () { new Uint8Array(1e9); }", &[OutOfMemory, Failed]),
    (
        "function () { const m = new Map(); for (let i = 0; ; i++) m.set(i, 'value ' + i); }",
        &[OutOfMemory, TimedOut, Failed],
    ),
    ("function () { const f = () => f() + 1; f(); }", &[Failed]),
    ("function () { JSON.parse('['.repeat(1e6)); }", &[Failed, OutOfMemory]),
    ("function () { eval('('.repeat(1e5)); }", &[Failed, OutOfMemory]),
    ("function () { for (let i = 0; i < 1e4; i++) setTimeout(() => {}, 1e6); }", &[Failed]),
    ("function (u, c, cb) { u.big = 'x'.repeat(300 * 1024); cb(null, u, c); }", &[Failed]),
];

/// None of these is a clean `callback(null, user, context)`.
const UNCLEAN: &[&str] = &[
    "function () { throw null; }",
    "function () { throw undefined; }",
    "async function () { throw null; }",
    "function () {}",
    "async function () {}",
    "function (u, c, cb) { Promise.reject(new Error('unheard')); }",
    "function (u, c, cb) { return callback; }",
    "function (u, c, cb) { cb(null, u, c); throw new Error('after all'); }",
    "function (u, c, cb) { cb(); }",
    "function (u, c, cb) { cb(null); }",
    "function (u, c, cb) { cb(null, u); }",
    "function (u, c, cb) { cb(null, c, u); }",
    "function (u, c, cb) { cb(null, null, c); }",
    "function (u, c, cb) { cb(null, [u], c); }",
    "function (u, c, cb) { cb(null, 'user', c); }",
    "function (u, c, cb) { cb(false, u, c); }",
    "function (u, c, cb) { cb('', u, c); }",
    "function (u, c, cb) { cb(null, { ...u, user_id: 'auth0|someone-else' }, c); }",
    "function (u, c, cb) { delete u.user_id; cb(null, u, c); }",
    "function (u, c, cb) { u.self = u; cb(null, u, c); }",
    "function (u, c, cb) { u.big = 1n; cb(null, u, c); }",
    "function (u, c, cb) { u.toJSON = () => 'text'; cb(null, u, c); }",
    "function (u, c, cb) { cb(null, new Proxy(u, { ownKeys() { throw null; } }), c); }",
    "function (u, c, cb) { let d = {}; for (let i = 0; i < 5000; i++) d = { d }; u.deep = d; cb(null, u, c); }",
    "function (u, c, cb) { cb({ get message() { throw null; }, get name() { throw null; } }); }",
    "function (u, c, cb) { cb(new Proxy({}, { get() { throw 1; } })); }",
];

/// All of them, for the measurements.
pub(super) fn scripts() -> impl Iterator<Item = &'static str> {
    ENDLESS.iter().chain(GREEDY).map(|(script, _)| *script).chain(UNCLEAN.iter().copied())
}

/// Why it was denied. Waits until the [`DEADLINE`]: unkilled, the scripts would run for longer.
async fn deny_reason(host: &ScriptHost, script: &str) -> DenyReason {
    // The rule before it shows that the error names the right one; the login before it starts a worker.
    host.one(PASSING).await.unwrap();
    let rules = [rule("fine", 1, PASSING), rule("hostile", 2, script)];
    let denied = tokio::time::timeout(DEADLINE, host.run(&rules)).await.expect(script).unwrap_err();
    assert_eq!(denied.script, "hostile", "{script}: {denied}");
    denied.reason
}

async fn all_denied(cases: &[Case]) {
    let mut settings = settings();
    settings.time = LIMIT;
    let host = ScriptHost::open(&settings, &[]);
    for (script, reasons) in cases {
        let reason = deny_reason(&host, script).await;
        assert!(reasons.contains(&reason), "{script}: {reason:?}");
    }
    host.one(PASSING).await.unwrap();
    #[cfg(target_os = "linux")]
    wait_until_reaped().await;
    host.scripts.stop().await;
}

#[tokio::test]
async fn an_endless_rule_is_denied_and_leaves_no_zombie() {
    all_denied(ENDLESS).await;
}

#[tokio::test]
async fn a_greedy_rule_is_denied_and_the_next_login_passes() {
    all_denied(GREEDY).await;
}

#[tokio::test]
async fn anything_but_a_clean_callback_is_denied() {
    let mut settings = settings();
    settings.time = LIMIT;
    let host = ScriptHost::open(&settings, &[]);
    for script in UNCLEAN {
        assert_eq!(deny_reason(&host, script).await, Failed, "{script}");
    }
}

#[tokio::test]
async fn a_rule_that_changes_built_ins_does_not_bypass_the_next() {
    let host = ScriptHost::open(&settings(), &[]);
    let bend = "function (u, c, cb) {
        JSON.stringify = () => '{}';
        JSON.parse = () => ({});
        Promise.prototype.then = () => {};
        Object.prototype.user_id = 'auth0|ada';
        Array.prototype.find = () => undefined;
        cb(null, u, c);
      }";
    let close = "function (u, c, cb) { cb(new UnauthorizedError('closed')); }";
    let denied = host.run(&[rule("bends", 1, bend), rule("closes", 2, close)]).await.unwrap_err();
    assert_eq!((denied.script.as_str(), denied.reason), ("closes", Unauthorized), "{denied}");
}

#[tokio::test]
async fn an_inherited_user_id_is_refused() {
    let host = ScriptHost::open(&settings(), &[]);
    let script = "function (u, c, cb) {
        Object.prototype.user_id = u.user_id;
        delete u.user_id;
        cb(null, u, c);
      }";
    let denied = host.one(script).await.unwrap_err();
    assert_eq!((denied.reason, denied.script.as_str()), (Failed, "only-rule"));
    assert!(denied.message.contains("another user_id"), "{denied}");
}

#[tokio::test]
async fn a_script_cannot_reach_outside_its_engine() {
    let host = ScriptHost::open(&settings(), &[]);
    let script = "async function (user, context, callback) {
        user.found = ['std', 'os', 'host', 'Deno', 'XMLHttpRequest', 'WebAssembly', 'Worker']
          .filter((name) => name in globalThis);
        user.imported = await import('std').then(() => true, () => false);
        callback(null, user, context);
      }";
    let user = host.one(script).await.unwrap().user;
    assert_eq!(user["found"], serde_json::json!([]));
    assert_eq!(user["imported"], false);
}

mod load {
    use super::*;
    use crate::scripts::hostile_actions;
    use vestibule::clock::Clock;

    #[tokio::test]
    #[ignore = "measures: make load"]
    async fn an_endless_script_is_denied_within_its_limit_and_250_ms() {
        let mut settings = settings();
        settings.time = LIMIT;
        let host = ScriptHost::open(&settings, &[]);
        let mut slowest = Duration::ZERO;
        for (script, _) in ENDLESS.iter().chain(GREEDY) {
            host.one(PASSING).await.unwrap();
            let clock = Clock::system();
            deny_reason(&host, script).await;
            slowest = slowest.max(clock.elapsed());
        }
        for (code, _) in hostile_actions::ENDLESS {
            let clock = Clock::system();
            hostile_actions::denied(&host, code).await;
            slowest = slowest.max(clock.elapsed());
        }
        let count = ENDLESS.len() + GREEDY.len() + hostile_actions::ENDLESS.len();
        println!("{count} scripts: the slowest was denied after {slowest:?}");
        assert!(slowest <= LIMIT + Duration::from_millis(250));
    }
}

/// Waits until every current zombie among this process's children is reaped. Other tests kill workers too.
#[cfg(target_os = "linux")]
pub(super) async fn wait_until_reaped() {
    let zombies = || {
        let mine = std::process::id().to_string();
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let pid = entry.ok()?.file_name().into_string().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let mut fields = stat.rsplit_once(") ")?.1.split(' ');
            (fields.next()? == "Z" && fields.next()? == mine).then_some(pid)
        });
        processes.collect::<std::collections::BTreeSet<_>>()
    };
    let before = zombies();
    let reaped = async {
        while !before.is_disjoint(&zombies()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(DEADLINE, reaped).await.expect("all zombies are reaped");
}
