//! Which actions run at which trigger: the bundle's, with what the Management API changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::super::management::deployed_version;
use crate::bundle::{ActionBinding, Bundle, Kind, Object, Rule};
use crate::script::{Action, ActionModule, Dependency, Trigger};

/// Actions in the order of their bindings.
pub(super) type BoundActions = Arc<[Action]>;

/// The value that the deploy CLI writes for a secret, since the Management API never returns one.
const NOT_SHOWN: &str = "_VALUE_NOT_SHOWN_";

/// The deployed actions of each trigger, in the order of their bindings.
pub(super) fn bound(bundle: &Bundle) -> BTreeMap<Trigger, BoundActions> {
    let mut bound: BTreeMap<Trigger, BoundActions> = BTreeMap::new();
    for (name, bindings) in &bundle.triggers {
        let Some(trigger) = Trigger::from_name(name) else { continue };
        let actions = bindings.iter().filter_map(|binding| deployed(bundle, find(bundle, binding)?));
        bound.insert(trigger, actions.collect());
    }
    bound
}

/// The action with this id as it is deployed.
pub(super) fn by_id(bundle: &Bundle, id: &str) -> Option<Action> {
    deployed(
        bundle,
        bundle
            .objects
            .find(Kind::Action, "id", id)
            .or_else(|| bundle.objects.find(Kind::Action, "name", id))?,
    )
}

/// The ids of rules, as `api.rules.wasExecuted` takes them.
pub(super) fn rule_ids(bundle: &Bundle, rules: &[Rule]) -> Arc<[String]> {
    let id = |rule: &Rule| {
        Some(bundle.objects.find(Kind::Rule, "name", &rule.name)?.get("id")?.as_str()?.to_owned())
    };
    rules.iter().filter_map(id).collect()
}

/// What of the bundle's scripts never runs here, or not as it would at Auth0.
pub(in crate::tenant) fn warnings(bundle: &Bundle) -> Vec<String> {
    let mut warnings = Vec::new();
    for rule in bundle.rules.iter().filter(|rule| rule.enabled && rule.stage != "login_success") {
        warnings.push(format!(
            "the rule \"{}\" never runs: its stage is {}, not login_success",
            rule.name, rule.stage
        ));
    }
    for (trigger, bindings) in &bundle.triggers {
        for binding in bindings {
            let name = &binding.action_name;
            if Trigger::from_name(trigger).is_none() {
                warnings.push(format!(
                    "the action \"{name}\" never runs here: the dev tenant has no trigger {trigger}, which Auth0's reference does not describe"
                ));
                continue;
            }
            match find(bundle, binding) {
                None => warnings.push(format!("the action \"{name}\" of the trigger {trigger} does not exist: add actions/{name}.json")),
                Some(action) if deployed_version(action).is_none() => warnings.push(format!(
                    "the action \"{name}\" of the trigger {trigger} never runs: it is not deployed; set \"deployed\": true"
                )),
                Some(action) => warnings.extend(unknown_secrets(action).map(|secret| {
                    format!("the secret {secret} of the action \"{name}\" has no value: set it in the bundle, as a keyword perhaps")
                })),
            }
        }
    }
    warnings
}

fn find<'a>(bundle: &'a Bundle, binding: &ActionBinding) -> Option<&'a Object> {
    let by_id = binding.action_id.as_ref().and_then(|id| bundle.objects.find(Kind::Action, "id", id));
    by_id.or_else(|| bundle.objects.find(Kind::Action, "name", &binding.action_name))
}

fn unknown_secrets(action: &Object) -> impl Iterator<Item = String> {
    let version: Code = parse(&deployed_version(action).unwrap_or_default());
    let unknown = version
        .secrets
        .into_iter()
        .filter(|secret| secret.value.as_deref().is_none_or(|value| value == NOT_SHOWN));
    unknown.map(|secret| secret.name)
}

/// The members that actions and modules share.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Code {
    name: String,
    code: String,
    secrets: Vec<Secret>,
    dependencies: Vec<Dependency>,
    modules: Vec<ModuleReference>,
}

#[derive(Deserialize)]
struct Secret {
    name: String,
    value: Option<String>,
}

/// A module of an action, by any of the names that the Management API and the deploy CLI have for it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ModuleReference {
    module_id: String,
    #[serde(alias = "name")]
    module_name: String,
    module_version_id: String,
}

fn parse(object: &Object) -> Code {
    let mut object = object.clone();
    object.retain(|_, value| !value.is_null());
    serde_json::from_value(Value::Object(object)).unwrap_or_default()
}

fn deployed(bundle: &Bundle, object: &Object) -> Option<Action> {
    Some(action(bundle, object, parse(&deployed_version(object)?)))
}

/// An action as its files have it, deployed or not.
pub(in crate::tenant) fn draft(bundle: &Bundle, object: &Object) -> Action {
    action(bundle, object, parse(object))
}

