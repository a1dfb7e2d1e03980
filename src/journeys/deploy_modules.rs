//! Deployments of action modules, and of the actions that use them.

use serde_json::{Value, json};
use vestibule::deploy::{DeployError, Options, SecretChange};

use crate::target::{Target, titles, write, write_action, write_bindings};

/// A bundle with the module `greeter` that holds `word`, and the action `first` that uses it.
fn bundle(word: &str, reference: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let module = json!({"name": "greeter", "code": "./action-modules/greeter/code.js", "dependencies": [],
        "secrets": [{"name": "KEY", "value": "##SHOP_KEY##"}]});
    write(path, "action-modules/greeter.json", &module.to_string());
    write(path, "action-modules/greeter/code.js", &module_code(word));
    let code = "const { greet } = require('actions:greeter');\nexports.onExecutePostLogin = async (event, api) => {\n  \
                api.idToken.setCustomClaim('https://x.example/w', greet(event.user.name));\n};\n";
    write_action(path, "first", code, json!([]));
    let file = path.join("actions/first.json");
    let mut action: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    action["modules"] = json!([reference]);
    std::fs::write(file, action.to_string()).unwrap();
    write_bindings(path, &["first"]);
    folder
}

fn module_code(word: &str) -> String {
    format!("module.exports = {{ greet: (name) => '{word}, ' + name }};\n")
}

fn latest() -> Value {
    json!({"module_name": "greeter"})
}

fn module(target: &Target) -> Value {
    target.call("GET", "actions/modules", None)["modules"][0].clone()
}

/// The version of the module that the deployed action uses, as the tenant has it.
fn used(target: &Target) -> (Value, Value) {
    let action = target.action("first").unwrap();
    let used = &action["deployed_version"]["modules"][0];
    assert_eq!((&used["module_name"], &used["module_id"]), (&json!("greeter"), &module(target)["id"]));
    (used["module_version_number"].clone(), used["module_version_id"].clone())
}

#[test]
fn a_module_is_published_before_the_action_that_uses_it_and_rolled_back_with_it() {
    let target = Target::open();
    let one = bundle("Hello", &latest());
    let plan = target.plan(one.path()).unwrap();
    let all = ["create action module greeter", "create action first", "update bindings of post-login"];
    assert_eq!(titles(&plan), all);
    assert_eq!(plan.changes[0].secrets, [("KEY".to_owned(), SecretChange::Add)].into());
    target.apply(one.path()).unwrap();
    let first = module(&target);
    assert_eq!(first["latest_version"]["code"], module_code("Hello"));
    assert_eq!(used(&target), (json!(1), first["latest_version"]["id"].clone()));
    assert!(target.plan(one.path()).unwrap().is_empty(), "{:?}", target.plan(one.path()).unwrap());
    assert!(target.deployer.drift("staging").unwrap().1.is_empty());

    let two = bundle("Good day", &latest());
    let plan = target.plan(two.path()).unwrap();
    assert_eq!(titles(&plan), ["update action module greeter", "update action first"]);
    let diff = plan.changes[0].diff.as_deref().unwrap();
    assert!(diff.contains("-module.exports = { greet: (name) => 'Hello, '"), "{diff}");
    let number = |number: u64| json!([{"module_name": "greeter", "module_version_number": number}]);
    let modules = &plan.changes[1].members["modules"];
    assert_eq!((&modules.before, &modules.after), (&number(1), &number(2)));
    let second = target.apply(two.path()).unwrap();
    assert_eq!(used(&target), (json!(2), module(&target)["latest_version"]["id"].clone()));

    let path = format!("actions/modules/{}", first["id"].as_str().unwrap());
    target.call("PATCH", &path, Some(&json!({"code": module_code("By hand")})));
    let drift = target.deployer.drift("staging").unwrap().1;
    assert_eq!(titles(&drift), ["update action module greeter"]);
    assert!(
        drift.changes[0]
            .diff
            .as_deref()
            .unwrap()
            .contains("+module.exports = { greet: (name) => 'By hand, '")
    );

    target.rollback(second.id, Options::default()).unwrap();
    let back = module(&target);
    assert_eq!((&back["code"], &back["latest_version"]["code"]), (&first["code"], &first["code"]));
    assert_eq!(back["secrets"], json!([{"name": "KEY"}]));
    assert_eq!(used(&target), (json!(1), first["latest_version"]["id"].clone()), "the very version is back");
    assert_eq!(target.action("first").unwrap()["all_changes_deployed"], true);
}

#[test]
fn a_version_can_be_named_and_modules_that_are_not_there_are_refused() {
    let target = Target::open();
    let named = |number: u64| json!({"module_name": "greeter", "module_version_number": number});
    target.apply(bundle("Hello", &named(1)).path()).unwrap();
    // The module has a second version; the action stays with the one it names.
    let two = bundle("Good day", &named(1));
    assert_eq!(titles(&target.plan(two.path()).unwrap()), ["update action module greeter"]);
    target.apply(two.path()).unwrap();
    assert_eq!((used(&target).0, &module(&target)["latest_version_number"]), (json!(1), &json!(2)));
    for (reference, expected) in [
        (named(9), "its module greeter has no version 9 at the tenant, but 2"),
        (json!({"module_name": "nowhere"}), "its module nowhere is not published"),
    ] {
        let error = target.plan(bundle("Good day", &reference).path()).unwrap_err();
        assert!(matches!(&error, DeployError::Undeployable(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    // Without modules of its own, a bundle uses those of the tenant.
    let without = bundle("Good day", &latest());
    std::fs::remove_dir_all(without.path().join("action-modules")).unwrap();
    assert_eq!(titles(&target.plan(without.path()).unwrap()), ["update action first"]);
    target.apply(without.path()).unwrap();
    assert_eq!(used(&target).0, 2);

    let empty = bundle("Good day", &latest());
    std::fs::write(empty.path().join("action-modules/greeter/code.js"), "module.exports = {{").unwrap();
    let error = target.apply(empty.path()).unwrap_err().to_string();
    assert!(error.contains("action-modules/greeter/code.js:1: it does not compile"), "{error}");
}

#[test]
fn a_rollback_restores_a_draft_that_was_not_deployed() {
    let target = Target::open();
    let one = bundle("Hello", &latest());
    target.apply(one.path()).unwrap();
    let deployed = target.action("first").unwrap();
    let path = format!("actions/actions/{}", deployed["id"].as_str().unwrap());
    target.call("PATCH", &path, Some(&json!({"code": "// a draft\n"})));
    let second = target.apply(one.path()).unwrap();
    assert_eq!(second.planned_changes, 1);
    target.rollback(second.id, Options::default()).unwrap();
    let back = target.action("first").unwrap();
    assert_eq!(back["code"], "// a draft\n");
    assert_eq!(back["deployed_version"]["code"], deployed["code"]);
}
