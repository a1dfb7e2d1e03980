//! Runs one case.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::authentication::test_input;
use super::super::response::without_null;
use super::super::users::merge_metadata;
use super::super::{Inner, Tenant};
use super::case::{Case, ScriptPath};
use super::expectation::{differences, is_nothing};
use super::subject::{Subject, SubjectNames, missing};
use crate::bundle::{Kind, Object, Rule};
use crate::script::{
    Action, ActionsInput, ApiFacts, ConsoleLine, Denial, DenialKind, Denied, DenyReason, Effects, LoginInput,
    MetadataKind, MetadataUpdate, MetadataWriter, Outcome, Resume, ScriptKind, ScriptRunner, Stubs,
    Suspension, Trace, Trigger, instrumented,
};

/// What became of a case.
#[derive(Debug, Clone)]
pub struct CaseResult {
    /// What was observed, with the members that `expect` may have.
    pub observed: Map<String, Value>,
    /// What differs from what was expected; empty when the case passes.
    pub differences: Vec<String>,
    /// What the script wrote to `console`.
    pub console: Vec<ConsoleLine>,
    /// How long the script ran.
    pub duration: Duration,
    /// With coverage: the lines where statements of the script begin, and those that ran.
    pub lines: BTreeSet<u32>,
    /// See `lines`.
    pub reached: BTreeSet<u32>,
}

/// Why a case fails, a line each: what differs, or why it cannot run. Empty when it passes.
pub fn failures(result: &Result<CaseResult, String>) -> &[String] {
    match result {
        Ok(result) => &result.differences,
        Err(problem) => std::slice::from_ref(problem),
    }
}

/// Runs a case of a script of the tenant's bundle.
///
/// # Errors
/// A sentence when the case cannot run: there is no such script, person, client, API, organization or trigger.
pub async fn run_case(
    tenant: &Tenant,
    runner: &ScriptRunner,
    script: &ScriptPath,
    case: &Case,
    with_coverage: bool,
) -> Result<CaseResult, String> {
    let mut lines = BTreeSet::new();
    let kind = match script {
        ScriptPath::Rule(_) => ScriptKind::Rule,
        ScriptPath::Action(_) => ScriptKind::Action,
    };
    let mut prepare = |code: String| match with_coverage.then(|| instrumented(&code, kind)).flatten() {
        Some(instrumented) => {
            lines = instrumented.lines;
            instrumented.code
        }
        None => code,
    };
    let tenant = tenant.0.load_full();
    let stubs = Arc::new(Stubs::new(case.fetches.clone()));
    let runner = runner.with_stubs(Arc::clone(&stubs));
    let (mut observed, trace) = match script {
        ScriptPath::Rule(name) => rule(&tenant, &runner, name, case, &mut prepare).await?,
        ScriptPath::Action(name) => action(&tenant, &runner, name, case, &mut prepare).await?,
    };
    let requests = stubs.requests();
    if !requests.is_empty() {
        observed.insert("fetches".to_owned(), requests.into());
    }
    if !trace.console.is_empty() {
        let lines: Vec<_> = trace.console.iter().map(|line| line.text.clone()).collect();
        observed.insert("console".to_owned(), lines.into());
    }
    let mut found: Vec<_> = stubs
        .unanswered()
        .into_iter()
        .map(|request| format!("the script asked {request}: add its answer to the case's fetches"))
        .collect();
    found.extend(differences(&case.expect.clone().unwrap_or_default(), &observed));
    let duration = trace.scripts.iter().map(|script| script.duration).sum();
    Ok(CaseResult {
        observed,
        differences: found,
        console: trace.console,
        duration,
        lines,
        reached: trace.reached,
    })
}

