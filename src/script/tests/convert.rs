//! Conversions of rules: what is edited, what stays, what is refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{ConvertError, Converted, convert};
use crate::bundle::Rule;

fn rule(name: &str, script: &str) -> Rule {
    let (name, script, stage) = (name.to_owned(), script.to_owned(), "login_success".to_owned());
    Rule { name, script, order: 1, enabled: true, stage }
}

fn converted(script: &str) -> Result<Converted, ConvertError> {
    let rule = rule("a rule", script);
    convert(&rule, std::slice::from_ref(&rule), &BTreeSet::from(["KEY".to_owned()]))
}

#[test]
fn every_rule_of_the_corpus_converts_as_its_case_file_says() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/script/tests/corpus/rules");
    let mut count = 0;
    for entry in fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_none_or(|extension| extension != "js") {
            continue;
        }
        let name = entry.file_stem().unwrap().to_str().unwrap();
        let about: Value =
            serde_json::from_str(&fs::read_to_string(entry.with_extension("json")).unwrap()).unwrap();
        let keys =
            about["configuration"].as_object().map(|keys| keys.keys().cloned().collect()).unwrap_or_default();
        let rule = rule(name, &fs::read_to_string(&entry).unwrap());
        let result = convert(&rule, std::slice::from_ref(&rule), &keys);
        match (about["converts"].as_str().unwrap(), result) {
            ("readable", Ok(it)) => assert_eq!(it.wrapped, [], "{name}"),
            ("adapter", Ok(it)) => assert_ne!(it.wrapped, [], "{name}"),
            ("refused", Err(error)) => {
                let reason = about["reason"].as_str().unwrap();
                assert!(error.to_string().contains(reason), "{name}: {error}");
            }
            (expected, result) => panic!("{name} is not {expected}: {result:?}"),
        }
        count += 1;
    }
    assert!(count >= 20, "{count} rules");
}

#[test]
fn the_globals_of_rules_that_are_modules_are_required() {
    let rule = "function (user, context, callback) {\n  context.idToken.hash = crypto.createHash('md5').update('a').digest('hex');\n  context.idToken.id = uuid.v4();\n  request.post('https://a.example/');\n  callback(null, user, context);\n}";
    let converted = converted(rule).unwrap_or_else(|error| panic!("{error}"));
    let requires = "\n\nconst crypto = require('crypto');\nconst request = require('request');\nconst uuid = require('uuid');\n\n";
    assert!(converted.code.contains(requires), "{}", converted.code);
    let versions: Vec<_> =
        converted.dependencies.iter().map(|it| (it.name.as_str(), it.version.as_str())).collect();
    assert_eq!(versions, [("request", "2.88.2"), ("uuid", "latest")]);
}

#[test]
fn a_rule_that_does_not_compile_is_refused_with_its_line() {
    let error = converted("function (user, context, callback) {\n  return callback(;\n}").unwrap_err();
    assert_eq!(error.reasons.len(), 1);
    assert_eq!(error.reasons[0].line, 2, "{error}");
}

/// The code of a readable conversion, without its heading and helpers.
fn handler(script: &str) -> String {
    let converted = converted(script).unwrap();
    assert_eq!(converted.wrapped, []);
    let code = converted.code;
    let start = code.find("exports.").unwrap();
    let end =
        code.find("\n\nasync function save").or(code.find("\n\nfunction reasonOf")).unwrap_or(code.len());
    code[start..end].trim_end().to_owned()
}

#[test]
fn comments_and_layout_stay() {
    let script = "function (user, context, callback) {
  // First the claim.
  context.idToken['https://a.example/b'] = user.email; /* then */

  callback(null, user, context);
}";
    assert_eq!(
        handler(script),
        "exports.onExecutePostLogin = async (event, api) => {
  // First the claim.
  api.idToken.setCustomClaim('https://a.example/b', event.user.email); /* then */
};"
    );
}

