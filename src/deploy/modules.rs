//! The modules that actions use. A bundle names them, with the number of a version or without: then it is the latest. Tenants
//! have ids.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::state::{ObjectKind, State, text};
use crate::bundle::Object;

/// The modules of an action, each with the number of its version, if it names one.
pub(super) fn modules(action: &Object) -> impl Iterator<Item = (&str, Option<u64>)> {
    list(action).filter_map(|module| {
        let name = module.get("module_name").or_else(|| module.get("name"))?.as_str()?;
        Some((name, module.get("module_version_number").and_then(Value::as_u64)))
    })
}

/// A module of an action, without ids.
pub(super) fn reference(name: &str, number: Option<u64>) -> Value {
    let mut reference = json!({ "module_name": name });
    if let (Some(number), Some(members)) = (number, reference.as_object_mut()) {
        members.insert("module_version_number".to_owned(), number.into());
    }
    reference
}

/// The number of the latest version of each module.
pub(super) fn latest_modules(current: &State) -> BTreeMap<String, u64> {
    current.of(ObjectKind::ActionModules).map(|(name, module)| (name.clone(), latest(module))).collect()
}

/// The action with the number of a version for each of its modules. A module that is not there, or not in that version, is a
/// problem.
pub(super) fn with_modules(
    name: &str,
    action: &Object,
    latest: &BTreeMap<String, u64>,
    problems: &mut Vec<String>,
) -> Object {
    let resolved = |(module, number): (&str, Option<u64>)| {
        match (latest.get(module).copied().unwrap_or(0), number) {
            (0, _) => problems.push(format!(
                "action {name}: its module {module} is not published, in the bundle or at the tenant"
            )),
            (latest, Some(number)) if number > latest => problems.push(format!(
                "action {name}: its module {module} has no version {number} at the tenant, but {latest}; without \
                 module_version_number it gets the latest"
            )),
            (latest, number) => return Some(reference(module, Some(number.unwrap_or(latest)))),
        }
        None
    };
    let resolved: Vec<Value> = modules(action).filter_map(resolved).collect();
    let mut action = action.clone();
    if action.contains_key("modules") {
        action.insert("modules".to_owned(), resolved.into());
    }
    action
}

/// Replaces the modules of a tenant's action by their names and numbers.
pub(super) fn name_modules(action: &mut Object, state: &State) {
    let named = |module: &Value| {
        let id = module.get("module_id").and_then(Value::as_str);
        let mut known = state.of(ObjectKind::ActionModules);
        let known = known.find(|(_, module)| id.is_some_and(|id| text(module, "id") == id));
        let name = module.get("module_name").and_then(Value::as_str).or(known.map(|(name, _)| name.as_str()));
        match (name, module.get("module_version_number").and_then(Value::as_u64)) {
            (Some(name), number @ Some(_)) => reference(name, number),
            _ => module.clone(),
        }
    };
    let named: Vec<Value> = list(action).map(named).collect();
    if action.contains_key("modules") {
        action.insert("modules".to_owned(), named.into());
    }
}

/// The number of a module's latest version; 0 before the first.
pub(super) fn latest(module: &Object) -> u64 {
    module.get("latest_version_number").and_then(Value::as_u64).unwrap_or(0)
}

fn list(action: &Object) -> impl Iterator<Item = &Value> {
    action.get("modules").and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_reference_gets_the_latest_version_or_the_one_it_names() {
        let action = |modules: Value| object(json!({"name": "a", "modules": modules}));
        let latest = BTreeMap::from([("m".to_owned(), 3), ("draft".to_owned(), 0)]);
        for (given, expected, problem) in [
            (json!([{"module_name": "m"}]), json!([reference("m", Some(3))]), None),
            (json!([{"name": "m", "module_version_number": 2}]), json!([reference("m", Some(2))]), None),
            (json!([reference("m", Some(4))]), json!([]), Some("no version 4 at the tenant, but 3")),
            (json!([reference("draft", None)]), json!([]), Some("draft is not published")),
            (json!([reference("nowhere", Some(1))]), json!([]), Some("nowhere is not published")),
        ] {
            let mut problems = Vec::new();
            let resolved = with_modules("a", &action(given), &latest, &mut problems);
            assert_eq!(resolved["modules"], expected);
            let problems = problems.join("\n");
            assert!(problem.map_or(problems.is_empty(), |problem| problems.contains(problem)), "{problems}");
        }
        let without = object(json!({"name": "a"}));
        assert_eq!(with_modules("a", &without, &latest, &mut Vec::new()), without, "none is added");
    }

    #[test]
    fn ids_of_a_tenant_become_names_where_the_module_is_known() {
        let mut state = State::default();
        state.add(ObjectKind::ActionModules, object(json!({"name": "m", "id": "1"})));
        let unknown = json!({"module_id": "2", "module_version_id": "v"});
        let mut action = object(json!({"modules": [
            {"module_name": "n", "module_id": "9", "module_version_number": 5, "module_version_id": "w"},
            {"module_id": "1", "module_version_number": 2},
            unknown,
        ]}));
        name_modules(&mut action, &state);
        assert_eq!(action["modules"], json!([reference("n", Some(5)), reference("m", Some(2)), unknown]));
    }
}
