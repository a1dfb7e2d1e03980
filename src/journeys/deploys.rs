//! Deployments of bundles to a dev tenant: plan, apply, drift, rollback, and what goes wrong.

use serde_json::json;
use vestibule::deploy::{DeployError, Options, SecretChange, Verb};
use vestibule::store::DeploymentOutcome;

use crate::executable::{output, vestibule};
use crate::target::{Target, bundle, code, origin, titles, write, write_action, write_bindings};

#[test]
fn a_bundle_is_deployed_once_drift_is_found_and_a_rollback_is_byte_identical() {
    let (target, bundle) = (Target::open(), bundle());
    let path = bundle.path();
    let plan = target.plan(path).unwrap();
    let all = [
        "create API https://shop.example/",
        "create client Shop app",
        "create grant Shop app at https://shop.example/",
        "create role clerk",
        "create action first",
        "create action second",
        "update bindings of post-login",
    ];
    assert_eq!(titles(&plan), all);
    assert_eq!(target.action("first"), None, "a plan changes nothing");

    let first = target.apply(path).unwrap();
    assert_eq!(
        (first.outcome, first.planned_changes, first.untested),
        (DeploymentOutcome::Applied, 7, false)
    );
    assert_eq!((first.commit.as_deref(), first.target.as_deref()), (Some("c0ffee"), Some("staging")));
    assert_eq!(target.bound(), ["first", "second"]);
    let action = target.action("first").unwrap();
    assert_eq!((&action["deployed_version"]["code"], &action["numbers"]), (&json!(code("one")), &json!([1])));
    let role = &target.call("GET", "roles", None)[0];
    let permissions =
        target.call("GET", &format!("roles/{}/permissions", role["id"].as_str().unwrap()), None);
    assert_eq!(permissions[0]["permission_name"], "read:orders");
    assert!(target.plan(path).unwrap().is_empty(), "{:?}", titles(&target.plan(path).unwrap()));
    assert!(target.deployer.drift("staging").unwrap().1.is_empty());
    let again = target.apply(path).unwrap();
    assert_eq!((again.outcome, again.planned_changes), (DeploymentOutcome::Applied, 0));
    assert_eq!(target.action("first").unwrap()["numbers"], json!([1]), "nothing is deployed twice");

    // A new version, in another order.
    write_action(path, "second", &code("two, changed"), json!([]));
    write_bindings(path, &["second", "first"]);
    let plan = target.plan(path).unwrap();
    assert_eq!(titles(&plan), ["update action second", "update bindings of post-login"]);
    let diff = plan.changes[0].diff.as_deref().unwrap();
    assert!(diff.contains("-  // two\n") && diff.contains("+  // two, changed\n"), "{diff}");
    let second = target.apply(path).unwrap();
    assert_eq!(target.bound(), ["second", "first"]);

    // Someone edits it in the dashboard.
    let id = target.action("first").unwrap()["id"].as_str().unwrap().to_owned();
    target.call("PATCH", &format!("actions/actions/{id}"), Some(&json!({"code": code("by hand")})));
    let (since, drift) = target.deployer.drift("staging").unwrap();
    assert_eq!((since, titles(&drift)), (second.id, vec!["update action first".to_owned()]));
    assert!(drift.changes[0].diff.as_deref().unwrap().contains("+  // by hand"));

    let undone = target.rollback(second.id, Options::default()).unwrap();
    assert_eq!((undone.undoes, undone.outcome), (Some(second.id), DeploymentOutcome::Applied));
    assert_eq!(target.store.deployment(second.id).unwrap().unwrap().outcome, DeploymentOutcome::RolledBack);
    for (name, word) in [("first", "one"), ("second", "two")] {
        let action = target.action(name).unwrap();
        assert_eq!(
            (&action["code"], &action["deployed_version"]["code"]),
            (&json!(code(word)), &json!(code(word)))
        );
    }
    assert_eq!(target.bound(), ["first", "second"]);
    assert_eq!(target.deployer.last_to_undo("staging").unwrap(), first.id);

    // Back to the empty tenant: what was created stays unbound, and is deleted only with --prune.
    target.rollback(first.id, Options::default()).unwrap();
    assert!(target.bound().is_empty() && target.action("first").is_some());
    assert!(target.deployer.last_to_undo("staging").is_err());
    let prune = Options { prune: true, ..Options::default() };
    target.rollback(first.id, prune).unwrap();
    assert_eq!(target.action("first"), None);
    let clients = target.call("GET", "clients?is_global=false", None);
    assert_eq!(clients.as_array().unwrap().len(), 1, "the deploying client stays: {clients}");
}

