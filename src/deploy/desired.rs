//! A bundle, or the record of a deployment → the state that a tenant should have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::error::DeployError;
use super::modules::{modules, reference, with_modules};
use super::read::supported;
use super::rules::{RuleAction, RuleActions};
use super::settings::TargetSettings;
use super::state::{Binding, CLIENT, ObjectKind, ScriptMembers, State, secret_names, text};
use crate::bundle::{Bundle, BundleError, Kind, Object, Objects};
use crate::telemetry::Secret;

/// What Auth0's deploy CLI writes in the place of a secret's value.
const NOT_SHOWN: &str = "_VALUE_NOT_SHOWN_";
/// Auth0's limits for an action's code and for a secret, in bytes.
const CODE_MAX: usize = 100_000;
const SECRET_MAX: usize = 4096;
/// Shorter secrets are not hidden in what is shown: they would hide parts of words.
const HIDDEN_MIN: usize = 4;

type Secrets = BTreeMap<String, Option<Secret>>;

/// The state that a tenant should have.
#[derive(Default)]
pub(super) struct Desired {
    pub(super) state: State,
    /// The secrets of each script. Without a value: the one that the tenant has stays.
    secrets: BTreeMap<(ObjectKind, String), Secrets>,
    /// The kinds that it describes. Others are left alone.
    pub(super) kinds: BTreeSet<ObjectKind>,
    /// Whether it is the record of a tenant's state, and so describes its objects whole.
    pub(super) is_record: bool,
    /// In a record, the ids of the versions that ran.
    versions: BTreeMap<(ObjectKind, String), String>,
    /// Texts that are hidden in what is shown or recorded.
    pub(super) hidden: Vec<String>,
    /// What is not deployed; one line each.
    pub(super) notices: Vec<String>,
}

impl Desired {
    /// Reads the bundle at `path` with the keywords of a target.
    pub(super) fn of_bundle(
        path: &Path,
        target: &str,
        settings: &TargetSettings,
    ) -> Result<Self, DeployError> {
        let failed = |error| match error {
            BundleError::Keywords { missing } => DeployError::Keywords {
                target: target.to_owned(),
                missing: missing
                    .iter()
                    .map(|(file, key)| format!("{key} ({})", file.display()))
                    .collect::<Vec<_>>()
                    .join(", "),
            },
            BundleError::NotABundle { folder } => DeployError::NotABundle(folder),
            other => other.into(),
        };
        let url = settings.url();
        let mut keywords: BTreeMap<String, Value> = BTreeMap::from([
            ("ISSUER".to_owned(), url.as_str().into()),
            ("TOKEN_URL".to_owned(), format!("{url}oauth/token").into()),
        ]);
        keywords.extend(Bundle::own_keywords(path).map_err(failed)?);
        keywords.extend(settings.keywords.clone());
        let (objects, notices) = Bundle::read_objects(path, &keywords).map_err(failed)?;
        let mut desired = Self { notices, ..Self::default() };
        let is_secret = |name: &str| {
            let name = name.to_ascii_lowercase();
            ["secret", "password", "key", "token"].iter().any(|word| name.contains(word))
                && !name.ends_with("_url")
        };
        let secret_texts =
            keywords.iter().filter(|(name, _)| is_secret(name)).filter_map(|(_, value)| value.as_str());
        desired.hidden.extend(secret_texts.map(str::to_owned));
        let mut problems = Vec::new();
        desired.add_objects(&objects);
        let rule_actions = desired.add_rules(&objects, &mut problems);
        desired.add_scripts(&objects);
        desired.add_bindings(&objects, rule_actions, &mut problems);
        desired.name_what_is_left(&objects);
        desired.check(&mut problems);
        if desired.kinds.is_empty() && problems.is_empty() {
            return Err(DeployError::NotABundle(path.to_owned()));
        }
        desired.hidden.retain(|text| text.len() >= HIDDEN_MIN);
        // The longest first: one may be part of another.
        desired.hidden.sort_by_key(|text| std::cmp::Reverse(text.len()));
        if problems.is_empty() { Ok(desired) } else { Err(DeployError::Undeployable(problems)) }
    }