fn action(bundle: &Bundle, object: &Object, version: Code) -> Action {
    let modules = bundle.objects.list(Kind::ActionModule).iter().filter_map(|module| {
        let is = |member: &str, text: &str| module.get(member).and_then(Value::as_str) == Some(text);
        let named = version
            .modules
            .iter()
            .find(|named| is("id", &named.module_id) || is("name", &named.module_name))?;
        Some(module_of(module, &named.module_version_id))
    });
    let name = object.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    Action {
        name,
        code: version.code,
        secrets: values(version.secrets),
        dependencies: version.dependencies,
        modules: modules.collect(),
    }
}

/// A module in the version that an action names, else in its latest, else as the bundle has it.
fn module_of(object: &Object, version: &str) -> ActionModule {
    let versions = object.get("_versions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let named = versions.iter().find(|known| known.get("id").and_then(Value::as_str) == Some(version));
    let published = named.or(versions.last()).and_then(Value::as_object).map(parse);
    let Code { name, code, secrets, dependencies, .. } = parse(object);
    let (code, secrets, dependencies) = published.map_or((code, secrets, dependencies), |version| {
        (version.code, version.secrets, version.dependencies)
    });
    ActionModule { name, code, secrets: values(secrets), dependencies }
}

fn values(secrets: Vec<Secret>) -> BTreeMap<String, String> {
    secrets.into_iter().filter_map(|secret| Some((secret.name, secret.value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Objects;
    use serde_json::json;

    fn bundle(actions: Value, modules: Value, triggers: Value, rules: Value) -> Bundle {
        let list = |value: Value| serde_json::from_value::<Vec<Object>>(value).unwrap();
        let lists =
            [(Kind::Action, list(actions)), (Kind::ActionModule, list(modules)), (Kind::Rule, list(rules))];
        let triggers = triggers.as_object().unwrap().clone();
        Bundle::from_objects(Objects { triggers, lists: lists.into(), ..Objects::default() }, Vec::new())
    }

    fn action(name: &str, more: Value) -> Value {
        let mut action = json!({"id": format!("id of {name}"), "name": name, "code": "1", "deployed": true});
        action.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        action
    }

    #[test]
    fn deployed_actions_run_in_the_order_of_bindings_with_secrets_and_modules() {
        let version = json!({"id": "v", "code": "deployed", "secrets": [{"name": "A", "value": "2"}], "dependencies": null,
            "modules": [{"module_name": "m"}]});
        let more = json!({"deployed": null, "_versions": [version], "_deployed": "v", "code": "draft",
            "modules": [{"module_name": "n"}]});
        let module = |name: &str| json!({"id": name, "name": name, "code": "draft", "_versions": [{"id": "w", "code": "published"}]});
        let actions =
            json!([action("a", more), action("b", json!({})), action("c", json!({"deployed": false}))]);
        let bindings = json!({"post-login": [
            {"action_name": "c"}, {"action_name": "b"}, {"action_name": "renamed", "action_id": "id of a"}, {"action_name": "gone"},
        ]});
        let bundle = bundle(actions, json!([module("n"), module("m")]), bindings, json!([]));
        let bound = bound(&bundle).remove(&Trigger::PostLogin).unwrap();
        let codes: Vec<_> = bound.iter().map(|action| (action.name.as_str(), action.code.as_str())).collect();
        assert_eq!(codes, [("b", "1"), ("a", "deployed")]);
        assert_eq!(bound[1].secrets, BTreeMap::from([("A".to_owned(), "2".to_owned())]));
        assert_eq!(
            (bound[1].modules[0].name.as_str(), bound[1].modules[0].code.as_str()),
            ("m", "published")
        );
        assert!(bound[0].modules.is_empty());
        assert_eq!(by_id(&bundle, "id of a").unwrap().code, "deployed");
        assert!(by_id(&bundle, "id of c").is_none());
    }

    #[test]
    fn what_never_runs_is_said_at_start() {
        let actions = json!([
            action(
                "ok",
                json!({"secrets": [{"name": "S", "value": NOT_SHOWN}, {"name": "T", "value": "t"}, {"name": "U"}]})
            ),
            action("draft", json!({"deployed": false})),
        ]);
        let triggers = json!({
            "post-login": [{"action_name": "ok"}, {"action_name": "draft"}, {"action_name": "gone"}],
            "signup-post-identifier": [{"action_name": "ok"}],
        });
        let rule = |stage: &str, enabled: bool| json!({"id": stage, "name": stage, "script": "", "order": 1, "enabled": enabled, "stage": stage});
        let rules =
            json!([rule("login_failure", true), rule("pre_authorize", false), rule("login_success", true)]);
        let warnings = warnings(&bundle(actions, json!([]), triggers, rules));
        let parts = [
            "login_failure",
            "secret S of the action \"ok\"",
            "secret U",
            "\"draft\" of the trigger post-login never runs",
            "\"gone\"",
            "no trigger signup-post-identifier",
        ];
        assert_eq!(warnings.len(), parts.len(), "{warnings:#?}");
        for part in parts {
            assert!(warnings.iter().any(|warning| warning.contains(part)), "{part}: {warnings:#?}");
        }
    }
}