#[test]
fn an_action_that_the_tenant_has_as_a_draft_only_is_deployed() {
    let (target, bundle) = (Target::open(), bundle());
    let draft = json!({"name": "second", "code": code("two"), "runtime": "node22", "dependencies": [],
        "supported_triggers": [{"id": "post-login", "version": "v3"}]});
    target.call("POST", "actions/actions", Some(&draft));
    let plan = target.plan(bundle.path()).unwrap();
    assert!(titles(&plan).contains(&"deploy action second".to_owned()), "{:?}", titles(&plan));
    target.apply(bundle.path()).unwrap();
    assert_eq!(target.action("second").unwrap()["deployed_version"]["code"], code("two"));
}

#[test]
fn rules_become_actions_that_run_before_the_others() {
    let (target, bundle) = (Target::open(), bundle());
    let path = bundle.path();
    let rule = |claim: &str| {
        format!(
            "function (user, context, callback) {{\n  // {claim}\n  context.idToken['https://x.example/{claim}'] = configuration.WORD;\n  \
             callback(null, user, context);\n}}"
        )
    };
    for (name, order, enabled) in [("early", 2, true), ("earliest", 1, true), ("never", 3, false)] {
        write(path, &format!("rules/{name}.js"), &rule(name));
        let meta =
            json!({"name": name, "script": format!("./{name}.js"), "order": order, "enabled": enabled});
        write(path, &format!("rules/{name}.json"), &meta.to_string());
    }
    write(path, "rules-configs/WORD.json", &json!({"key": "WORD", "value": "hush-hush-4"}).to_string());
    let plan = target.plan(path).unwrap();
    assert!(
        plan.notices.contains(&"rule never: not deployed, as it is disabled".to_owned()),
        "{:?}",
        plan.notices
    );
    let early = plan.changes.iter().find(|change| change.name == "early").unwrap();
    assert_eq!(early.secrets, [("WORD".to_owned(), SecretChange::Add)].into());
    target.apply(path).unwrap();
    assert_eq!(target.bound(), ["earliest", "early", "first", "second"]);
    let action = target.action("early").unwrap();
    let code = action["deployed_version"]["code"].as_str().unwrap();
    assert!(code.contains("// early") && code.contains("event.secrets.WORD"), "{code}");
    assert!(target.plan(path).unwrap().is_empty());
}

#[test]
fn secrets_change_by_name_and_are_shown_nowhere() {
    let (target, bundle) = (Target::open(), bundle());
    let path = bundle.path();
    target.apply(path).unwrap();
    let secrets = |value: &str| json!([{"name": "KEY", "value": value}]);
    write_action(path, "first", &code("one"), secrets("hush-hush-2"));
    write_action(path, "second", "// hush-hush-3\n", json!([{"name": "MORE", "value": "hush-hush-3"}]));
    let plan = target.plan(path).unwrap();
    assert_eq!(plan.changes[0].secrets, [("KEY".to_owned(), SecretChange::Change)].into());
    assert_eq!(plan.changes[1].secrets, [("MORE".to_owned(), SecretChange::Add)].into());
    target.apply(path).unwrap();
    assert!(target.plan(path).unwrap().is_empty());
    assert_eq!(target.action("first").unwrap()["numbers"], json!([2, 1]));

    write_action(path, "first", &code("one"), json!([]));
    let plan = target.plan(path).unwrap();
    assert_eq!(plan.changes[0].secrets, [("KEY".to_owned(), SecretChange::Remove)].into());
    // As the deploy CLI exports it: the value that the tenant has stays.
    write_action(path, "first", &code("one"), secrets("_VALUE_NOT_SHOWN_"));
    assert!(target.plan(path).unwrap().is_empty());
    write_action(path, "first", &code("one"), json!([{"name": "NEW", "value": "_VALUE_NOT_SHOWN_"}]));
    let refused = target.plan(path).unwrap_err().to_string();
    assert!(refused.contains("its secret NEW has no value"), "{refused}");

    let recorded = rusqlite::Connection::open(target.database()).unwrap();
    let sql = "SELECT group_concat(plan) || (SELECT group_concat(line) FROM deployment_log)
               || (SELECT group_concat(hash) FROM deployed_secrets) FROM deployment_records";
    let text: String = recorded.query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(text.contains("••••") && !text.contains("hush-hush"), "{text}");
}

