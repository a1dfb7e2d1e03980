//! Rules → actions, with the configuration they use as secrets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::state::text;
use crate::bundle::{Kind, Object, Objects, Rule};
use crate::script::{convert, post_login_object};
use crate::telemetry::Secret;

/// An action made from a rule.
pub(super) struct RuleAction {
    pub(super) action: Object,
    pub(super) secrets: BTreeMap<String, Option<Secret>>,
}

/// The actions of the enabled rules, in the rules' order.
#[derive(Default)]
pub(super) struct RuleActions {
    pub(super) actions: Vec<RuleAction>,
    /// What to know about them; one line each.
    pub(super) notices: Vec<String>,
    /// Why a rule cannot become an action; one line each.
    pub(super) problems: Vec<String>,
}

impl RuleActions {
    /// Converts the rules of a bundle. A rule that has an action of its name was converted before.
    pub(super) fn of(objects: &Objects) -> Self {
        let mut all = Self::default();
        let config = |config: &Object| {
            Some((text(config, "key").to_owned(), config.get("value")?.as_str()?.to_owned()))
        };
        let values: BTreeMap<String, String> =
            objects.list(Kind::RuleConfig).iter().filter_map(config).collect();
        let keys: BTreeSet<String> = values.keys().cloned().collect();
        let mut rules: Vec<Rule> = Vec::new();
        for rule in objects.list(Kind::Rule) {
            match serde_json::from_value::<Rule>(Value::Object(rule.clone())) {
                Ok(rule) if rule.enabled => rules.push(rule),
                Ok(rule) => all.notices.push(format!("rule {}: not deployed, as it is disabled", rule.name)),
                Err(error) => all.problems.push(format!("rule {}: {error}", text(rule, "name"))),
            }
        }
        for rule in &rules {
            let name = &rule.name;
            if objects.find(Kind::Action, "name", name).is_some() {
                all.notices
                    .push(format!("rule {name}: the action of the same name is deployed in its place"));
                continue;
            }
            let converted = match convert(rule, &rules, &keys) {
                Ok(converted) => converted,
                Err(error) => {
                    all.problems.push(error.to_string());
                    continue;
                }
            };
            let note = |note: &crate::script::Note| format!("rule {name}, line {}: {}", note.line, note.text);
            all.notices.extend(converted.notes.iter().map(note));
            let secrets: BTreeMap<_, _> = converted
                .secrets
                .iter()
                .map(|key| (key.clone(), values.get(key).map(|value| Secret::new(value.clone()))))
                .collect();
            let names: Vec<Value> = secrets.keys().map(|key| json!({ "name": key })).collect();
            let action = post_login_object(name, &converted.code, &converted.dependencies, &names);
            all.actions
                .extend(action.as_object().map(|action| RuleAction { action: action.clone(), secrets }));
        }
        all
    }
}
