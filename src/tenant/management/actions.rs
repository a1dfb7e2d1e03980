//! Actions: drafts, versions, deployment, and bindings to triggers.

use aws_lc_rs::digest;
use serde_json::{Map, Value, json};

use super::super::accounts::overlay;
use super::super::response::{HttpResponse, object, without_null};
use super::super::state::TRIGGERS;
use super::call::{Answer, ApiError, Call};
use super::call::{random, text};
use super::schemas;
use crate::bundle::{Kind, Object};

/// The members that a version copies from the draft.
const DRAFT: [&str; 5] = ["code", "dependencies", "modules", "runtime", "secrets"];
/// The most versions kept of an action; the oldest go.
const VERSIONS: usize = 100;
/// The triggers and their current versions.
const TRIGGER_VERSIONS: [(&str, &str); 14] = [
    ("post-login", "v3"),
    ("credentials-exchange", "v2"),
    ("pre-user-registration", "v2"),
    ("post-user-registration", "v2"),
    ("post-change-password", "v2"),
    ("send-phone-message", "v2"),
    ("password-reset-post-challenge", "v1"),
    ("custom-phone-provider", "v1"),
    ("custom-email-provider", "v1"),
    ("custom-token-exchange", "v1"),
    ("event-stream", "v1"),
    ("password-hash-migration", "v1"),
    ("login-post-identifier", "v1"),
    ("signup-post-identifier", "v1"),
];

pub(super) fn defaults(call: &Call<'_>) -> Result<Object, ApiError> {
    let now = call.now();
    Ok(object(json!({
        "code": "", "dependencies": [], "runtime": "node22", "secrets": [], "created_at": now, "updated_at": now,
    })))
}

/// A new action, deployed at once if the body asks for it.
pub(super) fn created(call: &Call<'_>, mut action: Object) -> Result<Object, ApiError> {
    let triggers = action.get("supported_triggers").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_known = |trigger: &Value| {
        let id = trigger.get("id").and_then(Value::as_str).unwrap_or_default();
        TRIGGER_VERSIONS.iter().any(|(known, _)| *known == id)
    };
    if triggers.is_empty() || !triggers.iter().all(is_known) {
        return Err(ApiError::body("'Unknown trigger' on property supported_triggers"));
    }
    if action.remove("deploy") == Some(Value::Bool(true)) {
        let changes = deploy(call, &action, None)?;
        action.extend(changes);
    }
    Ok(action)
}

/// Completes the changes of an update. The version that a bundle declares as deployed keeps its code.
pub(super) fn updated(call: &Call<'_>, stored: &Object, changes: &mut Object) {
    changes.insert("updated_at".to_owned(), call.now());
    keep_secrets(stored, changes);
    if !stored.contains_key("_versions")
        && let Some(version) = deployed_version(stored)
    {
        changes.insert("_deployed".to_owned(), version.get("id").cloned().unwrap_or_default());
        changes.insert("_versions".to_owned(), json!([version]));
    }
}

/// A secret that is sent without a value keeps the one it has.
pub(super) fn keep_secrets(stored: &Object, changes: &mut Object) {
    let Some(Value::Array(secrets)) = changes.get_mut("secrets") else { return };
    for secret in secrets.iter_mut().filter_map(Value::as_object_mut) {
        let old = stored.get("secrets").and_then(Value::as_array).into_iter().flatten();
        let same = old.filter(|old| old.get("name") == secret.get("name")).find_map(|old| old.get("value"));
        if let (None, Some(value)) = (secret.get("value"), same) {
            secret.insert("value".to_owned(), value.clone());
        }
    }
}

