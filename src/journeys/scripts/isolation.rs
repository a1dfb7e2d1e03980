//! What lasts from one run to the next on the same worker, and what does not.

use serde_json::json;

use super::http_stub::{HttpStub, response};
use super::script_host::{ScriptHost, action, event, settings};
use vestibule::script::{Action, DenyReason};

/// A host whose runs all share one worker.
fn one_worker() -> ScriptHost {
    let mut settings = settings();
    settings.workers = 1;
    ScriptHost::open(&settings, &[])
}

fn counting(secret: &str) -> Action {
    let code = "let runs = 0;
        exports.onExecutePostLogin = async (event, api) => { api.idToken.setCustomClaim('runs', ++runs); };";
    Action { secrets: [("KEY".to_owned(), secret.to_owned())].into(), ..action("counts", code) }
}

#[tokio::test]
async fn module_level_state_lasts_until_code_or_secrets_change() {
    let host = one_worker();
    let runs = async |action: Action| {
        let output = host.act(&[action], event()).await.unwrap();
        output.effects.id_token["runs"].as_u64().unwrap()
    };
    assert_eq!((runs(counting("a")).await, runs(counting("a")).await), (1, 2));
    assert_eq!(runs(counting("b")).await, 1);
    let changed = Action { code: format!("{} // changed", counting("a").code), ..counting("a") };
    assert_eq!(runs(changed).await, 1);
    assert_eq!(runs(counting("a")).await, 3, "the context of the earlier code is still there");
}

#[tokio::test]
async fn module_level_state_is_lost_when_its_action_fails_and_not_when_it_denies() {
    let host = one_worker();
    let code = "let runs = 0;
        exports.onExecutePostLogin = async (event, api) => {
          runs += 1;
          if (event.client.name === 'throws') throw new Error('no');
          if (event.client.name === 'denies') api.access.deny('no');
          api.idToken.setCustomClaim('runs', runs);
        };";
    let run = async |client: &str| {
        let mut event = event();
        event["client"]["name"] = json!(client);
        host.act(&[action("counts", code)], event).await.map(|output| output.effects.id_token["runs"].clone())
    };
    assert_eq!(run("fine").await.unwrap(), 1);
    assert_eq!(run("denies").await.unwrap(), 2);
    assert_eq!(run("fine").await.unwrap(), 3);
    assert_eq!(run("throws").await.unwrap_err().description(), "no");
    assert_eq!(run("fine").await.unwrap(), 1);
}

#[tokio::test]
async fn nothing_of_a_login_reaches_the_next_but_what_its_scripts_keep() {
    let host = one_worker();
    // Each run looks for what the one before left behind.
    let code = "let kept;
        exports.onExecutePostLogin = async (event, api) => {
          const left = kept;
          kept = { api, event, ticks: 0 };
          const mine = kept;
          setInterval(() => { mine.ticks += 1; }, 1);
          setTimeout(() => { if (kept !== mine) throw new Error('a timer of an earlier login'); }, 60);
          await new Promise((done) => setTimeout(done, 30));
          if (!left) return;
          const ticks = left.ticks;
          await new Promise((done) => setTimeout(done, 20));
          let refused;
          try { left.api.access.deny('late'); } catch (error) { refused = error.message; }
          api.idToken.setCustomClaim('seen', [left.event === event, event.client.metadata, ticks === left.ticks, refused]);
          event.client.metadata.changed = true;
        };";
    for _ in 0..2 {
        host.act(&[action("keeps", code)], event()).await.unwrap();
    }
    let output = host.act(&[action("keeps", code)], event()).await.unwrap();
    let refused = "api.access.deny: this api is of an earlier run";
    assert_eq!(output.effects.id_token["seen"], json!([false, {}, true, refused]));
}

