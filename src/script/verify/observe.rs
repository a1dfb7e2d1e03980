//! What a rule or an action did in a login, as comparable JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::super::action::{Action, Trigger};
use super::super::action_run::{ActionsInput, ActionsOutput, ApiFacts, Outcome};
use super::super::effects::{DenialKind, Effects, Suspension};
use super::super::host::ScriptRunner;
use super::super::login::{Auth0Global, Denied, LoginInput, LoginOutput, MetadataKind, MetadataUpdate};
use super::super::trace::Trace;
use super::case::{Continued, HOST, LoginCase, REQUESTED, event_of, merge};
use crate::bundle::Rule;

/// What a rule does in a case: one object, and another one after a redirect.
pub async fn observe_rule(
    runner: &ScriptRunner,
    rule: &Rule,
    configuration: &BTreeMap<String, String>,
    case: &LoginCase,
) -> Vec<Value> {
    let (user, mut context) = (case.user(), case.context());
    let first = run_rule(runner, rule, configuration, user.clone(), context.clone()).await;
    let mut all = vec![first];
    if let (Some(continued), Some(first)) = (&case.continued, all.first())
        && first.get("redirect").is_some()
    {
        let mut user = user;
        for kind in [MetadataKind::App, MetadataKind::User].map(MetadataKind::member) {
            let saved = first.get(kind).and_then(Value::as_object);
            if let (Some(saved), Some(own)) =
                (saved, user.entry(kind).or_insert_with(|| json!({})).as_object_mut())
            {
                own.extend(saved.clone());
                own.retain(|key, value| !value.is_null() || !saved.contains_key(key));
            }
        }
        context.insert("protocol".to_owned(), "redirect-callback".into());
        if let Some(request) = context.get_mut("request").and_then(Value::as_object_mut) {
            request.insert("query".to_owned(), continued.query.clone().into());
        }
        all.push(run_rule(runner, rule, configuration, user, context).await);
    }
    all
}

async fn run_rule(
    runner: &ScriptRunner,
    rule: &Rule,
    configuration: &BTreeMap<String, String>,
    user: Map<String, Value>,
    context: Map<String, Value>,
) -> Value {
    let updates: Arc<Mutex<Vec<MetadataUpdate>>> = Arc::default();
    let written = Arc::clone(&updates);
    let requested = REQUESTED.map(str::to_owned);
    let login = LoginInput {
        user: user.into(),
        context: context.into(),
        auth0: Auth0Global {
            domain: HOST.to_owned(),
            base_url: format!("https://{HOST}/api/v2"),
            access_token: None,
        },
        configuration: configuration.clone(),
    };
    let writer = Arc::new(move |update| {
        written.lock().unwrap_or_else(PoisonError::into_inner).push(update);
        Ok(())
    });
    let result = runner.run_rules(std::slice::from_ref(rule), login, writer).await;
    let mut saved: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for update in std::mem::take(&mut *updates.lock().unwrap_or_else(PoisonError::into_inner)) {
        saved.entry(update.kind.member()).or_default().extend(update.metadata);
    }
    let mut seen: Map<String, Value> =
        saved.into_iter().map(|(kind, metadata)| (kind.to_owned(), metadata.into())).collect();
    match result {
        Ok(output) => of_context(&mut seen, output, &requested),
        Err(denied) => denial(&mut seen, &denied),
    }
    seen.into()
}

/// Notes the changes a rule made to its context.
fn of_context(seen: &mut Map<String, Value>, output: LoginOutput, requested: &[String]) {
    let Value::Object(mut context) = output.context else { return };
    for (member, name) in [("idToken", "id_token"), ("accessToken", "access_token")] {
        let mut claims = context.remove(member).unwrap_or_default();
        if let Some(scope) = claims.as_object_mut().and_then(|claims| claims.remove("scope"))
            && member == "accessToken"
        {
            let scopes: BTreeSet<String> = serde_json::from_value(scope).unwrap_or_default();
            note_scopes(seen, &scopes, requested);
        }
        note(seen, name, claims);
    }
    if let Some(url) = context.get("redirect").and_then(|redirect| redirect.get("url")) {
        note(seen, "redirect", normal_url(url.as_str().unwrap_or_default()));
    }
    if let Some(multifactor) = context.get("multifactor").filter(|it| it.get("provider").is_some()) {
        let provider = multifactor.get("provider").and_then(Value::as_str).unwrap_or_default();
        let remembers = multifactor.get("allowRememberBrowser").and_then(Value::as_bool).unwrap_or(true);
        note_multifactor(seen, provider, remembers);
    }
    note(seen, "primary_user", context.remove("primaryUser").unwrap_or_default());
}

/// What an action does in a case: one object, and another one after a suspension.
pub async fn observe_action(runner: &ScriptRunner, action: &Action, case: &LoginCase) -> Vec<Value> {
    let input = ActionsInput {
        trigger: Trigger::PostLogin,
        actions: Arc::from([action.clone()]),
        resume: None,
        event: event_of(&case.user(), &case.context()),
        facts: ApiFacts { can_redirect: true, ..ApiFacts::default() },
        effects: Effects::default(),
    };
    observe_actions(runner, input, case.continued.as_ref()).await
}