pub(super) fn may_delete(call: &Call<'_>, stored: &Object) -> Result<(), ApiError> {
    let is_bound =
        |(trigger, _): &(&str, &str)| bindings(call, trigger).iter().any(|binding| is_for(binding, stored));
    let bound = TRIGGER_VERSIONS.iter().find(|trigger| is_bound(trigger));
    match bound.filter(|_| call.query.get("force") != Some("true")) {
        Some((trigger, _)) => {
            let message = format!("The action is bound to the trigger {trigger}; remove the binding first.");
            Err(ApiError::new(400, message, "action_bound"))
        }
        None => Ok(()),
    }
}

/// An action as answers have it. As at Auth0, the answer to a change says `pending`; it is built by the next request.
pub(super) fn shown(stored: &Object, is_change: bool) -> Object {
    let mut action = stored.clone();
    for (member, default) in [("code", json!("")), ("dependencies", json!([])), ("runtime", json!("node22"))]
    {
        action.entry(member).or_insert(default);
    }
    action.insert("status".to_owned(), if is_change { "pending" } else { "built" }.into());
    action.insert("secrets".to_owned(), secrets(stored));
    let deployed = deployed_version(stored);
    let is_all = deployed
        .as_ref()
        .is_some_and(|version| DRAFT.iter().all(|member| version.get(*member) == draft(stored).get(*member)));
    action.insert("all_changes_deployed".to_owned(), is_all.into());
    if let Some(version) = deployed {
        action.insert("deployed_version".to_owned(), shown_version(stored, &version, false).into());
    }
    action
}

/// `POST /actions/actions/{id}/deploy`.
pub(super) fn deploy_draft(call: &Call<'_>) -> Answer {
    let action = find(call, call.arg(0))?;
    deployed(call, action, None)
}

/// `POST /actions/actions/{actionId}/versions/{id}/deploy`: a new version with the content of an old one.
pub(super) fn deploy_version(call: &Call<'_>) -> Answer {
    let action = find(call, call.arg(0))?;
    let version = version(action, call.arg(1))?;
    deployed(call, action, Some(version))
}

/// `GET /actions/actions/{actionId}/versions`, the newest first.
pub(super) fn list_versions(call: &Call<'_>) -> Answer {
    let action = find(call, call.arg(0))?;
    let versions = versions(action).into_iter().rev();
    call.paged("versions", versions.map(|version| shown_version(action, &version, true).into()).collect())
}

pub(super) fn get_version(call: &Call<'_>) -> Answer {
    let action = find(call, call.arg(0))?;
    let version = version(action, call.arg(1))?;
    Ok(HttpResponse::json(200, &shown_version(action, &version, true).into()))
}

/// `GET /actions/triggers`.
pub(super) fn list_triggers(_: &Call<'_>) -> Answer {
    let triggers: Vec<Value> = TRIGGER_VERSIONS
        .iter()
        .map(|(id, version)| {
            json!({
                "id": id, "version": version, "status": "CURRENT", "runtimes": ["node18-actions", "node22"],
                "default_runtime": "node22", "binding_policy": "trigger-bound", "compatible_triggers": [],
            })
        })
        .collect();
    Ok(HttpResponse::json(200, &json!({"triggers": triggers})))
}

/// `GET /actions/triggers/{triggerId}/bindings`.
pub(super) fn list_bindings(call: &Call<'_>) -> Answer {
    let trigger = trigger(call)?;
    call.paged("bindings", shown_bindings(call, trigger, &bindings(call, trigger)))
}

