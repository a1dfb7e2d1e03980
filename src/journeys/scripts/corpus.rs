//! The corpus of rules and actions: each does what its case file says Auth0 documents, and each rule's action does the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use vestibule::bundle::Rule;
use vestibule::pool::{self, Pool};
use vestibule::script::{
    Action, ActionsInput, ApiFacts, CannedResponse, Continued, Effects, LoginCase, ScriptRunner, Traits,
    Trigger, WorkerCommand, compare, convert, fetched, generated_cases, observe_action, observe_actions,
    observe_rule,
};

use super::script_host::settings;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    documents: String,
    #[serde(default)]
    trigger: Option<Trigger>,
    #[serde(default)]
    converts: String,
    #[serde(default, rename = "reason")]
    _reason: String,
    #[serde(default, alias = "secrets")]
    configuration: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    user: Map<String, Value>,
    #[serde(default)]
    context: Map<String, Value>,
    #[serde(default)]
    event: Value,
    #[serde(default)]
    facts: Facts,
    #[serde(default)]
    responses: Vec<CannedResponse>,
    expect: Value,
    #[serde(default, rename = "continue")]
    continued: Option<Continuation>,
}

#[derive(Deserialize)]
struct Facts {
    can_redirect: bool,
}

impl Default for Facts {
    fn default() -> Self {
        Self { can_redirect: true }
    }
}

#[derive(Deserialize)]
struct Continuation {
    query: Map<String, Value>,
    expect: Value,
}

impl Case {
    fn login(&self) -> LoginCase {
        LoginCase {
            name: self.name.clone(),
            user: self.user.clone(),
            context: self.context.clone(),
            responses: self.responses.clone(),
            continued: self.continued.as_ref().map(|it| Continued { query: it.query.clone() }),
            ..LoginCase::default()
        }
    }

    fn expected(&self) -> Vec<Value> {
        let second = self.continued.as_ref().map(|it| it.expect.clone());
        std::iter::once(self.expect.clone()).chain(second).collect()
    }
}

struct Script {
    name: String,
    code: String,
    about: About,
}

fn corpus(kind: &str) -> Vec<Script> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/script/tests/corpus").join(kind);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "js"));
    files.sort();
    let read = |file: PathBuf| {
        let text = fs::read_to_string(file.with_extension("json"))
            .unwrap()
            .replace("{stub}", "https://stub.example");
        let about: About =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(!about.documents.is_empty());
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        Script { name, code: fs::read_to_string(file).unwrap(), about }
    };
    files.into_iter().map(read).collect()
}

fn runner() -> ScriptRunner {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_vestibule"));
    let command = WorkerCommand { program, args: vec!["script-worker".to_owned()] };
    let pool = Pool::start(&pool::Settings { threads: 2, queue: 64 }).unwrap();
    ScriptRunner::new(&settings(), command, Vec::new(), pool)
}

fn rule(script: &Script) -> Rule {
    let (name, code, stage) = (script.name.clone(), script.code.clone(), "login_success".to_owned());
    Rule { name, script: code, order: 1, enabled: true, stage }
}

/// Without what a thrown error adds to its message.
fn plain(mut all: Vec<Value>) -> Vec<Value> {
    for one in &mut all {
        if let Some(Value::String(text)) = one.get_mut("denied")
            && let Some(message) = text.strip_prefix("it threw Error: ")
        {
            *text = message.split(" (line ").next().unwrap().to_owned();
        }
    }
    all
}