#[tokio::test]
async fn a_callback_of_an_earlier_login_does_nothing() {
    let host = one_worker();
    let script = "function (user, context, callback) {
        if (global.earlier) global.earlier(new UnauthorizedError('an earlier callback'));
        global.earlier = callback;
        user.earlier = typeof global.earlier;
        callback(null, user, context);
      }";
    for _ in 0..3 {
        let outcome = host.one(script).await.unwrap();
        assert!(outcome.trace.console.is_empty(), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_left_open_costs_the_context_and_its_answer_reaches_no_login() {
    let stub = HttpStub::open(1, |_| response(200, "late")).await;
    let mut settings = settings();
    settings.workers = 1;
    let host = ScriptHost::open(&settings, &[&stub.origin]);
    let url = stub.url("/x");
    let code = format!(
        "let runs = 0;
         exports.onExecutePostLogin = async (event, api) => {{
           api.idToken.setCustomClaim('runs', ++runs);
           fetch('{url}').then(() => {{ throw new Error('an answer to an earlier login'); }});
         }};"
    );
    for _ in 0..3 {
        let output = host.act(&[action("leaves", &code)], event()).await.unwrap();
        assert_eq!(output.effects.id_token["runs"], 1);
    }
}

#[tokio::test]
async fn contexts_are_dropped_before_they_fill_the_heap() {
    let host = one_worker();
    // Each run keeps 4 MiB of the heap's 32.
    let code = "const all = [];
        exports.onExecutePostLogin = async (event, api) => {
          all.push(new Uint8Array(4 * 1024 * 1024));
          api.idToken.setCustomClaim('runs', all.length);
        };";
    let mut most = 0;
    for _ in 0..20 {
        let output = host.act(&[action("hoards", code)], event()).await.unwrap();
        most = most.max(output.effects.id_token["runs"].as_u64().unwrap());
    }
    assert!((2..8).contains(&most), "{most}");
}

#[tokio::test]
async fn actions_that_each_fit_the_heap_run_one_after_another() {
    let host = one_worker();
    // 12 × 6 MiB, in a heap of 32.
    let code = "const kept = new Uint8Array(6 * 1024 * 1024);
        exports.onExecutePostLogin = async (event, api) => { api.user.setAppMetadata('bytes', kept.length); };";
    let actions: Vec<_> = (0..12).map(|n| action(&format!("keeps {n}"), code)).collect();
    for _ in 0..2 {
        let output = host.act(&actions, event()).await.unwrap();
        assert_eq!(output.trace.scripts.len(), 12);
    }
}

#[tokio::test]
async fn an_action_that_changes_built_ins_changes_them_for_itself_only() {
    let host = one_worker();
    let bends = "const seen = [];
        const { parse } = JSON;
        JSON.parse = (text) => { seen.push(text); return parse(text); };
        JSON.stringify = () => '{}';
        Promise.prototype.then = function () { return this; };
        Array.prototype.push = Array.prototype.indexOf = String.prototype.split = () => { throw new Error('bent'); };
        Object.defineProperty(Object.prototype, 'deny', { value: () => {} });
        globalThis.require = undefined;
        exports.onExecutePostLogin = async (event, api) => { api.idToken.setCustomClaim('bends', seen.length); };";
    let denies =
        "exports.onExecutePostLogin = async (event, api) => { api.access.deny(event.secrets.KEY); };";
    let denies = Action { secrets: [("KEY".to_owned(), "no".to_owned())].into(), ..action("denies", denies) };
    for _ in 0..2 {
        let output = host.act(&[action("bends", bends), denies.clone()], event()).await.unwrap();
        assert_eq!(output.effects.id_token["bends"], 0);
        assert!(matches!(output.outcome, vestibule::script::Outcome::Denied { .. }), "{:?}", output.outcome);
    }
}

#[tokio::test]
async fn jobs_that_never_end_count_as_the_time_of_their_own_action() {
    let mut settings = settings();
    (settings.workers, settings.time) = (1, std::time::Duration::from_secs(1));
    let host = ScriptHost::open(&settings, &[]);
    let endless = "exports.onExecutePostLogin = () => { (async () => { for (;;) await 0; })(); };";
    let fine = action("fine", "exports.onExecutePostLogin = () => {};");
    let denied = host.act(&[action("endless", endless), fine.clone()], event()).await.unwrap_err();
    assert_eq!((denied.script.as_str(), denied.reason), ("endless", DenyReason::TimedOut));
    host.act(&[fine], event()).await.unwrap();
}