/// `PATCH /actions/triggers/{triggerId}/bindings`: replaces the list.
pub(super) fn update_bindings(call: &Call<'_>) -> Answer {
    let trigger = trigger(call)?;
    let body = call.body()?;
    let wanted = body.get("bindings").and_then(Value::as_array);
    let wanted = wanted.ok_or_else(|| ApiError::body("'Missing required property: bindings'"))?;
    let (stored, now) = (bindings(call, trigger), call.now());
    let mut next = Vec::new();
    for binding in wanted {
        let reference = |member: &str| binding.pointer(member).and_then(Value::as_str).unwrap_or_default();
        let value = reference("/ref/value");
        let old = stored
            .iter()
            .find(|old| text(old, "id") == value)
            .filter(|_| reference("/ref/type") == "binding_id");
        let actions = call.tenant.bundle.objects.list(Kind::Action);
        let action = actions.iter().find(|action| match (old, reference("/ref/type")) {
            (Some(old), _) => is_for(old, action),
            (None, "action_name") => text(action, "name") == value,
            (None, _) => text(action, "id") == value,
        });
        let action = action.ok_or_else(|| ApiError::new(404, "That action does not exist.", ""))?;
        if deployed_version(action).is_none() {
            let message =
                format!("The action {:?} must be deployed before it is bound.", text(action, "name"));
            return Err(ApiError::new(400, message, "action_not_deployed"));
        }
        let name =
            Some(reference("/display_name")).filter(|name| !name.is_empty()).unwrap_or(text(action, "name"));
        let id =
            match old.or_else(|| stored.iter().find(|old| is_for(old, action))).map(|old| text(old, "id")) {
                Some(id) if !id.is_empty() => id.to_owned(),
                _ => Kind::Action.format_id(&random::<16>()?),
            };
        next.push(json!({
            "id": id, "action_id": action.get("id"), "action_name": action.get("name"), "display_name": name,
            "created_at": now, "updated_at": now,
        }));
    }
    let shown = shown_bindings(call, trigger, &next.iter().cloned().map(object).collect::<Vec<_>>());
    call.tenant.change_object(TRIGGERS, trigger, object(json!({"bindings": next})))?;
    Ok(HttpResponse::json(200, &json!({"bindings": shown})))
}

fn trigger<'a>(call: &'a Call<'_>) -> Result<&'a str, ApiError> {
    let known = TRIGGER_VERSIONS.iter().any(|(known, _)| *known == call.arg(0));
    if known { Ok(call.arg(0)) } else { Err(ApiError::new(404, "That trigger does not exist.", "")) }
}

fn bindings(call: &Call<'_>, trigger: &str) -> Vec<Object> {
    let bindings = call.tenant.bundle.objects.triggers.get(trigger).and_then(Value::as_array);
    bindings.into_iter().flatten().cloned().map(object).collect()
}

fn is_for(binding: &Object, action: &Object) -> bool {
    match text(binding, "action_id") {
        "" => text(binding, "action_name") == text(action, "name"),
        id => id == text(action, "id"),
    }
}

fn shown_bindings(call: &Call<'_>, trigger: &str, bindings: &[Object]) -> Vec<Value> {
    let shown = bindings.iter().filter_map(|binding| {
        let actions = call.tenant.bundle.objects.list(Kind::Action);
        let action = actions.iter().find(|action| is_for(binding, action))?;
        let id = match text(binding, "id") {
            "" => derived_id(&format!("{trigger} {}", text(action, "id"))),
            id => id.to_owned(),
        };
        let mut shown = shown(action, false);
        shown.retain(|member, _| !member.starts_with('_'));
        schemas::project(Kind::Action.folder(), &mut shown);
        let value = without_null(json!({
            "id": id, "trigger_id": trigger, "display_name": binding.get("display_name").or_else(|| action.get("name")),
            "action": shown, "created_at": binding.get("created_at"), "updated_at": binding.get("updated_at"),
        }));
        Some(value.into())
    });
    shown.collect()
}

fn find<'a>(call: &'a Call<'_>, id: &str) -> Result<&'a Object, ApiError> {
    let found = call.tenant.bundle.objects.find(Kind::Action, "id", id);
    found.ok_or_else(|| ApiError::new(404, "That action does not exist.", ""))
}

fn version(action: &Object, id: &str) -> Result<Object, ApiError> {
    let mut versions = versions(action).into_iter();
    versions
        .find(|version| text(version, "id") == id)
        .ok_or_else(|| ApiError::new(404, "That version does not exist.", ""))
}