#[test]
fn deletions_need_prune_and_spare_what_the_bundle_has_no_kind_of() {
    let (target, bundle) = (Target::open(), bundle());
    target.apply(bundle.path()).unwrap();
    let smaller = tempfile::tempdir().unwrap();
    write_action(smaller.path(), "second", &code("two"), json!([]));
    write_bindings(smaller.path(), &["second"]);
    let plan = target.plan(smaller.path()).unwrap();
    assert_eq!(titles(&plan), ["update bindings of post-login"]);
    assert_eq!(plan.not_in_bundle.iter().map(|extra| extra.name.as_str()).collect::<Vec<_>>(), ["first"]);
    let prune = Options { prune: true, ..Options::default() };
    let plan = target.deployer.plan("staging", smaller.path(), prune).unwrap();
    assert_eq!(titles(&plan), ["update bindings of post-login", "delete action first"]);
    target.apply_with(smaller.path(), prune).unwrap();
    assert_eq!((target.action("first"), target.bound()), (None, vec!["second".to_owned()]));
    assert_eq!(target.call("GET", "roles", None)[0]["name"], "clerk");
}

#[test]
fn a_tenant_that_limits_and_fails_gets_each_change_once() {
    let (target, bundle) = (Target::open(), bundle());
    for (method, path, answer) in [
        ("POST", "/oauth/token", json!(503)),
        ("GET", "/api/v2/roles*", json!(429)),
        ("POST", "/api/v2/clients", json!(500)),
        ("POST", "/api/v2/actions/actions", json!("truncated")),
        ("POST", "/api/v2/actions/actions/*", json!("truncated")),
        ("PATCH", "/api/v2/actions/triggers/*", json!(502)),
        ("GET", "/api/v2/actions/actions/*", json!("html")),
    ] {
        target.fault(json!({"method": method, "path": path, "answer": answer, "times": 1}));
    }
    let deployed = target.apply(bundle.path()).unwrap();
    let log: Vec<String> =
        target.store.deployment_log(deployed.id).unwrap().into_iter().map(|line| line.line).collect();
    assert!(log.iter().any(|line| line.contains("was rate limited; trying again in 1.0 s")), "{log:?}");
    assert_eq!(target.action("first").unwrap()["numbers"], json!([1]));
    assert_eq!(target.action("second").unwrap()["numbers"], json!([1]));
    assert_eq!(target.call("GET", "clients?is_global=false", None).as_array().unwrap().len(), 2);
    assert!(target.plan(bundle.path()).unwrap().is_empty());
}

#[test]
fn a_tenant_that_keeps_failing_ends_in_a_recorded_failure() {
    let (target, bundle) = (Target::open(), bundle());
    target.fault(json!({"method": "POST", "path": "/api/v2/actions/actions", "answer": 400}));
    let error = target.apply(bundle.path()).unwrap_err();
    assert!(
        error.to_string().contains("the tenant of [targets.staging]") && !error.is_temporary(),
        "{error}"
    );
    let failed = target.store.deployment(1).unwrap().unwrap();
    assert_eq!(failed.outcome, DeploymentOutcome::Failed);
    assert!(failed.failure.unwrap().contains("status 400"));
    target.clear_faults();
    assert_eq!(
        titles(&target.plan(bundle.path()).unwrap())[0],
        "create action first",
        "it goes on from there"
    );
    target.apply(bundle.path()).unwrap();
    assert_eq!(target.bound(), ["first", "second"]);
}

