//! `vestibule tenant test` and `tenant login`: what a team asks of its scripts on the command line.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::dev_server::bundle_with;

fn tenant(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command.arg("tenant").args(arguments).env_clear().output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn run(bundle: &Path, more: &[&str]) -> (i32, String) {
    let mut arguments = vec!["test", bundle.to_str().unwrap()];
    arguments.extend(more);
    let output = tenant(&arguments);
    (output.status.code().unwrap(), text(&output))
}

/// The fixtures' bundle with an action, its code and its cases.
fn bundle_with_action(code: &str, cases: &Value) -> TempDir {
    let bundle = bundle_with("actions/gate/code.js", code);
    let about = json!({
        "name": "gate", "code": "./actions/gate/code.js", "deployed": true, "secrets": [{"name": "HOST", "value": "a"}],
        "supported_triggers": [{"id": "post-login", "version": "v3"}],
    });
    fs::write(bundle.path().join("actions/gate.json"), about.to_string()).unwrap();
    let tests = bundle.path().join("actions/gate/tests");
    fs::create_dir(&tests).unwrap();
    fs::write(tests.join("gate.json"), cases.to_string()).unwrap();
    bundle
}

const GATE: &str = "exports.onExecutePostLogin = async (event, api) => {
  const answer = await fetch(`https://${event.secrets.HOST}.example/${event.user.user_id}`);
  const { allowed, plan } = await answer.json();
  if (!allowed) return api.access.deny('not on the list');
  global.seen = (global.seen || 0) + 1;
  api.accessToken.setCustomClaim('https://ns.example/plan', plan);
  api.accessToken.setCustomClaim('https://ns.example/seen', global.seen);
  api.user.setAppMetadata('plan', plan);
};";

fn allowed(allowed: bool) -> Value {
    json!([{"request": "https://a.example/*", "json": {"allowed": allowed, "plan": "pro"}}])
}

#[test]
fn the_sample_bundle_passes_its_tests() {
    let bundle = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tenant");
    let (code, text) = run(Path::new(bundle), &[]);
    assert_eq!(code, 0, "{text}");
    let rules = ["rules/populate-profile", "rules/track-sign-up", "rules/user-in-token"];
    for script in rules.into_iter().chain(["actions/populate-profile", "actions/roles-in-id-token"]) {
        assert!(text.lines().any(|line| line == script), "{script}: {text}");
    }
    assert!(text.contains(", 0 failed"), "{text}");
}