#[test]
fn a_callback_of_another_function_settles_a_promise() {
    let script = "function (user, context, callback) {
  setTimeout(function () {
    if (user.blocked_here) return callback(new Error('no'));
    callback(null, user, context);
  }, 1);
  user.blocked_here = false;
}";
    assert_eq!(
        handler(script),
        "exports.onExecutePostLogin = (event, api) => new Promise((resolve) => {
  setTimeout(function () {
    if (event.user.blocked_here) return resolve(api.access.deny('no'));
    resolve();
  }, 1);
  event.user.blocked_here = false;
});"
    );
}

#[test]
fn a_way_that_never_calls_back_does_not_become_a_success() {
    let code = handler(
        "function (user, context, callback) {\n  if (user.email) return callback(null, user, context);\n}",
    );
    assert!(code.contains("new Promise("), "{code}");
}

#[test]
fn names_that_only_look_like_parameters_stay() {
    let code = handler(
        "function (user, context, callback) {
  const show = (user) => user.name;
  context.idToken.n = show({ name: 'user', context: { callback: 1 } });
  callback(null, user, context);
}",
    );
    assert!(code.contains("(user) => user.name") && code.contains("{ callback: 1 }"), "{code}");
}

#[test]
fn a_variable_with_a_name_of_the_action_is_renamed() {
    let code = handler(
        "function (user, context, callback) {
  const { event } = user.identities[0];
  const api = { event };
  context.idToken.a = api.event;
  callback(null, user, context);
}",
    );
    assert!(code.contains("const { event: eventData } = event.user.identities[0];"), "{code}");
    assert!(code.contains("const apiData = { event: eventData };"), "{code}");
    assert!(code.contains("setCustomClaim('a', apiData.event)"), "{code}");
}

#[test]
fn a_version_in_require_becomes_a_dependency() {
    let script = "function (user, context, callback) {
  const a = require('@acme/tools@1.2.3');
  const b = require('lodash@4.17.21/fp'), c = require('crypto'), d = require('request');
  callback(null, user, context);
}";
    let converted = converted(script).unwrap();
    let dependencies: Vec<_> =
        converted.dependencies.iter().map(|it| (it.name.as_str(), it.version.as_str())).collect();
    assert_eq!(dependencies, [("@acme/tools", "1.2.3"), ("lodash", "4.17.21"), ("request", "2.88.2")]);
    assert!(converted.code.contains("require('@acme/tools')"), "{}", converted.code);
    assert!(converted.code.contains("require('lodash/fp')"), "{}", converted.code);
}

#[test]
fn nodes_own_modules_are_no_dependencies() {
    for name in
        ["timers", "node:timers/promises", "stream/promises", "child_process", "async_hooks", "node:test"]
    {
        let script = format!(
            "function (user, context, callback) {{ const a = require('{name}'); callback(null, user, context); }}"
        );
        let converted = converted(&script).unwrap();
        assert_eq!((converted.dependencies, converted.notes), (vec![], vec![]), "{name}");
    }
}

#[test]
fn secrets_are_the_keys_that_the_rule_reads() {
    let with = |script: &str| {
        converted(&format!(
            "function (user, context, callback) {{ {script}; callback(null, user, context); }}"
        ))
    };
    assert_eq!(with("console.log(configuration.KEY)").unwrap().secrets, ["KEY"]);
    assert_eq!(
        with("console.log(configuration[user.name])").unwrap().secrets,
        ["KEY"],
        "all, when the key is computed"
    );
    let unknown = with("console.log(configuration.OTHER)").unwrap();
    assert!(
        unknown.secrets.is_empty() && unknown.notes[0].text.contains("configuration.OTHER"),
        "{unknown:?}"
    );
}

/// Converts the second of two rules, or the first.
fn converted_beside(first: &str, second: &str, wanted: usize) -> Result<Converted, ConvertError> {
    let script = |body: &str| {
        format!("function (user, context, callback) {{\n{body}\ncallback(null, user, context);\n}}")
    };
    let rules = [rule("first", &script(first)), rule("second", &script(second))];
    convert(&rules[wanted], &rules, &BTreeSet::new())
}

