//! The results of rules, and the globals they can use.

use serde_json::json;
use vestibule::script::{ConsoleLevel, DenyReason, MetadataKind};

use super::http_stub::{HttpStub, response};
use super::script_host::{ScriptHost, context, rule, settings, user};
use crate::waiting::wait_until;

#[tokio::test]
async fn rules_run_in_order_each_with_the_result_of_the_one_before() {
    let host = ScriptHost::open(&settings(), &[]);
    let step = |letter: &str| {
        format!(
            "function (user, context, callback) {{
               user.trail = (user.trail || '') + '{letter}';
               context.idToken['https://ns/{letter}'] = user.trail;
               callback(null, user, context);
             }}"
        )
    };
    let mut off = rule("switched-off", 15, &step("x"));
    off.enabled = false;
    let rules = [
        rule("third", 30, &format!("async {};", step("c"))),
        rule("first", 10, &step("a")),
        off,
        rule("second", 20, &format!("/* a comment */ {}", step("b"))),
    ];
    let outcome = host.run(&rules).await.unwrap();
    assert_eq!(outcome.user["trail"], "abc");
    assert_eq!(
        outcome.context["idToken"],
        json!({ "https://ns/a": "a", "https://ns/b": "ab", "https://ns/c": "abc" })
    );
    assert_eq!(outcome.user["email"], user()["email"]);
}

#[tokio::test]
async fn without_enabled_rules_a_login_passes_unchanged_and_starts_no_process() {
    let host = ScriptHost::open(&settings(), &[]);
    let mut off = rule("switched-off", 1, "function () {}");
    off.enabled = false;
    let outcome = host.run(&[off]).await.unwrap();
    assert_eq!((outcome.user, outcome.context), (user(), context()));
    #[cfg(target_os = "linux")]
    assert!(host.pids().is_empty());
}

#[tokio::test]
async fn each_kind_of_error_has_a_reason_and_names_the_rule() {
    use DenyReason::{Failed, Unauthorized, Validation};
    let host = ScriptHost::open(&settings(), &[]);
    let cases = [
        (
            "function (u, c, cb) { cb(new UnauthorizedError('Not on Sundays')); }",
            Unauthorized,
            "Not on Sundays",
        ),
        ("async function () { throw new UnauthorizedError('No'); }", Unauthorized, "No"),
        ("function (u, c, cb) { cb(new ValidationError('age', 'Too young')); }", Validation, "Too young"),
        ("function (u, c, cb) { cb(new Error('out of luck')); }", Failed, "out of luck"),
        ("function (u, c, cb) { cb('just text'); }", Failed, "just text"),
        ("function (u) {\n  return u.missing.field;\n}", Failed, "(line 2)"),
        (
            "function (u) { undefinedName(); }",
            Failed,
            "it threw ReferenceError: undefinedName is not defined (line 1)",
        ),
        ("async function () { await 0; throw new TypeError('late'); }", Failed, "it threw TypeError: late"),
        (
            "function (u, c, cb) { setTimeout(() => { throw new Error('timer'); }, 1); }",
            Failed,
            "Error: timer",
        ),
        ("function (u, c { }", Failed, "it does not compile: SyntaxError"),
        ("42", Failed, "it is not a function"),
        (
            "function (u, c, cb) { require('lodash@4'); }",
            Failed,
            "Cannot find module 'lodash'; it is neither built in nor in the bundle's node_modules",
        ),
    ];
    for (script, reason, part) in cases {
        let passing = rule("fine", 1, "function (u, c, cb) { cb(null, u, c); }");
        let denied = host.run(&[passing, rule("failing", 2, script)]).await.unwrap_err();
        assert_eq!(denied.reason, reason, "{script}: {denied}");
        assert_eq!(denied.script, "failing", "{script}");
        assert!(denied.message.contains(part), "{script}: {denied}");
        assert!(denied.to_string().contains("failing"), "{denied}");
    }
}

#[tokio::test]
async fn a_rule_that_does_not_compile_stops_the_login_before_any_rule_runs() {
    let host = ScriptHost::open(&settings(), &[]);
    let first = "function (u, c, cb) { console.log('ran'); cb(null, u, c); }";
    let denied = host.run(&[rule("first", 1, first), rule("broken", 2, "function (")]).await.unwrap_err();
    assert_eq!(denied.script, "broken");
    assert!(denied.trace.console.is_empty());
}

