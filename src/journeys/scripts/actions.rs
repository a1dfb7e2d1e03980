//! Actions: what they get, what they may ask for, and how a run ends.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vestibule::script::{
    Action, ActionModule, ActionsInput, DenialKind, DenyReason, Effects, Outcome, Suspension, Trigger,
};

use super::script_host::{ScriptHost, action, event, post_login, settings};

/// An action whose handler has this body.
fn handler(name: &str, body: &str) -> Action {
    action(name, &format!("exports.onExecutePostLogin = async (event, api) => {{ {body} }};"))
}

fn secrets(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn actions_run_in_order_and_their_calls_are_applied_together() {
    let host = ScriptHost::open(&settings(), &[]);
    let actions = [
        handler(
            "claims",
            "api.idToken.setCustomClaim('plan', event.user.app_metadata.plan).accessToken.addScope('a');",
        ),
        action(
            "not-async",
            "module.exports = { onExecutePostLogin(event, api) {
               api.accessToken.setCustomClaim('https://ns/n', [1, { a: null }]);
               api.accessToken.removeScope('a');
               api.user.setAppMetadata('plan', 'paid');
               api.user.setUserMetadata('old', null);
               return 'ignored';
             } };",
        ),
    ];
    let output = host.act(&actions, event()).await.unwrap();
    assert_eq!(output.outcome, Outcome::Finished);
    let effects = output.effects;
    assert_eq!(Value::Object(effects.id_token), json!({"plan": "free"}));
    assert_eq!(Value::Object(effects.access_token), json!({"https://ns/n": [1, {"a": null}]}));
    assert_eq!(effects.scopes, BTreeMap::from([("a".to_owned(), false)]));
    assert_eq!(Value::Object(effects.app_metadata), json!({"plan": "paid"}));
    assert_eq!(Value::Object(effects.user_metadata), json!({"old": null}));
    let calls: Vec<_> =
        output.trace.calls.iter().map(|call| (call.script.as_str(), call.member.as_str())).collect();
    assert_eq!(calls[..2], [("claims", "idToken.setCustomClaim"), ("claims", "accessToken.addScope")]);
    assert_eq!(output.trace.calls[0].arguments, r#"["plan","free"]"#);
    let scripts: Vec<_> = output.trace.scripts.iter().map(|script| script.name.as_str()).collect();
    assert_eq!(scripts, ["claims", "not-async"]);
}

#[tokio::test]
async fn each_action_has_its_own_event_and_secrets() {
    let host = ScriptHost::open(&settings(), &[]);
    let one = Action {
        secrets: secrets(&[("KEY", "first-secret")]),
        ..handler(
            "one",
            "event.user.email = 'changed'; globalThis.leak = event.secrets.KEY;
             api.transaction.setMetadata('step', 1).transaction.setMetadata('gone', true).transaction.setMetadata('gone', null);
             api.noop = () => 'added';
             if (api.noop() !== 'added' || event.transaction.metadata.step !== 1) throw new Error('not at once');
             console.log(event.secrets.KEY);",
        )
    };
    let two = Action {
        secrets: secrets(&[("OTHER", "second-secret")]),
        ..handler(
            "two",
            "api.idToken.setCustomClaim('seen', [event.user.email, event.secrets, typeof leak, event.transaction.metadata,
               event.configuration === undefined, 'noop' in api, typeof auth0, typeof configuration]);",
        )
    };
    let output = host.act(&[one, two], event()).await.unwrap();
    let seen = json!(["ada@example.com", {"OTHER": "second-secret"}, "undefined", {"step": 1}, true, false, "undefined", "undefined"]);
    assert_eq!(output.effects.id_token["seen"], seen);
    assert_eq!(Value::Object(output.effects.transaction_metadata), json!({"step": 1, "gone": null}));
    assert_eq!(output.trace.console[0].text, "[secrets.KEY]");
}

#[tokio::test]
async fn a_denial_stops_later_actions_and_keeps_metadata() {
    let host = ScriptHost::open(&settings(), &[]);
    let actions = [
        handler("gate", "api.user.setAppMetadata('denied', true); return api.access.deny('not today');"),
        handler("later", "throw new Error('it ran');"),
    ];
    let output = host.act(&actions, event()).await.unwrap();
    let Outcome::Denied { action, denial } = output.outcome else { panic!("{:?}", output.outcome) };
    assert_eq!(
        (action.as_str(), denial.kind, denial.reason.as_str()),
        ("gate", DenialKind::Access, "not today")
    );
    assert_eq!(Value::Object(output.effects.app_metadata), json!({"denied": true}));
    assert_eq!(output.trace.scripts.len(), 1);
}