    /// The recorded state of a tenant.
    pub(super) fn of_record(state: State) -> Self {
        let (mut versions, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        for (kind, members, name, script) in scripts(&state) {
            let key = (kind, name.clone());
            let version = script.get(members.version).and_then(|version| version.get("id")?.as_str());
            versions.extend(version.map(|id| (key.clone(), id.to_owned())));
            secrets.insert(key, secret_names(script).map(|name| (name.to_owned(), None)).collect());
        }
        Self { versions, secrets, kinds: state.kinds.clone(), is_record: true, state, ..Self::default() }
    }

    /// The secrets of a script.
    pub(super) fn secrets_of(&self, kind: ObjectKind, name: &str) -> &Secrets {
        const NONE: &Secrets = &BTreeMap::new();
        self.secrets.get(&(kind, name.to_owned())).unwrap_or(NONE)
    }

    /// In a record, the id of the version of a script that ran.
    pub(super) fn version_of(&self, kind: ObjectKind, name: &str) -> Option<&str> {
        self.versions.get(&(kind, name.to_owned())).map(String::as_str)
    }

    /// Whether an action uses a module, so that the tenant's modules must be known.
    pub(super) fn uses_modules(&self) -> bool {
        self.state.of(ObjectKind::Actions).any(|(_, action)| modules(action).next().is_some())
    }

    /// A script with the number of a version for each module that it uses; see [`with_modules`]. A record has them.
    pub(super) fn resolved(
        &self,
        name: &str,
        script: &Object,
        latest: &BTreeMap<String, u64>,
        problems: &mut Vec<String>,
    ) -> Object {
        if self.is_record { script.clone() } else { with_modules(name, script, latest, problems) }
    }

    /// The triggers that it describes.
    pub(super) fn triggers(&self) -> BTreeSet<String> {
        self.state.bindings.keys().cloned().collect()
    }

    /// `text` without secrets.
    pub(super) fn redacted(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, hidden| text.replace(hidden.as_str(), "••••"))
    }

    /// All but scripts.
    fn add_objects(&mut self, objects: &Objects) {
        for kind in ObjectKind::ALL.into_iter().filter(|kind| kind.script().is_none()) {
            for object in objects.list(kind.in_bundle()) {
                let mut object = object.clone();
                if kind == ObjectKind::Grants {
                    let client = objects.find(Kind::Client, "client_id", text(&object, "client_id"));
                    object.insert(
                        CLIENT.to_owned(),
                        client.map(|client| text(client, "name")).unwrap_or_default().into(),
                    );
                    object.entry("subject_type").or_insert_with(|| "client".into());
                    object.remove("client_id");
                }
                if kind == ObjectKind::Clients && object.contains_key("client_secret") {
                    let name = text(&object, "name");
                    self.notices
                        .push(format!("client {name}: its client_secret is not deployed; Auth0 makes one"));
                }
                let id = kind.id_member();
                object.remove(id);
                self.kinds.insert(kind);
                self.state.add(kind, object);
            }
        }
    }

    /// Adds the actions of the rules. Returns their names, in the rules' order.
    fn add_rules(&mut self, objects: &Objects, problems: &mut Vec<String>) -> Vec<String> {
        let rules = RuleActions::of(objects);
        problems.extend(rules.problems);
        self.notices.extend(rules.notices);
        let add = |RuleAction { action, secrets }: RuleAction| {
            let name = text(&action, "name").to_owned();
            self.add_script(ObjectKind::Actions, action, secrets);
            name
        };
        rules.actions.into_iter().map(add).collect()
    }

    fn add_scripts(&mut self, objects: &Objects) {
        let kinds = ObjectKind::ALL.into_iter().filter_map(|kind| Some((kind, kind.script()?.wanted)));
        for (kind, is_wanted) in kinds {
            for script in objects.list(kind.in_bundle()) {
                let mut wanted = script.clone();
                let listed = script.get("secrets").and_then(Value::as_array).into_iter().flatten();
                let secrets = listed.filter_map(|secret| {
                    let value =
                        secret.get("value").and_then(Value::as_str).filter(|value| *value != NOT_SHOWN);
                    let value = value.map(|value| Secret::new(value.to_owned()));
                    Some((secret.get("name")?.as_str()?.to_owned(), value))
                });
                wanted
                    .retain(|member, _| member == is_wanted || !kind.read_only().contains(&member.as_str()));
                let modules: Vec<Value> =
                    modules(script).map(|(name, number)| reference(name, number)).collect();
                if wanted.contains_key("modules") {
                    wanted.insert("modules".to_owned(), modules.into());
                }
                self.add_script(kind, wanted, secrets.collect());
            }
        }
    }