/// The versions, the oldest first. An action that its bundle declares as deployed has one.
fn versions(action: &Object) -> Vec<Object> {
    match action.get("_versions").and_then(Value::as_array) {
        Some(versions) => versions.iter().cloned().map(object).collect(),
        None => deployed_version(action).into_iter().collect(),
    }
}

/// The version that is deployed: what runs.
pub(in crate::tenant) fn deployed_version(action: &Object) -> Option<Object> {
    if let Some(id) = action.get("_deployed") {
        return versions(action).into_iter().find(|version| version.get("id") == Some(id));
    }
    let is_deployed = action.get("deployed") == Some(&Value::Bool(true)) && !action.contains_key("_versions");
    is_deployed.then(|| {
        let mut version = draft(action);
        version.extend(object(json!({"id": derived_id(text(action, "id")), "number": 1})));
        version
    })
}

pub(super) fn derived_id(seed: &str) -> String {
    Kind::Action.format_id(digest::digest(&digest::SHA256, seed.as_bytes()).as_ref())
}

fn draft(action: &Object) -> Object {
    let defaults = [
        ("code", json!("")),
        ("dependencies", json!([])),
        ("runtime", json!("node22")),
        ("secrets", json!([])),
    ];
    let mut draft: Map<String, Value> =
        defaults.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    for member in DRAFT {
        draft.extend(action.get(member).map(|value| (member.to_owned(), value.clone())));
    }
    draft
}

/// The changes of an action that make its draft, or an old version, the deployed one.
fn deploy(call: &Call<'_>, action: &Object, old: Option<Object>) -> Result<Object, ApiError> {
    let mut versions = versions(action);
    let last = versions.last().and_then(|version| version.get("number")).and_then(Value::as_u64).unwrap_or(0);
    let (id, now) = (Kind::Action.format_id(&random::<16>()?), call.now());
    let mut version = old.unwrap_or_else(|| draft(action));
    version.extend(object(json!({"id": id, "number": last.saturating_add(1), "created_at": now, "updated_at": now, "built_at": now})));
    versions.push(version);
    let excess = versions.len().saturating_sub(VERSIONS);
    versions.drain(..excess);
    Ok(object(json!({"_versions": versions, "_deployed": id})))
}

fn deployed(call: &Call<'_>, action: &Object, old: Option<Object>) -> Answer {
    let update_draft = call.body()?.get("update_draft") == Some(&Value::Bool(true));
    let mut changes = deploy(call, action, old.clone())?;
    if update_draft {
        changes.extend(old.map(|old| draft(&old)).unwrap_or_default());
    }
    let next = overlay(action.clone(), &changes);
    call.tenant.change_object(Kind::Action.folder(), text(action, "id"), changes)?;
    let version = deployed_version(&next).unwrap_or_default();
    Ok(HttpResponse::json(202, &shown_version(&next, &version, true).into()))
}

/// A version as answers have it, with its action or without.
fn shown_version(action: &Object, version: &Object, with_action: bool) -> Object {
    let mut shown = version.clone();
    let is_deployed =
        deployed_version(action).is_some_and(|deployed| deployed.get("id") == version.get("id"));
    shown.insert("secrets".to_owned(), secrets(version));
    shown.extend(object(json!({"deployed": is_deployed, "status": "built", "action_id": action.get("id")})));
    shown.extend(
        action.get("supported_triggers").map(|triggers| ("supported_triggers".to_owned(), triggers.clone())),
    );
    if with_action {
        let members = ["id", "name", "supported_triggers", "created_at", "updated_at"];
        let copied =
            members.iter().filter_map(|member| Some(((*member).to_owned(), action.get(*member)?.clone())));
        shown.insert("action".to_owned(), Value::Object(copied.collect()));
    }
    shown
}

/// The names of secrets, never their values.
pub(super) fn secrets(holder: &Object) -> Value {
    let list = holder.get("secrets").and_then(Value::as_array).into_iter().flatten();
    list.map(|secret| json!({"name": secret.get("name")})).collect()
}