#[test]
fn a_missing_scope_is_named() {
    let target = Target::with_scopes("read:actions update:actions");
    let bundle = tempfile::tempdir().unwrap();
    write_action(bundle.path(), "first", &code("one"), json!([]));
    let error = target.apply(bundle.path()).unwrap_err();
    assert!(matches!(&error, DeployError::Scope { scopes, .. } if scopes == "create:actions"), "{error}");
    assert!(error.to_string().contains("grant the client deployer of [targets.staging]"), "{error}");
}

#[test]
fn a_failing_test_case_changes_nothing_and_a_passing_one_is_counted() {
    let (target, bundle) = (Target::open(), bundle());
    let case = |denied: bool| {
        let case = json!({"name": "of the first", "expect": {"denied": denied}}).to_string();
        write(bundle.path(), "actions/first/tests/first.json", &case);
    };
    case(true);
    let error = target.apply(bundle.path()).unwrap_err();
    let DeployError::TestsFailed(failures) = &error else { panic!("{error}") };
    assert_eq!(failures, &["actions/first: of the first: denied: expected one, got null"]);
    assert_eq!(target.action("first"), None);
    case(false);
    target.apply(bundle.path()).unwrap();
    let log = target.store.deployment_log(2).unwrap();
    assert!(log.iter().any(|line| line.line == "tests passed; scripts that compile: 2, cases: 1"), "{log:?}");
}

#[test]
fn a_script_that_does_not_compile_changes_nothing_unless_tests_are_skipped() {
    let (target, bundle) = (Target::open(), bundle());
    write_action(bundle.path(), "second", "exports.onExecutePostLogin = async (event, api) => {{", json!([]));
    let error = target.apply(bundle.path()).unwrap_err();
    let DeployError::TestsFailed(failures) = &error else { panic!("{error}") };
    assert!(
        failures.len() == 1 && failures[0].starts_with("actions/second/code.js:1: it does not compile"),
        "{failures:?}"
    );
    assert_eq!(target.action("first"), None);
    assert_eq!(target.store.deployment(1).unwrap().unwrap().outcome, DeploymentOutcome::Failed);
    let deployed =
        target.apply_with(bundle.path(), Options { skip_tests: true, ..Options::default() }).unwrap();
    assert!(deployed.untested);
    assert_eq!(target.bound(), ["first", "second"]);
}

#[test]
fn what_cannot_be_deployed_is_refused_before_anything_changes() {
    let (target, bundle) = (Target::open(), bundle());
    let path = bundle.path();
    write(
        path,
        "rules/old.js",
        "function (user, context, callback) { callback(null, auth0.accessToken, context); }",
    );
    write_bindings(path, &["first", "nowhere"]);
    write(
        path,
        "actions/third.json",
        &json!({"name": "third", "code": "./actions/third/code.js"}).to_string(),
    );
    write(path, "tenant.json", &json!({"friendly_name": "Shop"}).to_string());
    let DeployError::Undeployable(problems) = target.plan(path).unwrap_err() else { panic!() };
    let all = problems.join("\n");
    for expected in [
        "the rule \"old\" cannot become an action: line 1",
        "\"nowhere\", which is no action of the bundle",
        "action third: its code ./actions/third/code.js does not exist",
        "action third: it supports no trigger",
    ] {
        assert!(all.contains(expected), "{expected}: {all}");
    }
    write(path, "actions/first/code.js", "// @@NOWHERE@@ ##NEITHER##\n");
    let missing = target.plan(path).unwrap_err().to_string();
    assert!(missing.contains("[targets.staging.keywords]"), "{missing}");
    assert!(missing.contains("@@NOWHERE@@") && missing.contains("##NEITHER##"), "{missing}");
    // The bundle's own values come first, then the target's.
    let own = json!({"AUTH0_KEYWORD_REPLACE_MAPPINGS": {"NOWHERE": "a", "NEITHER": "b", "SHOP_KEY": "c"}});
    write(path, "config.json", &own.to_string());
    assert!(matches!(target.plan(path), Err(DeployError::Undeployable(_))));
    let none = target.deployer.plan("nowhere", path, Options::default()).unwrap_err();
    assert_eq!(none.to_string(), "there is no target \"nowhere\"; configured are: staging");
}