    fn add_script(&mut self, kind: ObjectKind, script: Object, secrets: Secrets) {
        self.hidden.extend(secrets.values().flatten().map(|secret| secret.expose().to_owned()));
        self.secrets.insert((kind, text(&script, "name").to_owned()), secrets);
        self.kinds.insert(kind);
        self.state.add(kind, script);
    }

    /// The bindings of the bundle, after those of `rule_actions`: Auth0 runs rules before actions.
    fn add_bindings(&mut self, objects: &Objects, rule_actions: Vec<String>, problems: &mut Vec<String>) {
        let rules =
            rule_actions.into_iter().map(|name| Binding { display_name: name.clone(), action_name: name });
        let rules: Vec<Binding> = rules.collect();
        if !rules.is_empty() {
            self.state.bindings.insert("post-login".to_owned(), rules);
        }
        for (trigger, bindings) in &objects.triggers {
            if trigger.is_empty() || !trigger.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
                problems.push(format!("triggers: {trigger:?} is not a trigger"));
                continue;
            }
            self.kinds.insert(ObjectKind::Actions);
            let list = self.state.bindings.entry(trigger.clone()).or_default();
            for binding in bindings.as_array().into_iter().flatten().filter_map(Value::as_object) {
                let name = text(binding, "action_name");
                let shown =
                    Some(text(binding, "display_name")).filter(|shown| !shown.is_empty()).unwrap_or(name);
                if list.iter().all(|bound| bound.action_name != name) {
                    list.push(Binding { action_name: name.to_owned(), display_name: shown.to_owned() });
                }
            }
        }
    }

    fn name_what_is_left(&mut self, objects: &Objects) {
        let deployed = ObjectKind::ALL.map(ObjectKind::in_bundle);
        let used = [Kind::Rule, Kind::RuleConfig];
        for kind in Kind::ALL.into_iter().filter(|kind| !deployed.contains(kind) && !used.contains(kind)) {
            if !objects.list(kind).is_empty() {
                self.notices.push(format!("{}: not deployed", kind.folder()));
            }
        }
        if !objects.tenant.is_empty() {
            self.notices.push("tenant: not deployed".to_owned());
        }
    }

    /// What Auth0 would refuse half-way.
    fn check(&self, problems: &mut Vec<String>) {
        for (kind, _, name, script) in scripts(&self.state) {
            let (what, code) = (format!("{} {name}", kind.noun()), text(script, "code"));
            if code.trim().is_empty() || code.len() > CODE_MAX {
                let len = code.len();
                problems.push(format!("{what}: its code has {len} bytes; Auth0 takes 1 to {CODE_MAX}"));
            }
            if code.ends_with(".js") && !code.contains('\n') {
                problems.push(format!("{what}: its code {code} does not exist"));
            }
            if kind == ObjectKind::Actions && supported(script).next().is_none() {
                problems.push(format!("{what}: it supports no trigger; list one in supported_triggers"));
            }
            for (secret, value) in self.secrets_of(kind, name) {
                if value.as_ref().is_some_and(|value| value.expose().len() > SECRET_MAX) {
                    problems.push(format!("{what}: its secret {secret} has over {SECRET_MAX} bytes"));
                }
            }
        }
        for (trigger, bindings) in &self.state.bindings {
            for Binding { action_name, .. } in bindings {
                let Some(action) = self.state.get(ObjectKind::Actions, action_name) else {
                    problems.push(format!(
                        "triggers: {trigger} lists {action_name:?}, which is no action of the bundle"
                    ));
                    continue;
                };
                if action.get("deployed") == Some(&json!(false)) {
                    problems
                        .push(format!("triggers: {trigger} lists {action_name}, whose `deployed` is false"));
                }
                if !supported(action).any(|supported| supported == *trigger) {
                    problems
                        .push(format!("triggers: {trigger} lists {action_name}, which does not support it"));
                }
            }
        }
    }
}

/// The scripts of a state.
fn scripts(state: &State) -> impl Iterator<Item = (ObjectKind, &'static ScriptMembers, &String, &Object)> {
    let kinds = ObjectKind::ALL.into_iter().filter_map(|kind| Some((kind, kind.script()?)));
    kinds.flat_map(|(kind, members)| state.of(kind).map(move |(name, script)| (kind, members, name, script)))
}
