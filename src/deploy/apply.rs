//! Makes the changes of a plan, one by one, and checks each at the tenant. Every step looks at what is there, so that it can
//! be made again after an interruption.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::compare::differing;
use super::connection::Connection;
use super::desired::Desired;
use super::error::DeployError;
use super::plan::{Change as Planned, ChangeKind, Verb};
use super::read::{self, complete, read_kind};
use super::secrets::{SecretHashes, holder};
use super::state::{Binding, ObjectKind, State, text};
use crate::auth0::Change;
use crate::bundle::Object;
use crate::store::Store;

/// How often a creation, whose outcome can be unknown, is tried …
pub(super) const CREATIONS: usize = 6;
/// … and the first pause, doubled each time.
pub(super) const CREATION_PAUSE: Duration = Duration::from_millis(500);
/// Makes changes at a tenant.
pub(super) struct Applier<'a> {
    pub(super) tenant: &'a Connection<'a>,
    pub(super) desired: &'a Desired,
    /// What the tenant has, kept up to date.
    pub(super) current: State,
    pub(super) hashes: &'a SecretHashes,
    pub(super) store: &'a Store,
    /// The tenant's URL, by which its records are found.
    pub(super) url: &'a str,
}

impl Applier<'_> {
    /// Makes one change, and checks it.
    pub(super) fn apply(&mut self, change: &Planned) -> Result<(), DeployError> {
        match (change.kind, change.action) {
            (ChangeKind::Bindings, _) => self.bind(change),
            (ChangeKind::Object(kind), Verb::Delete) => self.delete(kind, &change.name),
            (ChangeKind::Object(kind), _) => match kind.script() {
                Some(members) => self.script((kind, members, &change.name)),
                None => self.object(kind, &change.name),
            },
        }
    }

    fn object(&mut self, kind: ObjectKind, name: &str) -> Result<(), DeployError> {
        let wanted = self.wanted(kind, name);
        let is = self.ensure(kind, name, self.creation(kind, &wanted)?)?;
        let mut changes = changed(kind, &wanted, &is);
        changes.remove("permissions");
        let path = object_path(kind, &is);
        if !changes.is_empty() {
            self.tenant.change("a change of an object", &path, Change::Patch(&Value::Object(changes)))?;
        }
        if kind == ObjectKind::Roles {
            self.permissions(&path, &wanted, &is)?;
        }
        let is = self.reread(kind, name, &path)?;
        ensure_same(kind, name, &wanted, &is)
    }

    fn permissions(&self, role: &str, wanted: &Object, is: &Object) -> Result<(), DeployError> {
        let list =
            |role: &Object| role.get("permissions").and_then(Value::as_array).cloned().unwrap_or_default();
        let (wanted, is) = (list(wanted), list(is));
        let only = |some: &[Value], others: &[Value]| -> Vec<Value> {
            some.iter().filter(|permission| !others.contains(permission)).cloned().collect()
        };
        let (added, removed) = (only(&wanted, &is), only(&is, &wanted));
        let path = format!("{role}/permissions");
        if !added.is_empty() {
            let body = json!({ "permissions": added });
            self.tenant.change("an addition of a role's permissions", &path, Change::Post(&body))?;
        }
        if !removed.is_empty() {
            let body = json!({ "permissions": removed });
            self.tenant.change("a removal of a role's permissions", &path, Change::Remove(&body))?;
        }
        Ok(())
    }

    /// Waits before an attempt is repeated whose outcome is unknown.
    pub(super) fn again(
        &self,
        attempt: usize,
        pause: &mut Duration,
        error: DeployError,
    ) -> Result<(), DeployError> {
        if attempt >= CREATIONS {
            return Err(error);
        }
        self.tenant.wait(*pause, Some(&format!("{error}; looking again in {:.1} s", pause.as_secs_f32())))?;
        *pause *= 2;
        Ok(())
    }

    fn bind(&mut self, change: &Planned) -> Result<(), DeployError> {
        let trigger = &change.name;
        let kept =
            |binding: &&Binding| self.desired.state.get(ObjectKind::Actions, &binding.action_name).is_some();
        let wanted: Vec<Binding> = match self.desired.state.bindings.get(trigger) {
            Some(wanted) => wanted.clone(),
            // Of a trigger that the bundle does not list: without the actions that are deleted.
            None => self.current.bindings.get(trigger).into_iter().flatten().filter(kept).cloned().collect(),
        };
        let body = wanted.iter().map(|binding| {
            json!({"ref": {"type": "action_name", "value": binding.action_name}, "display_name": binding.display_name})
        });
        let body = json!({"bindings": body.collect::<Vec<_>>()});
        let path = format!("actions/triggers/{trigger}/bindings");
        self.tenant.change("a change of a trigger's bindings", &path, Change::Patch(&body))?;
        let is = read::bindings(self.tenant, trigger)?;
        let is_same = is == wanted;
        self.current.bindings.insert(trigger.clone(), is);
        if is_same {
            return Ok(());
        }
        let problem = "its actions are others, or in another order".to_owned();
        Err(DeployError::NotAsDeployed { what: format!("trigger {trigger}"), problem })
    }

    fn delete(&mut self, kind: ObjectKind, name: &str) -> Result<(), DeployError> {
        let Some(is) = self.current.get(kind, name) else { return Ok(()) };
        let path = object_path(kind, is);
        // It is gone when another tool, or an attempt before this one, deleted it.
        if self.tenant.get("a look at an object", &path)?.is_some() {
            self.tenant.change("a deletion", &path, Change::Delete)?;
        }
        self.current.objects.entry(kind).or_default().remove(name);
        if kind.script().is_some() {
            self.store.set_deployed_secrets(self.url, &holder(kind, name), &BTreeMap::new())?;
        }
        Ok(())
    }

    /// The object at the tenant, created if it is not there.
    pub(super) fn ensure(
        &mut self,
        kind: ObjectKind,
        name: &str,
        body: Object,
    ) -> Result<Object, DeployError> {
        let (body, mut pause) = (Value::Object(body), CREATION_PAUSE);
        for attempt in 1.. {
            if let Some(is) = self.current.get(kind, name) {
                return Ok(is.clone());
            }
            match self.tenant.create("a creation", kind.path(), &body)? {
                Ok(created) => {
                    let created = complete(self.tenant, kind, created, &self.current)?;
                    created.into_iter().for_each(|created| self.current.add(kind, created));
                    if self.current.get(kind, name).is_none() {
                        break;
                    }
                }
                Err(error) => {
                    self.again(attempt, &mut pause, error)?;
                    read_kind(self.tenant, kind, &mut self.current)?;
                }
            }
        }
        let problem = "it was created with another name".to_owned();
        Err(DeployError::NotAsDeployed { what: format!("{} {name}", kind.noun()), problem })
    }

    /// The object as the tenant has it now.
    pub(super) fn reread(&mut self, kind: ObjectKind, name: &str, path: &str) -> Result<Object, DeployError> {
        let what = format!("{} {name}", kind.noun());
        let gone = || DeployError::NotAsDeployed { what: what.clone(), problem: "it is gone".to_owned() };
        let value = self.tenant.get("a look at an object", path)?.ok_or_else(gone)?;
        let is = complete(self.tenant, kind, value, &self.current)?.ok_or_else(gone)?;
        self.current.objects.entry(kind).or_default().remove(name);
        self.current.add(kind, is.clone());
        Ok(is)
    }

    pub(super) fn wanted(&self, kind: ObjectKind, name: &str) -> Object {
        self.desired.state.get(kind, name).cloned().unwrap_or_default()
    }

    /// The body that creates an object.
    pub(super) fn creation(&self, kind: ObjectKind, wanted: &Object) -> Result<Object, DeployError> {
        let mut body = wanted.clone();
        body.retain(|member, _| !kind.read_only().contains(&member.as_str()) && member != "permissions");
        if kind == ObjectKind::Grants {
            let name = text(wanted, super::state::CLIENT);
            let client = self.current.get(ObjectKind::Clients, name);
            let id = client.and_then(|client| client.get("client_id")).cloned();
            let problem = format!("its client {name} is not there");
            let missing = || DeployError::NotAsDeployed { what: format!("grant of {name}"), problem };
            body.insert("client_id".to_owned(), id.ok_or_else(missing)?);
        }
        Ok(body)
    }
}