/// What actions do with an input: one object, and another one after a suspension.
pub async fn observe_actions(
    runner: &ScriptRunner,
    input: ActionsInput,
    continued: Option<&Continued>,
) -> Vec<Value> {
    let mut next = input.clone();
    let first = runner.run_actions(input).await;
    let mut all = vec![of_actions(&next, &first)];
    if let (Some(continued), Ok(ActionsOutput { outcome: Outcome::Suspended { resume, .. }, effects, .. })) =
        (continued, first)
    {
        next.resume = Some(resume);
        next.effects = effects;
        if let Some(request) = next.event.get_mut("request").and_then(Value::as_object_mut) {
            request.insert("query".to_owned(), continued.query.clone().into());
        }
        let second = runner.run_actions(next.clone()).await;
        all.push(of_actions(&next, &second));
    }
    all
}

fn of_actions(input: &ActionsInput, result: &Result<ActionsOutput, Denied>) -> Value {
    let mut seen = Map::new();
    let ActionsOutput { outcome, effects, .. } = match result {
        Ok(output) => output,
        Err(denied) => {
            denial(&mut seen, denied);
            return seen.into();
        }
    };
    note(&mut seen, "app_metadata", effects.app_metadata.clone().into());
    note(&mut seen, "user_metadata", effects.user_metadata.clone().into());
    match outcome {
        Outcome::Denied { denial, .. } => {
            note(&mut seen, "denied", denial.reason.clone().into());
            if denial.kind != DenialKind::InvalidSubjectToken {
                note(&mut seen, "code", denial.code.clone().into());
            }
            note(&mut seen, "user_message", denial.user_message.clone().into());
            return seen.into();
        }
        Outcome::Suspended { suspension, .. } => {
            let types = |factors: &[Value]| {
                factors.iter().map(|factor| factor.get("type").cloned().unwrap_or_default()).collect()
            };
            match suspension {
                Suspension::Redirect(url) => note(&mut seen, "redirect", normal_url(url)),
                Suspension::Prompt { id, .. } => note(&mut seen, "prompt", id.clone().into()),
                Suspension::Challenge { factors, .. } => note(&mut seen, "challenge", types(factors)),
                Suspension::Enroll { factors, .. } => note(&mut seen, "enroll", types(factors)),
            }
        }
        Outcome::Finished => {}
    }
    note(&mut seen, "id_token", effects.id_token.clone().into());
    note(&mut seen, "access_token", effects.access_token.clone().into());
    let requested = input.event.pointer("/transaction/requested_scopes").cloned().unwrap_or_default();
    let requested: Vec<String> = serde_json::from_value(requested).unwrap_or_default();
    let mut scopes: BTreeSet<String> = requested.iter().cloned().collect();
    for (scope, is_added) in &effects.scopes {
        let _ = if *is_added { scopes.insert(scope.clone()) } else { scopes.remove(scope) };
    }
    note_scopes(&mut seen, &scopes, &requested);
    if let Some(multifactor) = &effects.multifactor {
        note_multifactor(&mut seen, &multifactor.provider, multifactor.allow_remember_browser);
    }
    note(&mut seen, "primary_user", effects.primary_user.clone().into());
    note(&mut seen, "transaction_metadata", effects.transaction_metadata.clone().into());
    note(&mut seen, "user", json!(effects.user));
    note(&mut seen, "notification", json!(effects.notification));
    seen.into()
}

/// The requests of a run, as `METHOD /path`.
pub fn fetched(trace: &Trace) -> Vec<String> {
    let path = |url: &str| url::Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.path().to_owned());
    trace.fetches.iter().map(|fetch| format!("{} {}", fetch.method, path(&fetch.url))).collect()
}

fn denial(seen: &mut Map<String, Value>, denied: &Denied) {
    // A thrown error's line is another one in the action.
    let message =
        denied.message.rsplit_once(" (line ").map_or(denied.message.as_str(), |(message, _)| message);
    seen.insert("denied".to_owned(), message.into());
}

fn note(seen: &mut Map<String, Value>, name: &str, value: Value) {
    let is_empty = match &value {
        Value::Object(members) => members.is_empty(),
        value => value.is_null(),
    };
    if !is_empty {
        seen.insert(name.to_owned(), value);
    }
}

fn normal_url(url: &str) -> Value {
    url::Url::parse(url).map_or_else(|_| url.to_owned(), String::from).into()
}

fn note_scopes(seen: &mut Map<String, Value>, scopes: &BTreeSet<String>, requested: &[String]) {
    if !scopes.iter().eq(requested.iter().collect::<BTreeSet<_>>()) {
        note(seen, "scopes", json!(scopes));
    }
}

fn note_multifactor(seen: &mut Map<String, Value>, provider: &str, remembers: bool) {
    let mut value = json!({ "provider": provider });
    if !remembers {
        merge(&mut value, &json!({ "allowRememberBrowser": false }));
    }
    note(seen, "multifactor", value);
}
