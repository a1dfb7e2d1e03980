//! Makes the changes of a plan, one by one, and checks each at the tenant. Every step looks at what is there, so that it can
//! be made again after an interruption.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::connection::Connection;
use super::desired::Desired;
use super::error::DeployError;
use super::plan::{Change as Planned, ChangeKind, Verb};
use super::read::{self, complete, read_kind};
use super::secrets::SecretHashes;
use super::state::{Binding, ObjectKind, State, contains, text};
use crate::auth0::Change;
use crate::bundle::Object;
use crate::store::Store;

/// How often a creation, whose outcome can be unknown, is tried …
const CREATIONS: usize = 6;
/// … and the first pause, doubled each time.
const CREATION_PAUSE: Duration = Duration::from_millis(500);
/// How long an action may take to be built: the pauses double from the first to the last, 60 times at most.
const BUILD_FIRST: Duration = Duration::from_millis(100);
const BUILD_LAST: Duration = Duration::from_secs(2);
const BUILD_LOOKS: usize = 60;

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
            (ChangeKind::Object(ObjectKind::Actions), _) => self.action(&change.name),
            (ChangeKind::Object(kind), _) => self.object(kind, &change.name),
        }
    }

    fn object(&mut self, kind: ObjectKind, name: &str) -> Result<(), DeployError> {
        let wanted = self.wanted(kind, name);
        let is = self.ensure(kind, name, self.creation(kind, &wanted)?)?;
        let changes = changed(kind, &wanted, &is, &["permissions"]);
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

    fn action(&mut self, name: &str) -> Result<(), DeployError> {
        let kind = ObjectKind::Actions;
        let wanted = self.wanted(kind, name);
        let mut body = self.creation(kind, &wanted)?;
        let secrets = self.secret_bodies(name);
        body.insert("secrets".to_owned(), secrets.clone().into());
        let is_new = self.current.get(kind, name).is_none();
        let mut is = self.ensure(kind, name, body)?;
        let path = object_path(kind, &is);
        if !is_new && self.deploy_recorded(name, &path)? {
            is = self.reread(kind, name, &path)?;
        }
        let mut changes = changed(kind, &wanted, &is, &["deployed"]);
        if !is_new && self.secrets_differ(name, &is) {
            changes.insert("secrets".to_owned(), secrets.into());
        }
        if !changes.is_empty() {
            self.tenant.change("a change of an action", &path, Change::Patch(&Value::Object(changes)))?;
        }
        self.record_secrets(name)?;
        let is = self.built(name, &path)?;
        ensure_same(kind, name, &wanted, &is)?;
        let must_deploy = match self.desired.is_record {
            true => self.desired.versions.contains_key(name),
            false => wanted.get("deployed") != Some(&json!(false)),
        };
        if must_deploy { self.deploy(name, &path, is) } else { Ok(()) }
    }

    /// Makes the draft the deployed version, unless it is.
    fn deploy(&mut self, name: &str, path: &str, mut is: Object) -> Result<(), DeployError> {
        let mut pause = CREATION_PAUSE;
        for attempt in 1.. {
            if is_deployed(&is) {
                break;
            }
            let deployed =
                self.tenant.create("the deployment of an action", &format!("{path}/deploy"), &json!({}))?;
            if let Err(error) = deployed {
                self.again(attempt, &mut pause, error)?;
            } else if attempt == CREATIONS {
                let problem = "its draft is not the deployed version".to_owned();
                return Err(DeployError::NotAsDeployed { what: format!("action {name}"), problem });
            }
            is = self.built(name, path)?;
        }
        Ok(())
    }

    /// Waits before an attempt is repeated whose outcome is unknown.
    fn again(&self, attempt: usize, pause: &mut Duration, error: DeployError) -> Result<(), DeployError> {
        if attempt >= CREATIONS {
            return Err(error);
        }
        self.tenant.wait(*pause, Some(&format!("{error}; looking again in {:.1} s", pause.as_secs_f32())))?;
        *pause *= 2;
        Ok(())
    }

    /// In a rollback, deploys the recorded version again, with its secrets. Returns whether it did: Auth0 may have dropped it.
    fn deploy_recorded(&self, name: &str, path: &str) -> Result<bool, DeployError> {
        let Some(version) = self.desired.versions.get(name) else { return Ok(false) };
        let deployed = self
            .current
            .get(ObjectKind::Actions, name)
            .and_then(|is| is.get("deployed_version")?.get("id")?.as_str());
        let path = format!("{path}/versions/{version}");
        if deployed == Some(version) || self.tenant.get("a version of an action", &path)?.is_none() {
            return Ok(false);
        }
        let body = json!({"update_draft": true});
        self.tenant.change(
            "the deployment of an earlier version",
            &format!("{path}/deploy"),
            Change::Post(&body),
        )?;
        Ok(true)
    }

    /// Waits until an action's draft is built.
    fn built(&mut self, name: &str, path: &str) -> Result<Object, DeployError> {
        let mut pause = BUILD_FIRST;
        for _ in 0..BUILD_LOOKS {
            let is = self.reread(ObjectKind::Actions, name, path)?;
            match text(&is, "status") {
                "built" => return Ok(is),
                "failed" => break,
                _ => self.tenant.wait(pause, None)?,
            }
            pause = (pause * 2).min(BUILD_LAST);
        }
        let is = self.current.get(ObjectKind::Actions, name);
        let status = is.map(|is| text(is, "status").to_owned()).unwrap_or_default();
        Err(DeployError::NotBuilt { name: name.to_owned(), status })
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
        if kind == ObjectKind::Actions {
            self.store.set_deployed_secrets(self.url, name, &BTreeMap::new())?;
        }
        Ok(())
    }

    /// The object at the tenant, created if it is not there.
    fn ensure(&mut self, kind: ObjectKind, name: &str, body: Object) -> Result<Object, DeployError> {
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
    fn reread(&mut self, kind: ObjectKind, name: &str, path: &str) -> Result<Object, DeployError> {
        let what = format!("{} {name}", kind.noun());
        let gone = || DeployError::NotAsDeployed { what: what.clone(), problem: "it is gone".to_owned() };
        let value = self.tenant.get("a look at an object", path)?.ok_or_else(gone)?;
        let is = complete(self.tenant, kind, value, &self.current)?.ok_or_else(gone)?;
        self.current.objects.entry(kind).or_default().remove(name);
        self.current.add(kind, is.clone());
        Ok(is)
    }

    fn wanted(&self, kind: ObjectKind, name: &str) -> Object {
        self.desired.state.get(kind, name).cloned().unwrap_or_default()
    }

    /// The body that creates an object.
    fn creation(&self, kind: ObjectKind, wanted: &Object) -> Result<Object, DeployError> {
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

    fn secret_bodies(&self, name: &str) -> Vec<Value> {
        let secrets = self.desired.secrets.get(name).into_iter().flatten();
        secrets
            .map(|(name, value)| match value {
                Some(value) => json!({"name": name, "value": value.expose()}),
                None => json!({ "name": name }),
            })
            .collect()
    }

    /// Whether the tenant lacks a secret, has one too many, or may have another value.
    fn secrets_differ(&self, action: &str, is: &Object) -> bool {
        let listed = is.get("secrets").and_then(Value::as_array).into_iter().flatten();
        let has: Vec<&str> = listed.filter_map(|secret| secret.get("name")?.as_str()).collect();
        let wanted = self.desired.secrets.get(action);
        let len = wanted.map_or(0, BTreeMap::len);
        let differs = |(name, value): (&String, &Option<crate::telemetry::Secret>)| {
            let value = value.as_ref().map(|value| self.hashes.compare(action, name, value));
            !has.contains(&name.as_str()) || value.is_some_and(|known| known != Some(true))
        };
        has.len() != len || wanted.into_iter().flatten().any(differs)
    }

    /// Remembers which values the tenant has now. Of a version that was deployed again they are unknown.
    fn record_secrets(&self, name: &str) -> Result<(), DeployError> {
        let secrets = self.desired.secrets.get(name).into_iter().flatten();
        let hashes = secrets.filter_map(|(secret, value)| {
            Some((secret.clone(), self.hashes.hash(name, secret, value.as_ref()?)))
        });
        Ok(self.store.set_deployed_secrets(self.url, name, &hashes.collect())?)
    }
}

fn object_path(kind: ObjectKind, is: &Object) -> String {
    format!("{}/{}", kind.path(), text(is, kind.id_member()))
}

/// Whether the draft is what is deployed.
fn is_deployed(action: &Object) -> bool {
    let version = action.get("deployed_version").and_then(Value::as_object);
    let is_same = |member: &str| {
        version.is_some_and(|version| version.get(member).is_none_or(|is| Some(is) == action.get(member)))
    };
    version.is_some() && action.get("all_changes_deployed") != Some(&json!(false)) && is_same("code")
}

/// The members of `wanted` that the tenant has otherwise, as an update sends them.
fn changed(kind: ObjectKind, wanted: &Object, is: &Object, apart: &[&str]) -> Object {
    let is_sent = |member: &str| {
        !kind.read_only().contains(&member)
            && !kind.creation_only().contains(&member)
            && !apart.contains(&member)
            && member != "secrets"
            && member != "name"
    };
    let differs = |member: &str, value: &Value| {
        let one = |value: Option<&Value>| value.map_or(json!({}), |value| json!({ member: value }));
        !contains(&one(is.get(member)), &one(Some(value)))
    };
    let members = wanted.iter().filter(|(member, value)| is_sent(member) && differs(member, value));
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
    members.map(|(member, value)| (member.clone(), merged(member, value))).collect()
}

/// Checks that the tenant has what it was sent.
fn ensure_same(kind: ObjectKind, name: &str, wanted: &Object, is: &Object) -> Result<(), DeployError> {
    let different = changed(kind, wanted, is, &["deployed"]);
    let members: Vec<&str> = different.keys().map(String::as_str).collect();
    if members.is_empty() {
        return Ok(());
    }
    let problem = format!("the tenant has another {}", members.join(", "));
    Err(DeployError::NotAsDeployed { what: format!("{} {name}", kind.noun()), problem })
}
