//! Action modules: code that several actions share. A draft, and the versions that were published of it.

use serde_json::{Value, json};

use super::super::response::{HttpResponse, object};
use super::actions::{derived_id, keep_secrets, secrets};
use super::call::{Answer, ApiError, Call, random, text};
use super::schemas;
use crate::bundle::{Kind, Object};

/// The members that a version copies from the draft.
const DRAFT: [&str; 3] = ["code", "dependencies", "secrets"];
/// The most versions kept of a module; the oldest go.
const VERSIONS: usize = 100;

pub(super) fn defaults(call: &Call<'_>) -> Object {
    object(json!({"dependencies": [], "secrets": [], "created_at": call.now(), "updated_at": call.now()}))
}

/// A new module, published at once if the body asks for it.
pub(super) fn created(call: &Call<'_>, mut module: Object) -> Result<Object, ApiError> {
    if module.remove("publish") == Some(Value::Bool(true)) {
        module.insert("_versions".to_owned(), published(call, &module)?.into());
    }
    Ok(module)
}

/// Completes the changes of an update. What a bundle declares as published stays.
pub(super) fn updated(call: &Call<'_>, stored: &Object, changes: &mut Object) {
    changes.insert("updated_at".to_owned(), call.now());
    keep_secrets(stored, changes);
    if !stored.contains_key("_versions") {
        changes.insert("_versions".to_owned(), json!(versions(stored)));
    }
}

/// Refuses to delete a module that an action uses.
pub(super) fn may_delete(call: &Call<'_>, stored: &Object) -> Result<(), ApiError> {
    match users(call, stored).next() {
        Some((action, _)) => {
            let message = format!("The action {:?} uses this module.", text(action, "name"));
            Err(ApiError::new(412, message, "module_in_use"))
        }
        None => Ok(()),
    }
}

/// A module as answers have it.
pub(super) fn shown(call: &Call<'_>, stored: &Object) -> Object {
    let (mut shown, versions) = (stored.clone(), versions(stored));
    let latest = versions.last();
    let is_published = latest.is_some_and(|latest| draft(latest) == draft(stored));
    shown.extend(object(json!({
        "secrets": secrets(stored), "all_changes_published": is_published,
        "actions_using_module_total": users(call, stored).count(),
        "latest_version_number": latest.map_or(json!(0), |latest| latest.get("version_number").cloned().unwrap_or_default()),
    })));
    shown.extend(latest.map(|latest| {
        let mut latest = shown_version(stored, latest);
        latest.remove("module_id");
        ("latest_version".to_owned(), latest.into())
    }));
    shown
}

/// `GET /actions/modules/{id}/versions`, the newest first.
pub(super) fn list_versions(call: &Call<'_>) -> Answer {
    let module = find(call)?;
    let versions = versions(module).into_iter().rev();
    call.paged("versions", versions.map(|version| shown_version(module, &version).into()).collect())
}

/// `POST /actions/modules/{id}/versions`: publishes the draft.
pub(super) fn publish(call: &Call<'_>) -> Answer {
    let module = find(call)?;
    let versions = published(call, module)?;
    let shown = versions.last().map(|version| shown_version(module, version));
    change(call, module, object(json!({"_versions": versions})))?;
    Ok(HttpResponse::json(201, &shown.unwrap_or_default().into()))
}

/// `GET /actions/modules/{id}/versions/{versionId}`.
pub(super) fn get_version(call: &Call<'_>) -> Answer {
    let module = find(call)?;
    Ok(HttpResponse::json(200, &shown_version(module, &version(module, call.arg(1))?).into()))
}

/// `POST /actions/modules/{id}/rollback`: a version becomes the draft again.
pub(super) fn rollback(call: &Call<'_>) -> Answer {
    let module = find(call)?;
    let body = call.body()?;
    let mut changes = draft(&version(module, text(&body, "module_version_id"))?);
    changes.insert("updated_at".to_owned(), call.now());
    if !module.contains_key("_versions") {
        changes.insert("_versions".to_owned(), json!(versions(module)));
    }
    let mut next = module.clone();
    next.extend(changes.clone());
    change(call, module, changes)?;
    let mut shown = shown(call, &next);
    schemas::project(Kind::ActionModule.folder(), &mut shown);
    Ok(HttpResponse::json(200, &shown.into()))
}