pub(super) fn object_path(kind: ObjectKind, is: &Object) -> String {
    format!("{}/{}", kind.path(), text(is, kind.id_member()))
}

/// The members of `wanted` that the tenant has otherwise, as an update sends them.
pub(super) fn changed(kind: ObjectKind, wanted: &Object, is: &Object) -> Object {
    // A member that is an object replaces the old one, so what the bundle does not name is sent as it is.
    let merged = |member: &str, value: &Value| match (is.get(member), value) {
        (Some(Value::Object(is)), Value::Object(wanted)) => {
            let mut merged = is.clone();
            merged.extend(wanted.clone());
            merged.remove("secret_encoded");
            Value::Object(merged)
        }
        _ => value.clone(),
    };
    differing(kind, wanted, Some(is)).map(|(member, value)| (member.clone(), merged(member, value))).collect()
}

/// Checks that the tenant has what it was sent.
pub(super) fn ensure_same(
    kind: ObjectKind,
    name: &str,
    wanted: &Object,
    is: &Object,
) -> Result<(), DeployError> {
    let members: Vec<&str> = differing(kind, wanted, Some(is)).map(|(member, _)| member.as_str()).collect();
    if members.is_empty() {
        return Ok(());
    }
    let problem = format!("the tenant has another {}", members.join(", "));
    Err(DeployError::NotAsDeployed { what: format!("{} {name}", kind.noun()), problem })
}
