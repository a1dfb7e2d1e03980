//! The difference between the state of a tenant and the one that it should have → the changes of a plan.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use similar::TextDiff;

use super::compare::{differing, differing_secrets, runs_as_wanted};
use super::desired::Desired;
use super::error::DeployError;
use super::modules::latest_modules;
use super::plan::{Change, ChangeKind, MemberChange, Named, Verb};
use super::secrets::SecretHashes;
use super::state::{Binding, ObjectKind, ScriptMembers, State, text};
use crate::bundle::Object;

/// How long the difference of two scripts is searched for a short form.
const DIFF_TIME: Duration = Duration::from_secs(1);

/// What a plan is made of.
pub(super) struct Planner<'a> {
    pub(super) desired: &'a Desired,
    pub(super) current: &'a State,
    pub(super) hashes: &'a SecretHashes,
    /// Whether what is not in the bundle is deleted.
    pub(super) prune: bool,
    /// The client that deploys, which is kept.
    pub(super) client_id: &'a str,
    /// Whether actions of a record must have the very versions in it: another version can have other secrets.
    pub(super) exact_versions: bool,
    /// What the two sides of a script's diff are.
    pub(super) labels: (&'static str, &'static str),
}

impl Planner<'_> {
    /// The changes, in a safe order: what others refer to comes first and is deleted last.
    pub(super) fn changes(&self) -> Result<Vec<Change>, DeployError> {
        let (mut changes, mut problems) = (Vec::new(), Vec::new());
        let mut latest = latest_modules(self.current);
        for kind in &self.desired.kinds {
            for (name, wanted) in self.desired.state.of(*kind) {
                let is = self.current.get(*kind, name);
                if self.current.ambiguous.contains(name) && *kind == ObjectKind::Clients {
                    problems.push(format!(
                        "client {name}: the tenant has several of this name; rename all but one"
                    ));
                }
                let change = match kind.script() {
                    None => self.object(*kind, name, wanted, is),
                    Some(members) => {
                        let wanted = self.desired.resolved(name, wanted, &latest, &mut problems);
                        self.script((*kind, members, name), &wanted, is, &mut problems)
                    }
                };
                // A module that changes is published as a new version.
                if change.is_some()
                    && *kind == ObjectKind::ActionModules
                    && wanted.get("all_changes_published") != Some(&json!(false))
                {
                    let number = latest.entry(name.clone()).or_default();
                    *number = number.saturating_add(1);
                }
                changes.extend(change);
            }
        }
        changes.extend(self.desired.state.bindings.iter().filter_map(|(trigger, wanted)| {
            let is = self.current.bindings.get(trigger).map(Vec::as_slice).unwrap_or_default();
            bindings(trigger, is, wanted)
        }));
        if self.prune {
            let gone = self.not_in_bundle();
            changes.extend(self.unbound(&gone));
            changes.extend(gone.into_iter().rev().map(|Named { kind, name }| Change {
                action: Verb::Delete,
                ..Change::new(ChangeKind::Object(kind), &name)
            }));
        }
        if problems.is_empty() { Ok(changes) } else { Err(DeployError::Undeployable(problems)) }
    }

    /// The objects of the described kinds that only the tenant has, in the order of their kinds. Not what Auth0 made, what it
    /// installed, and what the deploying client needs.
    pub(super) fn not_in_bundle(&self) -> Vec<Named> {
        let is_kept = |kind, object: &Object| match kind {
            ObjectKind::ResourceServers => object.get("is_system") == Some(&json!(true)),
            ObjectKind::Clients => {
                text(object, "client_id") == self.client_id || object.get("global") == Some(&json!(true))
            }
            ObjectKind::Grants => {
                text(object, "client_id") == self.client_id || object.get("is_system") == Some(&json!(true))
            }
            ObjectKind::Roles | ObjectKind::ActionModules => false,
            ObjectKind::Actions => {
                object.contains_key("integration") || object.contains_key("installed_integration_id")
            }
        };
        let kinds = self.desired.kinds.iter().copied();
        let extra =
            kinds.flat_map(|kind| self.current.of(kind).map(move |(name, object)| (kind, name, object)));
        extra
            .filter(|(kind, name, object)| {
                self.desired.state.get(*kind, name).is_none() && !is_kept(*kind, object)
            })
            .map(|(kind, name, _)| Named { kind, name: name.clone() })
            .collect()
    }

    /// The bindings of actions that are deleted, in triggers that the bundle does not list.
    fn unbound(&self, gone: &[Named]) -> Vec<Change> {
        let is_gone = |binding: &&Binding| {
            gone.iter().any(|gone| gone.kind == ObjectKind::Actions && gone.name == binding.action_name)
        };
        let others = self
            .current
            .bindings
            .iter()
            .filter(|(trigger, _)| !self.desired.state.bindings.contains_key(*trigger));
        let change = |(trigger, is): (&String, &Vec<Binding>)| {
            let kept: Vec<Binding> = is.iter().filter(|binding| !is_gone(binding)).cloned().collect();
            bindings(trigger, is, &kept)
        };
        others.filter_map(change).collect()
    }

    fn object(&self, kind: ObjectKind, name: &str, wanted: &Object, is: Option<&Object>) -> Option<Change> {
        let change = Change::new(ChangeKind::Object(kind), name);
        let members = self.members(kind, wanted, is);
        match is {
            None => Some(Change { action: Verb::Create, members, ..change }),
            Some(is) if is.get("is_system") == Some(&json!(true)) => None,
            Some(_) if members.is_empty() => None,
            Some(_) => Some(Change { members, ..change }),
        }
    }

    /// The members that differ, as they are shown.
    fn members(
        &self,
        kind: ObjectKind,
        wanted: &Object,
        is: Option<&Object>,
    ) -> BTreeMap<String, MemberChange> {
        let change = |(member, after): (&String, &Value)| {
            let shown = |value: Option<&Value>| self.shown(member, value);
            let before = shown(is.and_then(|is| is.get(member)));
            (member.clone(), MemberChange { before, after: shown(Some(after)) })
        };
        differing(kind, wanted, is).map(change).collect()
    }

    /// A value without secrets.
    fn shown(&self, member: &str, value: Option<&Value>) -> Value {
        let is_secret =
            ["secret", "password", "private"].iter().any(|word| member.to_ascii_lowercase().contains(word));
        match value {
            None => Value::Null,
            Some(Value::String(_)) if is_secret => "••••".into(),
            Some(Value::String(text)) => self.desired.redacted(text).into(),
            Some(Value::Array(list)) => list.iter().map(|value| self.shown(member, Some(value))).collect(),
            Some(Value::Object(members)) => {
                members.iter().map(|(name, value)| (name.clone(), self.shown(name, Some(value)))).collect()
            }
            Some(other) => other.clone(),
        }
    }

    fn script(
        &self,
        (kind, members, name): (ObjectKind, &ScriptMembers, &str),
        wanted: &Object,
        is: Option<&Object>,
        problems: &mut Vec<String>,
    ) -> Option<Change> {
        let (secrets, missing) = differing_secrets(self.desired, self.hashes, (kind, name), is);
        let noun = kind.noun();
        problems.extend(missing.iter().map(|secret| {
            format!("{noun} {name}: its secret {secret} has no value, here and at the tenant")
        }));
        let (wanted_code, is_code) =
            (text(wanted, "code"), is.map(|is| text(is, "code")).unwrap_or_default());
        let mut shown = self.members(kind, wanted, is);
        shown.remove("code");
        let change = Change {
            members: shown,
            diff: (wanted_code != is_code).then(|| self.diff(name, is_code, wanted_code)),
            secrets,
            ..Change::new(ChangeKind::Object(kind), name)
        };
        let Some(is) = is else { return Some(Change { action: Verb::Create, ..change }) };
        if change.diff.is_some() || !change.members.is_empty() || !change.secrets.is_empty() {
            return Some(change);
        }
        if runs_as_wanted(self.desired, (kind, members, name), wanted, is, self.exact_versions) {
            return None;
        }
        let before = is.get(members.version).map(|version| version.get("code").and_then(Value::as_str));
        let before = before.map_or("", |code| code.unwrap_or(is_code));
        let diff = (before != wanted_code).then(|| self.diff(name, before, wanted_code));
        Some(Change { action: Verb::Deploy, diff, ..change })
    }

    fn diff(&self, name: &str, before: &str, after: &str) -> String {
        let (before, after) = (self.desired.redacted(before), self.desired.redacted(after));
        let diff = TextDiff::configure().timeout(DIFF_TIME).diff_lines(before.as_str(), after.as_str());
        let (old, new) = (format!("{}/{name}", self.labels.0), format!("{}/{name}", self.labels.1));
        diff.unified_diff().context_radius(3).header(&old, &new).to_string()
    }
}

/// The change of a trigger's list.
fn bindings(trigger: &str, is: &[Binding], wanted: &[Binding]) -> Option<Change> {
    if is == wanted {
        return None;
    }
    let list = |bindings: &[Binding]| -> Value {
        let shown = |binding: &Binding| match binding.display_name == binding.action_name {
            true => binding.action_name.clone(),
            false => format!("{} ({})", binding.action_name, binding.display_name),
        };
        bindings.iter().map(shown).collect()
    };
    let members =
        BTreeMap::from([("actions".to_owned(), MemberChange { before: list(is), after: list(wanted) })]);
    Some(Change { members, ..Change::new(ChangeKind::Bindings, trigger) })
}