async fn rule(
    tenant: &Arc<Inner>,
    runner: &ScriptRunner,
    name: &str,
    case: &Case,
    prepare: &mut impl FnMut(String) -> String,
) -> Result<(Map<String, Value>, Trace), String> {
    let object = find(tenant, Kind::Rule, name)?;
    let wanted = object.get("name").and_then(Value::as_str).unwrap_or_default();
    let rule = tenant.bundle.rules.iter().find(|rule| rule.name == wanted);
    let rule = rule.cloned().ok_or_else(|| missing("rule", name))?;
    let rule = Rule { enabled: true, script: prepare(rule.script), ..rule };
    let setting = Setting::find(tenant, case, Trigger::PostLogin)?;
    let input = setting.rule_input(tenant)?;
    let (user, context) = (input.user.clone(), input.context.clone());
    let updates: Arc<Mutex<Vec<MetadataUpdate>>> = Arc::default();
    let written = Arc::clone(&updates);
    let writer: MetadataWriter = Arc::new(move |update| {
        written.lock().unwrap_or_else(PoisonError::into_inner).push(update);
        Ok(())
    });
    let mut observed = Map::new();
    let trace = match runner.run_rules(&[rule], input, writer).await {
        Ok(output) => {
            observed.insert("user".to_owned(), changes(&user, &output.user).into());
            let mut changed = changes(&context, &output.context);
            let token = |value: Option<Value>| value.unwrap_or_default();
            let mut access = token(changed.remove("accessToken"));
            if let Some(scope) = access.as_object_mut().and_then(|access| access.remove("scope")) {
                observed.insert("scopes".to_owned(), scope);
            }
            observed.insert("access_token".to_owned(), access);
            observed.insert("id_token".to_owned(), token(changed.remove("idToken")));
            observed.insert(
                "redirect".to_owned(),
                token(changed.remove("redirect").and_then(|mut to| Some(to.get_mut("url")?.take()))),
            );
            observed.insert(
                "second_factor".to_owned(),
                token(changed.remove("multifactor").and_then(|mut to| Some(to.get_mut("provider")?.take()))),
            );
            observed.insert("primary_user".to_owned(), token(changed.remove("primaryUser")));
            observed.insert("context".to_owned(), changed.into());
            output.trace
        }
        Err(denied) => failed(denied, &mut observed),
    };
    for update in updates.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let member = match update.kind {
            MetadataKind::App => "app_metadata",
            MetadataKind::User => "user_metadata",
        };
        let merged = merge_metadata(observed.get(member), &update.metadata);
        observed.insert(member.to_owned(), merged);
    }
    observed.retain(|_, value| !is_nothing(value));
    Ok((observed, trace))
}

async fn action(
    tenant: &Arc<Inner>,
    runner: &ScriptRunner,
    name: &str,
    case: &Case,
    prepare: &mut impl FnMut(String) -> String,
) -> Result<(Map<String, Value>, Trace), String> {
    let object = find(tenant, Kind::Action, name)?;
    let trigger = trigger(object, case)?;
    let mut action = test_input::draft_action(&tenant.bundle, object);
    action.secrets.extend(case.secrets.clone());
    action.code = prepare(action.code);
    let setting = Setting::find(tenant, case, trigger)?;
    let input = setting.action_input(tenant, trigger, action)?;
    let mut observed = Map::new();
    let trace = match runner.run_actions(input).await {
        Ok(output) => {
            observe(output.effects, output.outcome, &mut observed);
            output.trace
        }
        Err(denied) => failed(denied, &mut observed),
    };
    observed.retain(|_, value| !is_nothing(value));
    Ok((observed, trace))
}

/// The trigger of a case: its own, else the first that the action supports.
fn trigger(action: &Object, case: &Case) -> Result<Trigger, String> {
    let supported = action.get("supported_triggers").and_then(Value::as_array);
    let first = supported.and_then(|all| all.first()?.get("id")?.as_str());
    let name = case.trigger.as_deref().or(first).unwrap_or("post-login");
    Trigger::from_name(name).ok_or_else(|| format!("there is no trigger {name}"))
}

/// The script of this file or folder: by its name, else by its name as a path.
fn find<'a>(tenant: &'a Inner, kind: Kind, name: &str) -> Result<&'a Object, String> {
    let slug = |text: &str| text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "-");
    let is_it = |object: &&Object| {
        let of = |member: &str| object.get(member).and_then(Value::as_str);
        of("name").is_some_and(|own| slug(own) == slug(name))
    };
    let by_name = tenant.bundle.objects.find(kind, "name", name);
    by_name
        .or_else(|| tenant.bundle.objects.list(kind).iter().find(is_it))
        .ok_or_else(|| missing(kind.folder(), name))
}

/// A case with who and what it is about.
struct Setting<'a> {
    case: &'a Case,
    subject: Subject,
}

impl<'a> Setting<'a> {
    fn find(tenant: &Inner, case: &'a Case, trigger: Trigger) -> Result<Self, String> {
        let names = SubjectNames {
            person: case.person.as_deref(),
            client: case.client.as_deref(),
            api: case.api.as_deref(),
            organization: case.organization.as_deref(),
            scope: case.scope.as_deref(),
        };
        Ok(Self { case, subject: Subject::find(tenant, &names, trigger)? })
    }

    fn rule_input(&self, tenant: &Inner) -> Result<LoginInput, String> {
        let mut context = test_input::context(tenant, &self.subject.login())?;
        merge(&mut context, &self.case.context);
        let mut user = Value::Object(self.subject.user.for_rules());
        merge(&mut user, &self.case.user);
        let mut configuration = tenant.bundle.rules_configs.clone();
        configuration.extend(self.case.configuration.clone());
        let auth0 = test_input::globals(tenant).map_err(|error| error.description)?;
        Ok(LoginInput { user, context, auth0, configuration })
    }