#[test]
fn what_rules_hand_on_to_each_other_is_refused() {
    for (first, second) in [
        ("user.team = 'a';", "context.idToken.team = user.team;"),
        ("global.cache = 1;", "console.log(global.cache);"),
    ] {
        for (wanted, other) in [(0, "second"), (1, "first")] {
            let error = converted_beside(first, second, wanted).unwrap_err().to_string();
            assert!(error.contains(&format!("\"{other}\"")) && error.contains("line 2"), "{error}");
        }
    }
    let claims =
        converted_beside("context.idToken.a = 1;", "if (context.idToken.a) context.idToken.b = 2;", 1);
    assert!(claims.unwrap_err().to_string().contains("context.idToken"));
}

#[test]
fn metadata_of_an_earlier_rule_are_noted() {
    let save = "user.app_metadata = user.app_metadata || {};\nuser.app_metadata.team = 'a';";
    let converted = converted_beside(save, "context.idToken.team = user.app_metadata.team;", 1).unwrap();
    assert!(
        converted.notes.iter().any(|note| note.text.contains("from the next login on")),
        "{:?}",
        converted.notes
    );
}

#[test]
fn metadata_that_nothing_waits_for_are_refused() {
    let error = converted(
        "function (user, context, callback) {
  fetch('https://a.example').then(function (response) {
    auth0.users.updateAppMetadata(user.user_id, { status: response.status });
  });
  callback(null, user, context);
}",
    );
    let error = error.unwrap_err().to_string();
    assert!(error.contains("line 3: it saves metadata after it has called back"), "{error}");
}

#[test]
fn what_follows_a_save_is_kept_in_a_chain_of_two() {
    let converted = converted(
        "function (user, context, callback) {
  auth0.users.updateAppMetadata(user.user_id, { seen: true })
    .then(() => { context.idToken.first = 1; })
    .then(() => { context.idToken.second = 2; callback(null, user, context); });
}",
    );
    let code = converted.unwrap().code;
    assert!(code.contains("first") && code.contains("second"), "{code}");
}

#[test]
fn a_second_factor_keeps_the_default_of_rules() {
    for (rule, remembers) in
        [("{ provider: 'any' }", true), ("{ allowRememberBrowser: false, provider: 'any' }", false)]
    {
        let code = handler(&format!(
            "function (user, context, callback) {{\n  context.multifactor = {rule};\n  callback(null, user, context);\n}}"
        ));
        let call = format!("api.multifactor.enable('any', {{ allowRememberBrowser: {remembers} }});");
        assert!(code.contains(&call), "{code}");
    }
}

#[test]
fn an_adapter_has_the_function_unchanged() {
    let script = "function (user, context, callback) {\n  // As it is.\n  help(context);\n  callback(null, user, context);\n  function help(it) { it.idToken.a = 1; }\n}";
    let converted = converted(script).unwrap();
    assert_eq!(converted.wrapped.len(), 1, "{:?}", converted.wrapped);
    assert!(converted.code.contains(&format!("const rule = {script};")), "{}", converted.code);
}

#[test]
fn a_script_that_is_nested_without_end_harms_nothing() {
    let with =
        |text: String| converted(&format!("function (user, context, callback) {{\nreturn {text};\n}}"));
    for text in [
        "!".repeat(90_000) + "1",
        "1+".repeat(45_000) + "1",
        "a?".repeat(20_000) + "1" + &":1".repeat(20_000),
    ] {
        drop(with(text));
    }
    drop(with("1;".to_owned() + &"if (a) b(); else ".repeat(5_500) + "c()"));
    let error = with("(".repeat(1_000) + "1" + &")".repeat(1_000)).unwrap_err();
    assert_eq!((error.reasons[0].line, error.reasons[0].text.contains("nested")), (2, true), "{error}");
    let error = with(format!("'{}'", "x".repeat(100_000))).unwrap_err();
    assert!(error.to_string().contains("100,000 bytes"), "{error}");
}