#[tokio::test]
async fn metadata_updates_reach_the_host_and_their_errors_the_rule() {
    let host = ScriptHost::open(&settings(), &[]);
    let script = "async function (user, context, callback) {
        await auth0.users.updateAppMetadata(user.user_id, { plan: 'free', old: null });
        await auth0.users.updateUserMetadata(user.user_id, { colour: 'red' });
        try {
          await auth0.users.updateAppMetadata('auth0|unknown', {});
        } catch (error) {
          user.failure = error.message;
        }
        user.domain = auth0.domain;
        callback(null, user, context);
      }";
    let outcome = host.one(script).await.unwrap();
    assert_eq!(outcome.user["failure"], "The user does not exist.");
    assert_eq!(outcome.user["domain"], "tenant.example");
    let updates = host.updates.lock().unwrap();
    assert_eq!(updates.len(), 2);
    assert_eq!((updates[0].kind, updates[1].kind), (MetadataKind::App, MetadataKind::User));
    assert_eq!(updates[0].user_id, "auth0|ada");
    assert_eq!(json!(updates[0].metadata), json!({ "plan": "free", "old": null }));
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_and_requests_that_no_script_waits_for_are_made() {
    let stub = HttpStub::open(1, |_| response(200, "")).await;
    let host = ScriptHost::open(&settings(), &[&stub.origin]);
    let rule = |n: usize| {
        format!(
            "function (user, context, callback) {{
               for (let i = 0; i < 5; i++) auth0.users.updateAppMetadata(user.user_id, {{ ['key{n}' + i]: i }});
               fetch('{}');
               callback(null, user, context);
             }}",
            stub.url(&format!("/{n}"))
        )
    };
    for n in 0..10 {
        host.one(&rule(n)).await.unwrap();
        assert_eq!(host.updates.lock().unwrap().len(), (n + 1) * 5, "the login waits for its own updates");
    }
    let arrived = || (0..10).all(|n| stub.requests(&format!("/{n}")).len() == 1);
    wait_until("every request has arrived", arrived);
}

#[tokio::test]
async fn secrets_are_redacted_from_the_console_and_errors() {
    let secret = "s3cr3t-value-with-\"quotes\"";
    let host = ScriptHost::open(&settings(), &[]).configured(&[("API_KEY", secret), ("SHORT", "on")]);
    let script = "function (user, context, callback) {
        const key = configuration.API_KEY;
        console.log('plain', key, 'SHORT is', configuration.SHORT);
        console.warn({ nested: { key } });
        console.error(configuration);
        console.info(Buffer.from(key).toString('base64').replace(/=/g, ''));
        console.debug('x'.repeat(990) + key);
        global.token = 'of another server';
        console.log(global);
        callback(new Error('could not use ' + key));
      }";
    let denied = host.one(script).await.unwrap_err();
    assert_eq!(denied.message, "could not use [configuration.API_KEY]");
    let lines: Vec<_> = denied.trace.console.iter().map(|line| (line.level, line.text.as_str())).collect();
    assert_eq!(lines[0], (ConsoleLevel::Log, "plain [configuration.API_KEY] SHORT is on"));
    assert_eq!(lines[1], (ConsoleLevel::Warn, "{\"nested\":{\"key\":\"[configuration.API_KEY]\"}}"));
    assert_eq!(lines[2], (ConsoleLevel::Error, "configuration {API_KEY, SHORT}"));
    assert_eq!(lines[3], (ConsoleLevel::Info, "[configuration.API_KEY]"));
    assert_eq!(lines[4].1, format!("{}[configura…", "x".repeat(990)));
    assert_eq!(lines[5].1, "global {token}");
    assert!(denied.trace.console.iter().all(|line| line.script == "only-rule"));
}

#[tokio::test]
async fn the_console_has_the_methods_of_nodes() {
    let host = ScriptHost::open(&settings(), &[]);
    let script = "function (u, c, cb) {
        console.log('%s is %d years, %j%%', 'Ada', '36', { a: 1 }, 'more');
        console.log('100%', 1);
        console.group('group'); console.dir({ a: 1 }, { depth: 1 }); console.table([1]); console.groupEnd();
        console.assert(true, 'no'); console.assert(false, 'yes');
        console.count(); console.count(); console.countReset(); console.count();
        console.time('t'); console.timeEnd('t');
        cb(null, u, c);
      }";
    let lines: Vec<_> =
        host.one(script).await.unwrap().trace.console.into_iter().map(|line| line.text).collect();
    let expected = [
        "Ada is 36 years, {\"a\":1}% more",
        "100% 1",
        "group",
        "{\"a\":1}",
        "[1]",
        "Assertion failed yes",
        "default: 1",
        "default: 2",
        "default: 1",
    ];
    assert_eq!(lines[..9], expected);
    assert!(lines[9].starts_with("t: ") && lines[9].ends_with("ms"), "{lines:?}");
}

