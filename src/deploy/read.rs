//! A tenant → its [`State`].

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::connection::Connection;
use super::error::DeployError;
use super::modules::name_modules;
use super::state::{Binding, CLIENT, ObjectKind, State, text};
use crate::bundle::Object;

/// Reads the objects of these kinds, and with actions the bindings of `triggers` and of all triggers that an action supports.
/// `with_modules` reads the action modules that actions name, too.
pub(super) fn tenant_state(
    tenant: &Connection<'_>,
    kinds: &BTreeSet<ObjectKind>,
    triggers: &BTreeSet<String>,
    with_modules: bool,
) -> Result<State, DeployError> {
    let mut state = State { kinds: kinds.clone(), ..State::default() };
    for kind in ObjectKind::ALL {
        // A grant names its client by id.
        let is_needed = kind == ObjectKind::Clients && kinds.contains(&ObjectKind::Grants)
            || kind == ObjectKind::ActionModules && with_modules;
        if kinds.contains(&kind) || is_needed {
            read_kind(tenant, kind, &mut state)?;
        }
    }
    if kinds.contains(&ObjectKind::Actions) {
        let mut all = triggers.clone();
        all.extend(state.of(ObjectKind::Actions).flat_map(|(_, action)| supported(action)));
        for trigger in all {
            let bindings = bindings(tenant, &trigger)?;
            state.bindings.insert(trigger, bindings);
        }
    }
    Ok(state)
}

/// Reads all objects of a kind, in place of those in `state`.
pub(super) fn read_kind(
    tenant: &Connection<'_>,
    kind: ObjectKind,
    state: &mut State,
) -> Result<(), DeployError> {
    let (what, path, key) = match kind {
        ObjectKind::ResourceServers => ("the list of APIs", "resource-servers", "resource_servers"),
        ObjectKind::Clients => ("the list of clients", "clients?is_global=false", "clients"),
        ObjectKind::Grants => ("the list of grants", "client-grants", "client_grants"),
        ObjectKind::Roles => ("the list of roles", "roles", "roles"),
        ObjectKind::ActionModules => ("the list of action modules", "actions/modules", "modules"),
        ObjectKind::Actions => ("the list of actions", "actions/actions", "actions"),
    };
    let listed = tenant.list(what, path, key)?;
    state.objects.remove(&kind);
    for value in listed {
        if let Some(object) = complete(tenant, kind, value, state)? {
            state.add(kind, object);
        }
    }
    Ok(())
}

/// An object with what is read apart.
pub(super) fn complete(
    tenant: &Connection<'_>,
    kind: ObjectKind,
    value: Value,
    state: &State,
) -> Result<Option<Object>, DeployError> {
    let Value::Object(mut object) = value else { return Ok(None) };
    match kind {
        ObjectKind::Grants => {
            // Of a client that is global or that another tool just deleted.
            let Some(client) = state.client_name(text(&object, "client_id")) else { return Ok(None) };
            object.insert(CLIENT.to_owned(), client.into());
            object.entry("subject_type").or_insert_with(|| "client".into());
        }
        ObjectKind::Roles => {
            let path = format!("roles/{}/permissions", text(&object, "id"));
            let permissions = tenant.list("the list of a role's permissions", &path, "permissions")?;
            let own = |permission: &Value| {
                let member = |name: &str| permission.get(name).cloned().unwrap_or_default();
                json!({"permission_name": member("permission_name"),
                    "resource_server_identifier": member("resource_server_identifier")})
            };
            object.insert("permissions".to_owned(), permissions.iter().map(own).collect());
        }
        ObjectKind::Actions => {
            // The history of deployments is not part of the state.
            object.remove("current_version");
            name_modules(&mut object, state);
        }
        ObjectKind::Clients | ObjectKind::ResourceServers | ObjectKind::ActionModules => {}
    }
    Ok(Some(object))
}

/// The bindings of a trigger.
pub(super) fn bindings(tenant: &Connection<'_>, trigger: &str) -> Result<Vec<Binding>, DeployError> {
    let path = format!("actions/triggers/{trigger}/bindings");
    let listed = tenant.list("the list of a trigger's bindings", &path, "bindings")?;
    let binding = |value: &Value| {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let action_name = text("/action/name")?;
        Some(Binding {
            display_name: text("/display_name").unwrap_or_else(|| action_name.clone()),
            action_name,
        })
    };
    Ok(listed.iter().filter_map(binding).collect())
}

/// The triggers that an action supports.
pub(super) fn supported(action: &Object) -> impl Iterator<Item = String> {
    let triggers = action.get("supported_triggers").and_then(Value::as_array).into_iter().flatten();
    triggers.filter_map(|trigger| trigger.get("id")?.as_str().map(str::to_owned))
}