#[test]
fn one_deployment_at_a_time_and_only_the_approved_plan() {
    let (target, bundle) = (Target::open(), bundle());
    let approved = target.plan(bundle.path()).unwrap();
    let busy = std::cell::Cell::new(None);
    let progress = |progress: vestibule::deploy::Progress<'_>| {
        if matches!(progress, vestibule::deploy::Progress::Begun(_)) {
            busy.set(target.apply(bundle.path()).err().map(|error| error.to_string()));
            assert!(matches!(target.deployer.ensure_free("staging"), Err(DeployError::Busy(_))));
        }
    };
    let deploy = |approved| {
        target.deployer.apply("staging", bundle.path(), &origin(), Options::default(), approved, &progress)
    };
    write_action(bundle.path(), "second", &code("another"), json!([]));
    let changed = deploy(Some(&approved)).unwrap_err();
    assert!(matches!(changed, DeployError::PlanChanged), "{changed}");
    assert!(busy.take().unwrap().contains("staging is being deployed to already"));
    assert_eq!(target.action("first"), None);
    let approved = target.plan(bundle.path()).unwrap();
    assert!(approved.changes.iter().all(|change| change.action != Verb::Delete));
    deploy(Some(&approved)).unwrap();
    target.deployer.ensure_free("staging").unwrap();
}

#[test]
fn the_commands_ask_print_json_and_exit_with_2_for_changes() {
    let (target, bundle) = (Target::open(), bundle());
    let folder = bundle.path().to_str().unwrap();
    let run = |args: &[&str]| {
        let mut all = vec!["--profile", "development", "tenant"];
        all.extend(args);
        all.extend(["--to", "staging"]);
        let output = output(vestibule(&all, &target.settings()), "");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let (code, text, errors) = run(&["plan", folder]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(
        text.contains("+ create action first") && text.contains("7 changes: create 6, update 1."),
        "{text}"
    );
    assert!(!text.contains('\u{1b}') && !text.contains("hush"), "{text}");
    let (code, _, errors) = run(&["apply", folder]);
    assert!(code == Some(2) && errors.contains("add --yes"), "{errors}");
    assert_eq!(target.action("first"), None);
    let (code, text, errors) = run(&["apply", folder, "--yes"]);
    assert!(
        code == Some(0)
            && text.contains("tests passed; scripts that compile: 2")
            && text.contains("create action first"),
        "{text}{errors}"
    );
    let (code, text, _) = run(&["plan", folder, "--json"]);
    assert_eq!((code, &json(&text)["changes"]), (Some(0), &json!([])));
    let (code, text, _) = run(&["drift", "--json"]);
    assert_eq!((code, &json(&text)["target"]), (Some(0), &json!("staging")));
    let (_, text, _) = run(&["deployments"]);
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ID", "BEGAN", "TARGET", "OUTCOME", "CHANGES", "BY", "COMMIT"], "{text}");
    assert_eq!(
        (rows[1][0], &rows[1][2..]),
        ("1", &["staging", "applied", "7", "changes", "cli"][..]),
        "{text}"
    );
    let (code, text, errors) = run(&["deployments", "1", "--json"]);
    assert!(code == Some(0), "{errors}");
    let shown = json(&text);
    assert_eq!(
        (&shown["outcome"], shown["plan"]["changes"].as_array().unwrap().len()),
        (&json!("applied"), 7)
    );
    assert!(
        shown["log"].as_array().unwrap().iter().any(|line| line["line"] == "create role clerk"),
        "{text}"
    );
    let (code, text, errors) = run(&["rollback", "--yes", "--json", "--prune"]);
    assert!(code == Some(0), "{errors}");
    assert_eq!((&json(&text)["undoes"], &json(&text)["outcome"]), (&json!(1), &json!("applied")));
    assert_eq!(target.action("first"), None);
}