#[tokio::test]
async fn an_action_that_fails_denies_the_login_and_is_named() {
    let host = ScriptHost::open(&settings(), &[]);
    let cases = [
        (handler("bad", "\n\nnull.x;"), "it threw TypeError"),
        (handler("bad", "\n  null.x;"), "(line 2)"),
        (action("bad", "exports.onExecutePostLogin = (event, api) => {"), "it does not compile"),
        (action("bad", "null.x;"), "it threw TypeError"),
        (action("bad", "exports.other = 1;"), "it exports no function onExecutePostLogin"),
        (action("bad", "module.exports = null;"), "it exports no function onExecutePostLogin"),
        (handler("bad", "await new Promise(() => {});"), "its promise never settles"),
        (
            handler(
                "bad",
                "setTimeout(() => { throw new Error('late'); }, 1); await new Promise((r) => setTimeout(r, 50));",
            ),
            "Error: late",
        ),
        (
            handler("bad", "api.user.setRoles([]);"),
            "api.user.setRoles is not in post-login, nor in any other",
        ),
        (handler("bad", "api.fetch('x');"), "api.fetch is not in post-login, nor in any other"),
        (
            handler("bad", "api.notification.drop('x');"),
            "api.notification is not in post-login; it is in custom-phone-provider",
        ),
        (
            handler("bad", "api.idToken.setCustomClaim(1, 2);"),
            "api.idToken.setCustomClaim: `name` must be a string",
        ),
        (handler("bad", "api.user.setAppMetadata('a', 'x'.repeat(33000));"), "more than 32768 bytes"),
        (handler("bad", "api.multifactor.enable('sms');"), "`provider` must be"),
        (
            handler("bad", "api.authentication.recordMethod('https://m');"),
            "only available in onContinuePostLogin",
        ),
        (
            handler("bad", "api.authentication.setPrimaryUser('a'); api.authentication.setPrimaryUser('b');"),
            "once",
        ),
        (handler("bad", "api.transaction.setMetadata('a', {});"), "must be a string, a number"),
        (handler("bad", "require('actions:none');"), "no module \"actions:none\""),
    ];
    for (bad, part) in cases {
        let code = bad.code.clone();
        let denied = host.act(&[handler("fine", ""), bad], event()).await.unwrap_err();
        assert_eq!((denied.script.as_str(), denied.reason), ("bad", DenyReason::Failed), "{code}");
        assert!(denied.message.contains(part), "{code}: {denied}");
    }
}

#[tokio::test]
async fn a_redirect_suspends_the_run_and_the_same_action_continues_it() {
    let host = ScriptHost::open(&settings(), &[]);
    let redirects = Action {
        secrets: secrets(&[("KEY", "redirect-secret")]),
        ..action(
            "redirects",
            "exports.onExecutePostLogin = async (event, api) => {
               if (!api.redirect.canRedirect()) return;
               api.idToken.setCustomClaim('before', true);
               const token = api.redirect.encodeToken({ secret: event.secrets.KEY, payload: { state: 'the-state' } });
               api.redirect.sendUserTo('https://app.example/?a=b', { query: { session_token: token, n: 1 } });
             };
             exports.onContinuePostLogin = async (event, api) => {
               const { sub } = api.redirect.validateToken({ secret: event.secrets.KEY, tokenParameterName: 't' });
               api.idToken.setCustomClaim('sub_of_token', sub);
               api.authentication.recordMethod('https://app.example/');
             };",
        )
    };
    let actions =
        [handler("first", ""), redirects, handler("last", "api.idToken.setCustomClaim('last', 1);")];
    let output = host.act(&actions, event()).await.unwrap();
    let Outcome::Suspended { action, suspension: Suspension::Redirect(url), resume } = output.outcome else {
        panic!("{:?}", output.outcome)
    };
    assert_eq!((action.as_str(), resume.action, resume.continues), ("redirects", 1, true));
    let token = url.strip_prefix("https://app.example/?a=b&n=1&session_token=").unwrap();
    let mut event = event();
    event["request"]["query"] = json!({"state": "the-state"});
    event["request"]["body"] = json!({"t": token});
    let again = ActionsInput { resume: Some(resume), effects: output.effects, ..post_login(&actions, event) };
    let output = host.scripts.run_actions(again).await.unwrap();
    assert_eq!(output.outcome, Outcome::Finished);
    let claims = json!({"before": true, "sub_of_token": "auth0|ada", "last": 1});
    assert_eq!(Value::Object(output.effects.id_token), claims);
    assert_eq!(output.effects.recorded_methods, ["https://app.example/"]);
    let names: Vec<_> = output.trace.scripts.iter().map(|script| script.name.as_str()).collect();
    assert_eq!(names, ["redirects", "last"]);
}

#[tokio::test]
async fn a_login_without_a_browser_can_tell_and_a_missing_continue_handler_is_named() {
    let host = ScriptHost::open(&settings(), &[]);
    let actions = [handler(
        "redirects",
        "if (api.redirect.canRedirect()) api.redirect.sendUserTo('https://app.example/');",
    )];
    let mut silent = post_login(&actions, event());
    silent.facts.can_redirect = false;
    assert_eq!(host.scripts.run_actions(silent).await.unwrap().outcome, Outcome::Finished);
    let output = host.act(&actions, event()).await.unwrap();
    let Outcome::Suspended { resume, .. } = output.outcome else { panic!("{:?}", output.outcome) };
    let again = ActionsInput { resume: Some(resume), ..post_login(&actions, event()) };
    let denied = host.scripts.run_actions(again).await.unwrap_err();
    assert!(denied.message.contains("it exports no function onContinuePostLogin"), "{denied}");
}

