//! Makes actions and action modules as they should be: the draft, then the version that runs. See [`super::apply`].

use std::time::Duration;

use serde_json::{Value, json};

use super::apply::{Applier, CREATION_PAUSE, CREATIONS, changed, ensure_same, object_path};
use super::compare::{VERSIONED, differing_secrets, draft_runs, runs_as_wanted};
use super::error::DeployError;
use super::modules::{latest, latest_modules, modules};
use super::secrets::holder;
use super::state::{ObjectKind, ScriptMembers, text};
use crate::auth0::Change;
use crate::bundle::Object;

/// How long an action may take to be built: the pauses double from the first to the last, 60 times at most.
const BUILD_FIRST: Duration = Duration::from_millis(100);
const BUILD_LAST: Duration = Duration::from_secs(2);
const BUILD_LOOKS: usize = 60;

/// A script: its kind, what that calls its versions, and its name.
type Script<'a> = (ObjectKind, &'static ScriptMembers, &'a str);

impl Applier<'_> {
    pub(super) fn script(&mut self, script: Script<'_>) -> Result<(), DeployError> {
        let (kind, members, name) = script;
        let mut problems = Vec::new();
        let (wanted, latest) = (self.wanted(kind, name), latest_modules(&self.current));
        let wanted = self.desired.resolved(name, &wanted, &latest, &mut problems);
        if !problems.is_empty() {
            return Err(DeployError::Undeployable(problems));
        }
        let mut body = self.creation(kind, &wanted)?;
        body.insert("secrets".to_owned(), self.secret_bodies(kind, name).into());
        self.with_module_ids(name, &mut body)?;
        let is_new = self.current.get(kind, name).is_none();
        let mut is = self.ensure(kind, name, body)?;
        let path = object_path(kind, &is);
        if self.desired.is_record {
            if !is_new && self.restore_recorded(script, &path)? {
                is = self.built(kind, name, &path)?;
                is = self.deploy(script, &path, is)?;
            }
            // Auth0 may have dropped the version, so that its content is deployed anew.
            if let Some(Value::Object(version)) = wanted.get(members.version)
                && !runs_as_wanted(self.desired, script, &wanted, &is, false)
            {
                let draft = version.iter().filter(|(member, _)| VERSIONED.contains(&member.as_str()));
                let draft = draft.map(|(member, value)| (member.clone(), value.clone())).collect();
                is = self.draft(kind, name, &path, &draft, is_new)?;
                self.deploy(script, &path, is)?;
            }
        }
        is = self.draft(kind, name, &path, &wanted, is_new)?;
        if !self.desired.is_record && wanted.get(members.wanted) != Some(&json!(false)) {
            self.deploy(script, &path, is)?;
        }
        Ok(())
    }

    /// Makes the draft as it should be.
    fn draft(
        &mut self,
        kind: ObjectKind,
        name: &str,
        path: &str,
        wanted: &Object,
        is_new: bool,
    ) -> Result<Object, DeployError> {
        let is = self.current.get(kind, name).cloned().unwrap_or_default();
        let mut changes = changed(kind, wanted, &is);
        let secrets = differing_secrets(self.desired, self.hashes, (kind, name), Some(&is)).0;
        if !is_new && !secrets.is_empty() {
            changes.insert("secrets".to_owned(), self.secret_bodies(kind, name).into());
        }
        if !changes.is_empty() {
            self.with_module_ids(name, &mut changes)?;
            self.tenant.change("a change of a script", path, Change::Patch(&Value::Object(changes)))?;
        }
        self.record_secrets(kind, name)?;
        let is = self.built(kind, name, path)?;
        ensure_same(kind, name, wanted, &is)?;
        Ok(is)
    }

    /// Makes the draft the version that runs, unless it is.
    fn deploy(
        &mut self,
        (kind, members, name): Script<'_>,
        path: &str,
        mut is: Object,
    ) -> Result<Object, DeployError> {
        let mut pause = CREATION_PAUSE;
        for attempt in 1.. {
            if draft_runs(members, &is) {
                break;
            }
            let path_of_draft = format!("{path}/{}", members.deploy);
            let deployed = self.tenant.create("the deployment of a script", &path_of_draft, &json!({}))?;
            if let Err(error) = deployed {
                self.again(attempt, &mut pause, error)?;
            } else if attempt == CREATIONS {
                let problem = "its draft is not the deployed version".to_owned();
                return Err(DeployError::NotAsDeployed { what: format!("{} {name}", kind.noun()), problem });
            }
            is = self.built(kind, name, path)?;
        }
        Ok(is)
    }

    /// Makes the recorded version the draft again, with its secrets, and of an action the version that runs. Returns whether it
    /// did: Auth0 may have dropped it.
    fn restore_recorded(&self, (kind, members, name): Script<'_>, path: &str) -> Result<bool, DeployError> {
        let Some(version) = self.desired.version_of(kind, name) else { return Ok(false) };
        let runs = self.current.get(kind, name).and_then(|is| is.get(members.version)?.get("id")?.as_str());
        let of_version = format!("{path}/versions/{version}");
        if runs == Some(version) || self.tenant.get("a version of a script", &of_version)?.is_none() {
            return Ok(false);
        }
        let (path, body) = match kind {
            ObjectKind::ActionModules => (format!("{path}/rollback"), json!({"module_version_id": version})),
            _ => (format!("{of_version}/deploy"), json!({"update_draft": true})),
        };
        self.tenant.change("the deployment of an earlier version", &path, Change::Post(&body))?;
        Ok(true)
    }

    /// Waits until an action's draft is built. Modules are not.
    fn built(&mut self, kind: ObjectKind, name: &str, path: &str) -> Result<Object, DeployError> {
        let mut pause = BUILD_FIRST;
        for _ in 0..BUILD_LOOKS {
            let is = self.reread(kind, name, path)?;
            match text(&is, "status") {
                "built" => return Ok(is),
                _ if kind != ObjectKind::Actions => return Ok(is),
                "failed" => break,
                _ => self.tenant.wait(pause, None)?,
            }
            pause = (pause * 2).min(BUILD_LAST);
        }
        let status = self.current.get(kind, name).map(|is| text(is, "status").to_owned()).unwrap_or_default();
        Err(DeployError::NotBuilt { name: name.to_owned(), status })
    }

    /// Gives the modules of an action's body the ids that this tenant has for them.
    fn with_module_ids(&self, action: &str, body: &mut Object) -> Result<(), DeployError> {
        let with_ids = |(name, number): (&str, Option<u64>)| {
            let problem = format!("its module {name} is not there in the version it names");
            let missing = || DeployError::NotAsDeployed { what: format!("action {action}"), problem };
            let module = self.current.get(ObjectKind::ActionModules, name);
            let version = match (module, number) {
                (Some(module), Some(number)) => self.module_version(module, number)?,
                _ => None,
            };
            let (Some(module), Some(version)) = (module, version) else { return Err(missing()) };
            Ok(json!({"module_name": name, "module_version_number": number,
                "module_id": module.get("id"), "module_version_id": version}))
        };
        let references: Vec<Value> = modules(body).map(with_ids).collect::<Result<_, _>>()?;
        if body.contains_key("modules") {
            body.insert("modules".to_owned(), references.into());
        }
        Ok(())
    }

    /// The id of a version of a module.
    fn module_version(&self, module: &Object, number: u64) -> Result<Option<Value>, DeployError> {
        if latest(module) == number
            && let Some(id) = module.get("latest_version").and_then(|version| version.get("id"))
        {
            return Ok(Some(id.clone()));
        }
        let path = format!("{}/versions", object_path(ObjectKind::ActionModules, module));
        let all = self.tenant.list("the list of a module's versions", &path, "versions")?;
        let mut all = all.iter();
        let named = all.find(|version| version.get("version_number").and_then(Value::as_u64) == Some(number));
        Ok(named.and_then(|version| version.get("id").cloned()))
    }

    fn secret_bodies(&self, kind: ObjectKind, name: &str) -> Vec<Value> {
        let body = |(name, value): (&String, &Option<crate::telemetry::Secret>)| match value {
            Some(value) => json!({"name": name, "value": value.expose()}),
            None => json!({ "name": name }),
        };
        self.desired.secrets_of(kind, name).iter().map(body).collect()
    }

    /// Remembers which values the tenant has now. Of a version that was deployed again they are unknown.
    fn record_secrets(&self, kind: ObjectKind, name: &str) -> Result<(), DeployError> {
        let hashes = self.desired.secrets_of(kind, name).iter().filter_map(|(secret, value)| {
            Some((secret.clone(), self.hashes.hash(kind, name, secret, value.as_ref()?)))
        });
        Ok(self.store.set_deployed_secrets(self.url, &holder(kind, name), &hashes.collect())?)
    }
}