#[tokio::test]
async fn the_console_of_a_denied_login_is_kept() {
    let host = ScriptHost::open(&settings(), &[]);
    let denied = host
        .one("function (u, c, cb) { console.log('before', [1, u.user_id]); throw 1; }")
        .await
        .unwrap_err();
    assert_eq!(denied.trace.console[0].text, "before [1,\"auth0|ada\"]");
}

#[tokio::test]
async fn buffer_url_and_timers_work_as_in_node() {
    let host = ScriptHost::open(&settings(), &[]);
    let script = r#"async function (user, context, callback) {
        const assert = (ok, what) => { if (!ok) throw new Error(what); };
        for (const text of ['', 'a', 'ab', 'abc', 'grün 🦀']) {
          for (const kind of ['utf8', 'base64', 'base64url', 'hex']) {
            const there = Buffer.from(text).toString(kind);
            assert(Buffer.from(there, kind).toString() === text, kind + ' of ' + text);
          }
        }
        assert(Buffer.from('grün').toString('base64') === 'Z3LDvG4=', 'base64');
        assert(new Buffer('id:secret').toString('base64') === 'aWQ6c2VjcmV0', 'new Buffer');
        assert(Buffer.from([0xff, 0x41]).toString() === '\ufffdA', 'not UTF-8');
        assert(Buffer.byteLength('ü') === 2 && Buffer.isBuffer(Buffer.from('')), 'byteLength');

        const url = new URL('../b?x=1&y=a+b#f', 'https://Example.com:443/a/c');
        assert(url.href === 'https://example.com/b?x=1&y=a+b#f' && url.pathname === '/b', url.href);
        assert(url.searchParams.get('y') === 'a b', 'searchParams');
        url.searchParams.set('x', 'ä&=');
        assert(String(url) === 'https://example.com/b?x=%C3%A4%26%3D&y=a+b#f', String(url));
        let refused = false;
        try { new URL('nonsense'); } catch (error) { refused = error instanceof TypeError; }
        assert(refused, 'a bad URL throws');

        const order = [];
        const never = setTimeout(() => order.push('never'), 5);
        clearTimeout(never);
        await new Promise((resolve) => { setTimeout(resolve, 30); setTimeout(() => order.push('soon'), 1); });
        assert(order.join() === 'soon', 'timers: ' + order);
        callback(null, user, context);
      }"#;
    host.one(script).await.unwrap();
}

#[tokio::test]
async fn global_lasts_for_one_worker_until_rules_or_configuration_change() {
    let mut one_worker = settings();
    one_worker.workers = 1;
    let mut host = ScriptHost::open(&one_worker, &[]).configured(&[("KEY", "first")]);
    let script = "function (user, context, callback) {
        global.count = (global.count || 0) + 1;
        user.count = global.count;
        var local = typeof local === 'undefined' ? 1 : 2;
        user.seen = [count === global.count, local, typeof user.earlier];
        user.earlier = true;
        callback(null, user, context);
      }";
    for count in 1..=3 {
        let user = host.one(script).await.unwrap().user;
        assert_eq!((&user["count"], &user["seen"]), (&json!(count), &json!([true, 1, "undefined"])));
    }
    host = host.configured(&[("KEY", "second")]);
    assert_eq!(host.one(script).await.unwrap().user["count"], 1);
}

#[tokio::test]
async fn only_the_first_call_of_a_callback_counts_and_a_second_is_named() {
    let host = ScriptHost::open(&settings(), &[]);
    let outcome = host.one("function (u, c, cb) { cb(null, u, c); cb(new Error('later')); }").await.unwrap();
    assert!(outcome.trace.console[0].text.contains("called its callback again"), "{outcome:?}");
    let denied =
        host.one("function (u, c, cb) { cb(new Error('first')); cb(null, u, c); }").await.unwrap_err();
    assert_eq!(denied.message, "first");
}