/// `GET /actions/modules/{id}/actions`.
pub(super) fn list_actions(call: &Call<'_>) -> Answer {
    let module = find(call)?;
    let actions = users(call, module).map(|(action, reference)| {
        json!({
            "action_id": action.get("id"), "action_name": action.get("name"),
            "module_version_id": reference.get("module_version_id"),
            "module_version_number": reference.get("module_version_number"),
            "supported_triggers": action.get("supported_triggers"),
        })
    });
    call.paged("actions", actions.collect())
}

fn find<'a>(call: &'a Call<'_>) -> Result<&'a Object, ApiError> {
    let found = call.tenant.bundle.objects.find(Kind::ActionModule, "id", call.arg(0));
    found.ok_or_else(|| ApiError::new(404, "That action module does not exist.", ""))
}

/// The actions that refer to a module, by id or by name as bundles do, each with its reference.
fn users<'a>(call: &'a Call<'_>, module: &'a Object) -> impl Iterator<Item = (&'a Object, &'a Value)> {
    let is_it = move |reference: &&Value| {
        let is =
            |member: &str, of: &str| reference.get(member).is_some_and(|value| Some(value) == module.get(of));
        is("module_id", "id") || is("module_name", "name")
    };
    let actions = call.tenant.bundle.objects.list(Kind::Action).iter();
    actions.filter_map(move |action| Some((action, action.get("modules")?.as_array()?.iter().find(is_it)?)))
}

/// The versions, the oldest first. A module that its bundle declares as published has one.
fn versions(module: &Object) -> Vec<Object> {
    if let Some(Value::Array(versions)) = module.get("_versions") {
        return versions.iter().cloned().map(object).collect();
    }
    let number = module.get("latest_version_number").and_then(Value::as_u64).unwrap_or(0);
    if number == 0 && module.get("all_changes_published") != Some(&Value::Bool(true)) {
        return Vec::new();
    }
    let mut version = draft(module);
    version.extend(object(json!({"id": derived_id(text(module, "id")), "version_number": number.max(1)})));
    vec![version]
}

fn version(module: &Object, id: &str) -> Result<Object, ApiError> {
    let found = versions(module).into_iter().find(|version| text(version, "id") == id);
    found.ok_or_else(|| ApiError::new(404, "That action module version does not exist.", ""))
}

fn draft(holder: &Object) -> Object {
    let member = |member: &str| (member.to_owned(), holder.get(member).cloned().unwrap_or_else(|| json!([])));
    DRAFT.iter().map(|name| member(name)).collect()
}

/// The versions with one more, of the draft.
fn published(call: &Call<'_>, module: &Object) -> Result<Vec<Object>, ApiError> {
    let mut versions = versions(module);
    let number = versions.last().and_then(|latest| latest.get("version_number")?.as_u64()).unwrap_or(0);
    let id = Kind::ActionModule.format_id(&random::<16>()?);
    let mut version = draft(module);
    version.extend(object(
        json!({"id": id, "version_number": number.saturating_add(1), "created_at": call.now()}),
    ));
    versions.push(version);
    let excess = versions.len().saturating_sub(VERSIONS);
    versions.drain(..excess);
    Ok(versions)
}

fn shown_version(module: &Object, version: &Object) -> Object {
    let mut shown = version.clone();
    shown.insert("secrets".to_owned(), secrets(version));
    shown.insert("module_id".to_owned(), text(module, "id").into());
    shown
}

fn change(call: &Call<'_>, module: &Object, changes: Object) -> Result<(), ApiError> {
    Ok(call.tenant.change_object(Kind::ActionModule.folder(), text(module, "id"), changes)?)
}