#[tokio::test]
async fn every_rule_and_its_action_do_what_auth0_documents() {
    let runner = runner();
    let mut wrong = Vec::new();
    let scripts = corpus("rules");
    assert!(scripts.len() >= 40, "{} rules", scripts.len());
    for script in &scripts {
        let configuration = &script.about.configuration;
        let keys: BTreeSet<String> = configuration.keys().cloned().collect();
        let rule = rule(script);
        let converted = convert(&rule, std::slice::from_ref(&rule), &keys);
        assert_eq!(converted.is_err(), script.about.converts == "refused", "{}: {converted:?}", script.name);
        for case in &script.about.cases {
            let (login, expected) = (case.login(), case.expected());
            let stubbed = || runner.with_stubs(CannedResponse::stubs(&case.responses));
            let of_rule = plain(observe_rule(&stubbed(), &rule, configuration, &login).await);
            if of_rule != expected {
                wrong.push(format!(
                    "rule {}, {}:\n  {}\nnot {}",
                    script.name,
                    case.name,
                    json!(of_rule),
                    json!(expected)
                ));
            }
            let Ok(converted) = &converted else { continue };
            let action = converted.action(&rule.name, configuration);
            let of_action = plain(observe_action(&stubbed(), &action, &login).await);
            if of_action != expected {
                wrong.push(format!(
                    "action of {}, {}:\n  {}\nnot {}\n{}",
                    script.name,
                    case.name,
                    json!(of_action),
                    json!(expected),
                    converted.code
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test]
async fn every_converted_rule_agrees_with_its_action_on_generated_logins() {
    let runner = runner();
    let (mut wrong, mut alike) = (Vec::new(), 0);
    for script in corpus("rules") {
        let configuration = &script.about.configuration;
        let rule = rule(&script);
        let keys: BTreeSet<String> = configuration.keys().cloned().collect();
        let Ok(converted) = convert(&rule, std::slice::from_ref(&rule), &keys) else { continue };
        let cases = generated_cases(&Traits::of(&rule));
        let comparison = compare(&runner, &rule, &converted, configuration, &cases).await;
        alike += comparison.alike;
        wrong.extend(comparison.differences.into_iter().take(2).map(|difference| {
            let (of_rule, of_action) = (difference.rule, difference.action);
            format!("{}, {}:\n  rule   {of_rule}\n  action {of_action}", script.name, difference.case)
        }));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(alike > 1000, "{alike} logins compared");
}

#[tokio::test]
async fn metadata_that_a_rule_saves_replace_whole_members() {
    let script = "async function (user, context, callback) {
        if (context.protocol === 'redirect-callback') {
            context.idToken.seen = user.app_metadata;
            return callback(null, user, context);
        }
        await auth0.users.updateAppMetadata(user.user_id, { a: { x: 1 }, gone: null });
        await auth0.users.updateAppMetadata(user.user_id, { a: { y: 2 } });
        context.redirect = { url: 'https://a.example/' };
        callback(null, user, context);
      }";
    let login = LoginCase {
        user: Map::from_iter([("app_metadata".to_owned(), json!({"a": {"w": 0}, "b": 1, "gone": 1}))]),
        continued: Some(Continued::default()),
        ..LoginCase::default()
    };
    let (name, script, stage) = ("saves".to_owned(), script.to_owned(), "login_success".to_owned());
    let rule = Rule { name, script, order: 1, enabled: true, stage };
    let seen = observe_rule(&runner(), &rule, &BTreeMap::new(), &login).await;
    let saved = json!({"app_metadata": {"a": {"y": 2}, "gone": null}, "redirect": "https://a.example/"});
    assert_eq!(seen, [saved, json!({"id_token": {"seen": {"a": {"y": 2}, "b": 1}}})]);
}

#[tokio::test]
async fn every_action_does_what_auth0_documents() {
    let runner = runner();
    let mut wrong = Vec::new();
    let scripts = corpus("actions");
    assert!(scripts.len() >= 30, "{} actions", scripts.len());
    for script in scripts {
        let trigger = script.about.trigger.unwrap();
        let action = Action {
            name: script.name.clone(),
            code: script.code.clone(),
            secrets: script.about.configuration.clone(),
            dependencies: Vec::new(),
            modules: Vec::new(),
        };
        for case in &script.about.cases {
            let stubbed = || runner.with_stubs(CannedResponse::stubs(&case.responses));
            let mut event = event(trigger);
            merge(&mut event, &case.event);
            let input = ActionsInput {
                trigger,
                actions: Arc::from([action.clone()]),
                resume: None,
                event,
                facts: ApiFacts { can_redirect: case.facts.can_redirect, ..ApiFacts::default() },
                effects: Effects::default(),
            };
            let mut expected = case.expected();
            if let Some(requests) = expected[0].as_object_mut().unwrap().remove("fetched") {
                let trace = stubbed().run_actions(input.clone()).await.unwrap().trace;
                assert_eq!(json!(fetched(&trace)), requests, "{}", script.name);
            }
            let continued = case.continued.as_ref().map(|it| Continued { query: it.query.clone() });
            let seen = plain(observe_actions(&stubbed(), input, continued.as_ref()).await);
            if seen != expected {
                wrong.push(format!(
                    "{}, {}:\n  {}\nnot {}",
                    script.name,
                    case.name,
                    json!(seen),
                    json!(expected)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A plain `event` of a trigger.
fn event(trigger: Trigger) -> Value {
    let mut event = json!({
        "tenant": {"id": "acme"},
        "client": {"client_id": "spa", "name": "Shop", "metadata": {}},
        "connection": {"id": "con_1", "name": "Username-Password-Authentication", "strategy": "auth0"},
        "request": {
            "ip": "192.0.2.7", "hostname": "acme.eu.auth0.test", "method": "GET", "query": {}, "body": {},
            "geoip": {"countryCode": "DE"},
        },
        "transaction": {"requested_scopes": ["openid"], "metadata": {}},
        "user": {
            "user_id": "auth0|1", "email": "ada@example.com", "email_verified": true, "name": "Ada Lovelace",
            "identities": [{"provider": "auth0", "user_id": "1"}], "app_metadata": {}, "user_metadata": {},
        },
        "stats": {"logins_count": 3},
    });
    if trigger == Trigger::CredentialsExchange {
        event["resource_server"] = json!({"identifier": "https://api.acme.example"});
    }
    event
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (into, from) => *into = from.clone(),
    }
}