#[tokio::test]
async fn a_challenge_suspends_and_the_next_action_goes_on() {
    let host = ScriptHost::open(&settings(), &[]);
    let actions = [
        handler(
            "asks",
            "api.authentication.challengeWith({ type: 'otp' }, { additionalFactors: [{ type: 'phone' }] });",
        ),
        handler("next", "api.idToken.setCustomClaim('next', true);"),
    ];
    let output = host.act(&actions, event()).await.unwrap();
    let Outcome::Suspended { suspension, resume, .. } = output.outcome else {
        panic!("{:?}", output.outcome)
    };
    let factors = vec![json!({"type": "otp"}), json!({"type": "phone"})];
    assert_eq!(suspension, Suspension::Challenge { factors, choose: false });
    assert_eq!((resume.action, resume.continues), (1, false));
    let again = ActionsInput { resume: Some(resume), ..post_login(&actions, event()) };
    let output = host.scripts.run_actions(again).await.unwrap();
    assert_eq!(output.effects.id_token["next"], true);
    // The last action asks: nothing is left to run.
    let output = host.act(&actions[..1], event()).await.unwrap();
    let Outcome::Suspended { resume, .. } = output.outcome else { panic!("{:?}", output.outcome) };
    let effects = Effects { denial: None, ..output.effects };
    let again = ActionsInput { resume: Some(resume), effects, ..post_login(&actions[..1], event()) };
    assert_eq!(host.scripts.run_actions(again).await.unwrap().outcome, Outcome::Finished);
}

#[tokio::test]
async fn an_action_requires_its_modules_which_have_secrets_of_their_own() {
    let host = ScriptHost::open(&settings(), &[]);
    let module = |name: &str, code: &str| ActionModule {
        name: name.to_owned(),
        code: code.to_owned(),
        secrets: secrets(&[("KEY", "module-secret")]),
        dependencies: Vec::new(),
    };
    let shared = "let calls = 0; module.exports = { count: () => ++calls, key: () => actions.secrets.KEY };";
    let nested = "require('actions:shared');";
    let broken = "exports.half = 1; throw new Error('broken');";
    let with_modules = |body: &str| Action {
        secrets: secrets(&[("OWN", "own-secret")]),
        modules: vec![module("shared", shared), module("nested", nested), module("broken", broken)],
        ..handler("uses", body)
    };
    let uses = with_modules(
        "const { count, key } = require('actions:shared'); count();
         console.log(key(), event.secrets);
         api.idToken.setCustomClaim('n', [require('actions:shared').count(), typeof actions, event.secrets.KEY === undefined]);",
    );
    let output = host.act(&[uses], event()).await.unwrap();
    assert_eq!(output.effects.id_token["n"], json!([2, "undefined", true]));
    assert_eq!(output.trace.console[0].text, "[actions.secrets.KEY] {\"OWN\":\"[secrets.OWN]\"}");
    let denied = host.act(&[with_modules("require('actions:nested');")], event()).await.unwrap_err();
    assert!(denied.message.contains("a module cannot require modules"), "{denied}");
    let twice = with_modules(
        "const load = () => { try { return require('actions:broken').half; } catch (error) { return error.message; } };
         api.idToken.setCustomClaim('n', [load(), load()]);",
    );
    let output = host.act(&[twice], event()).await.unwrap();
    assert_eq!(output.effects.id_token["n"], json!(["broken", "broken"]), "not loaded half");
}

#[tokio::test]
async fn the_cache_is_shared_by_the_actions_of_a_trigger_and_lasts() {
    let mut one_worker = settings();
    one_worker.workers = 1;
    let host = ScriptHost::open(&one_worker, &[]);
    let reads = handler("reads", "api.idToken.setCustomClaim('seen', api.cache.get('k')?.value ?? null);");
    let writes = handler(
        "writes",
        "const set = api.cache.set('k', 'v', { ttl: 60000 });
         if (set.type !== 'success' || api.cache.get('k').value !== 'v') throw new Error('not set');
         if (api.cache.set('k', 1).code !== 'InvalidValue') throw new Error('no code');
         if (api.cache.get('none') !== undefined) throw new Error('not undefined');",
    );
    let output = host.act(std::slice::from_ref(&reads), event()).await.unwrap();
    assert_eq!(output.effects.id_token["seen"], Value::Null);
    let output = host.act(&[writes, reads.clone()], event()).await.unwrap();
    assert_eq!(output.effects.id_token["seen"], "v");
    let output = host.act(&[reads], event()).await.unwrap();
    assert_eq!(output.effects.id_token["seen"], "v");
    let code = "exports.onExecuteCredentialsExchange = async (event, api) => {
        api.accessToken.setCustomClaim('seen', api.cache.get('k') === undefined);
      };";
    let other = ActionsInput {
        trigger: Trigger::CredentialsExchange,
        ..post_login(&[action("machine", code)], json!({}))
    };
    let output = host.scripts.run_actions(other).await.unwrap();
    assert_eq!(output.effects.access_token["seen"], true);
}