/// The first example in this language after a text of `docs/scripts.md`.
fn documented(after: &str, language: &str) -> String {
    let docs = include_str!("../../docs/scripts.md");
    let (_, rest) = docs.split_once(after).unwrap_or_else(|| panic!("{after}"));
    let (_, rest) = rest.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_documented_action_passes_its_documented_cases() {
    let bundle =
        bundle_with("actions/greet/code.js", &documented("`fixtures/tenant/actions/greet/code.js`", "js"));
    let actions = bundle.path().join("actions");
    fs::write(actions.join("greet.json"), documented("`fixtures/tenant/actions/greet.json`", "json"))
        .unwrap();
    fs::create_dir(actions.join("greet/tests")).unwrap();
    let cases = documented("`fixtures/tenant/actions/greet/tests/greet.json`", "json");
    fs::write(actions.join("greet/tests/greet.json"), cases).unwrap();
    let (code, text) = run(bundle.path(), &["--script", "actions/greet"]);
    assert!(code == 0 && text.contains("2 passed, 0 failed"), "{text}");
}

#[test]
fn cases_of_an_action_pass_or_show_each_difference() {
    let granted = json!({"https://ns.example/plan": "pro", "https://ns.example/seen": 1});
    let cases = json!({"cases": [
        {"name": "granted", "fetches": allowed(true), "expect": {"access_token": granted, "app_metadata": {"plan": "pro"}}},
        {"name": "granted anew", "fetches": allowed(true), "secrets": {"HOST": "a"}, "expect": {"access_token": granted}},
        {"name": "refused", "fetches": allowed(false), "expect": {"denied": "not on the list"}},
        {"name": "wrong claim", "fetches": allowed(true), "expect": {"access_token": {"https://ns.example/plan": "free"}}},
        {"name": "unexpected denial", "fetches": allowed(false)},
        {"name": "no answer", "expect": {"error": true}},
        {"name": "misspelt", "fetches": allowed(true), "expect": {"acces_token": {}}},
        {"name": "no such person", "person": "nobody@example.com"},
    ]});
    let bundle = bundle_with_action(GATE, &cases);
    let report = bundle.path().join("report.xml");
    let (code, text) = run(bundle.path(), &["--script", "gate", "--junit", report.to_str().unwrap()]);
    assert_eq!(code, 1, "{text}");
    let verdict =
        |name: &str| text.lines().find(|line| line.contains(name)).unwrap_or_default().trim().to_owned();
    for (name, passes) in [
        ("granted (", true),
        ("granted anew", true),
        ("refused", true),
        ("wrong claim", false),
        ("unexpected denial", false),
        ("no answer", false),
    ] {
        assert!(verdict(name).starts_with(if passes { "ok" } else { "FAIL" }), "{name}: {text}");
    }
    for part in [
        "access_token.https://ns.example/plan: expected \"free\", got \"pro\"",
        "access_token.https://ns.example/seen: expected none, got 1",
        "denied: expected none, got \"not on the list\"",
        "the script asked GET https://a.example/auth0|ada: add its answer",
        "expect has no member acces_token; did you mean access_token?",
        "no person \"nobody@example.com\"",
        "3 passed, 5 failed",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let report = fs::read_to_string(report).unwrap();
    assert!(
        report.contains("tests=\"8\" failures=\"5\"") && report.contains("classname=\"actions/gate\""),
        "{report}"
    );
    assert!(report.contains("expected &quot;free&quot;"), "{report}");
}

#[test]
fn a_first_run_can_write_what_is_expected() {
    let cases = json!([{"name": "granted", "fetches": allowed(true)}, {"name": "kept", "fetches": allowed(false), "expect": {"denied": true}}]);
    let bundle = bundle_with_action(GATE, &cases);
    let (code, text) = run(bundle.path(), &["--script", "gate", "--write"]);
    assert_eq!(code, 0, "{text}");
    let written = fs::read_to_string(bundle.path().join("actions/gate/tests/gate.json")).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(written[0]["expect"]["app_metadata"], json!({"plan": "pro"}));
    assert_eq!(written[1]["expect"], json!({"denied": true}), "an expectation is not replaced");
    assert_eq!(run(bundle.path(), &["--script", "gate"]).0, 0);
    // The script changes, and the case notices.
    let code = GATE.replace("'plan', plan", "'plan', 'free'");
    fs::write(bundle.path().join("actions/gate/code.js"), code).unwrap();
    let (code, text) = run(bundle.path(), &["--script", "gate"]);
    assert!(code == 1 && text.contains("app_metadata.plan: expected \"pro\", got \"free\""), "{text}");
}

#[test]
fn a_login_shows_what_each_script_did() {
    let code = "exports.onExecutePostLogin = async (event, api) => {
      console.log('hello', event.user.email);
      api.idToken.setCustomClaim('https://ns.example/greeted', true);
      api.idToken.setCustomClaim('aud', 'x');
      await fetch('https://elsewhere.example/').catch(() => {});
      if (event.client.client_id === 'other') api.access.deny('no entry');
    };";
    let bundle = bundle_with_action(code, &json!([]));
    fs::create_dir_all(bundle.path().join("triggers")).unwrap();
    let triggers = json!({"post-login": [{"action_name": "gate", "display_name": "gate"}]});
    fs::write(bundle.path().join("triggers/triggers.json"), triggers.to_string()).unwrap();
    let rules = bundle.path().join("rules");
    fs::remove_dir_all(&rules).unwrap();
    fs::create_dir(&rules).unwrap();
    let rule =
        "(user, context, callback) => { context.idToken.plan = user.name; callback(null, user, context); }";
    fs::write(rules.join("plan.js"), rule).unwrap();
    let output = tenant(&["login", "ada@example.com", bundle.path().to_str().unwrap()]);
    let shown = text(&output);
    assert!(output.status.success(), "{shown}");
    for part in [
        "\n  reads context.idToken, user.name\n  context.idToken.plan = \"Ada Lovelace\"\n",
        "action gate (",
        "\n  reads event.client.client_id, event.user.email\n",
        "console.log  hello ada@example.com",
        "api.idToken.setCustomClaim(\"https://ns.example/greeted\",true)",
        "GET https://elsewhere.example/  refused:",
        "tenant.allow_fetch",
        "ada@example.com: logged in",
        "ID token: https://ns.example/greeted = true",
        "reserves the name: aud",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let unknown = tenant(&["login", "nobody@example.com", bundle.path().to_str().unwrap()]);
    assert!(!unknown.status.success() && text(&unknown).contains("nobody@example.com"), "{}", text(&unknown));
}

#[test]
fn coverage_names_the_lines_that_no_case_runs() {
    let code = "exports.onExecutePostLogin = async (event, api) => {
  if (event.user.email_verified) {
    return;
  }
  api.access.deny('verify your address');
};";
    let unverified =
        json!({"name": "unverified", "user": {"email_verified": false}, "expect": {"denied": true}});
    for (cases, expected) in [
        (json!([{"name": "verified"}]), "3 of 4 lines with statements; not run: 5\n"),
        (json!([{"name": "verified"}, unverified]), "4 of 4 lines with statements\n"),
    ] {
        let bundle = bundle_with_action(code, &cases);
        let (code, text) = run(bundle.path(), &["--script", "gate", "--coverage"]);
        assert!(code == 0 && text.contains(&format!("actions/gate: {expected}")), "{text}");
    }
}