    fn action_input(&self, tenant: &Inner, trigger: Trigger, action: Action) -> Result<ActionsInput, String> {
        let mut event = test_input::event(tenant, trigger, &self.subject.login())?;
        if let Some(user) = event.get_mut("user") {
            merge(user, &self.case.user);
        }
        merge(&mut event, &self.case.event);
        let facts = ApiFacts {
            can_redirect: true,
            roles: self.subject.user.role_objects(&tenant.bundle),
            ..ApiFacts::default()
        };
        let resume = self.case.continues.then_some(Resume { action: 0, continues: true });
        Ok(ActionsInput {
            trigger,
            actions: Arc::new([action]),
            resume,
            event,
            facts,
            effects: Effects::default(),
        })
    }
}

/// Puts members over those of a value, object by object; `null` removes one.
fn merge(into: &mut Value, over: &Map<String, Value>) {
    let Some(members) = into.as_object_mut() else { return };
    for (name, value) in over {
        match (members.get_mut(name), value) {
            (_, Value::Null) => {
                members.remove(name);
            }
            (Some(old @ Value::Object(_)), Value::Object(new)) => merge(old, new),
            _ => {
                members.insert(name.clone(), value.clone());
            }
        }
    }
}

/// The members that a rule changed; one that it removed is `null`.
fn changes(before: &Value, after: &Value) -> Map<String, Value> {
    let none = Map::new();
    let (before, after) = (before.as_object().unwrap_or(&none), after.as_object().unwrap_or(&none));
    let changed = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
    let removed = before.keys().filter(|name| !after.contains_key(*name));
    let changed = changed.map(|(name, value)| (name.clone(), value.clone()));
    changed.chain(removed.map(|name| (name.clone(), Value::Null))).collect()
}

/// A denial is `denied`, anything else that went wrong `error`.
fn failed(denied: Denied, observed: &mut Map<String, Value>) -> Trace {
    let (member, text) = match denied.reason {
        DenyReason::Unauthorized | DenyReason::Validation => ("denied", denied.description().to_owned()),
        _ => ("error", denied.message.clone()),
    };
    observed.insert(member.to_owned(), text.into());
    *denied.trace
}

/// What actions asked for, with the members that `expect` has.
fn observe(effects: Effects, outcome: Outcome, observed: &mut Map<String, Value>) {
    let (added, removed): (Vec<_>, Vec<_>) = effects.scopes.iter().partition(|(_, added)| **added);
    let names = |scopes: Vec<(&String, &bool)>| {
        scopes.into_iter().map(|(scope, _)| scope.clone()).collect::<Vec<_>>()
    };
    let scopes = BTreeMap::from([("added", names(added)), ("removed", names(removed))]);
    let has_scopes = scopes.values().any(|scopes| !scopes.is_empty());
    let factor = effects.multifactor.as_ref().map(|factor| factor.provider.clone());
    if let Value::Object(members) = json!(effects) {
        observed.extend(members);
    }
    for name in ["scopes", "multifactor", "denial", "suspension"] {
        observed.remove(name);
    }
    for name in ["session", "refresh_token"] {
        if let Some(Value::Object(members)) = observed.get_mut(name) {
            members.retain(|_, value| !is_nothing(value));
        }
    }
    if has_scopes {
        observed.insert("scopes".to_owned(), json!(scopes));
    }
    observed.extend(factor.map(|factor| ("second_factor".to_owned(), factor.into())));
    match outcome {
        Outcome::Finished => {}
        Outcome::Denied { denial, .. } => {
            let is_plain =
                denial.kind == DenialKind::Access && denial.code.is_none() && denial.user_message.is_none();
            let denied = if is_plain {
                denial.reason.into()
            } else {
                let Denial { reason, code, user_message, .. } = denial;
                without_null(json!({"reason": reason, "code": code, "user_message": user_message})).into()
            };
            observed.insert("denied".to_owned(), denied);
        }
        Outcome::Suspended { suspension, .. } => {
            let (member, value) = match suspension {
                Suspension::Redirect(url) => ("redirect", url.into()),
                Suspension::Prompt { id, .. } => ("prompt", id.into()),
                Suspension::Challenge { factors, .. } | Suspension::Enroll { factors, .. } => {
                    let types = factors.iter().map(|factor| factor.get("type").cloned().unwrap_or_default());
                    ("second_factor", types.collect())
                }
            };
            observed.insert(member.to_owned(), value);
        }
    }
}
