//! From a push to the tenant: a forge, the doors, and two dev tenants as staging and production.

use std::path::Path;

use serde_json::{Value, json};

use crate::auth0_stub::Auth0Stub;
use crate::executable::{output, vestibule};
use crate::forge_stub::{ForgeStub, PROJECT};
use crate::forge_target::{Target, commit, hook, internal, open, saying, settings, wait_for};
use crate::test_server::{PUBLIC, error_code};
use crate::tokens;
use crate::waiting::wait_until;

#[test]
fn a_push_to_a_branch_changes_its_tenant_and_only_it() {
    let forge = ForgeStub::start();
    let (staging, production) = (Target::start(), Target::start());
    let server = open(&forge, &[("staging", &staging), ("production", &production)], &[]);
    let one = commit(&forge, &saying("one"));
    forge.push("staging");
    assert!(hook(&internal(&server), "d-1", "staging", &one).starts_with("Request accepted"));
    let status = wait_for(&forge, &one, "success");
    assert_eq!(
        (&status["context"], &status["target_url"]),
        (&json!("vestibule/staging"), &json!("https://ops.example/"))
    );
    assert_eq!(forge.states(&one), ["pending", "running", "success"]);
    assert_eq!((staging.says().as_deref(), production.says()), (Some("one"), None));
    assert_eq!(production.actions(), Vec::<Value>::new());

    // The same delivery and the same commit again do nothing.
    let reads = forge.reads().len();
    assert!(hook(&internal(&server), "d-1", "staging", &one).contains("received before"));
    assert_eq!(forge.reads().len(), reads);
    hook(&internal(&server), "d-2", "staging", &one);
    wait_until("the second request ends", || {
        server.store().waiting_deployments("staging").unwrap().is_empty()
    });
    let two = commit(&forge, &saying("two"));
    forge.push("production");
    hook(&internal(&server), "d-3", "production", &two);
    wait_for(&forge, &two, "success");
    assert_eq!((staging.says().as_deref(), production.says().as_deref()), (Some("one"), Some("two")));

    let query = "{ deployments { nodes { tenant gitRef commit outcome actor { kind } } } }";
    let token = server.machine_token("users:read deploy:read");
    let shown = server.ask_internal(&token, query, Value::Null).json();
    let deployment = |target: &Target, branch, commit| {
        json!({"tenant": target.base, "gitRef": branch, "commit": commit,
        "outcome": "APPLIED", "actor": {"kind": "WEBHOOK"}})
    };
    let expected =
        json!([deployment(&production, "production", &two), deployment(&staging, "staging", &one)]);
    assert_eq!(shown["data"]["deployments"]["nodes"], expected, "{shown}");
}

#[test]
fn an_outcome_that_was_not_reported_before_the_end_is_reported_by_the_next_start() {
    let (forge, staging) = (ForgeStub::start(), Target::start());
    let mut server = open(&forge, &[("staging", &staging)], &[]);
    let one = commit(&forge, &saying("one"));
    forge.push("staging");
    hook(&internal(&server), "d-1", "staging", &one);
    wait_for(&forge, &one, "success");
    let path = server.config.store.path.clone();
    let is_reported = || {
        let database = rusqlite::Connection::open(&path).unwrap();
        database.query_row("SELECT reported FROM deployment_requests", [], |row| row.get(0)).unwrap()
    };
    wait_until("this is recorded", is_reported);
    // As if the server had been killed before.
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute("UPDATE deployment_requests SET reported = 0", []).unwrap();
    drop(database);
    server.reopen();
    wait_until("the outcome is reported again", || forge.states(&one).len() == 4);
    assert_eq!(forge.states(&one)[3], "success");
    wait_until("this is recorded again", is_reported);
    server.reopen();
    let two = commit(&forge, &saying("two"));
    forge.push("staging");
    hook(&internal(&server), "d-2", "staging", &two);
    wait_for(&forge, &two, "success");
    assert_eq!(forge.states(&one).len(), 4, "and then not any more");
}

#[test]
fn a_broken_script_changes_nothing_and_says_so() {
    let (forge, staging) = (ForgeStub::start(), Target::start());
    let server = open(&forge, &[("staging", &staging)], &[]);
    let good = commit(&forge, &saying("good"));
    forge.push("staging");
    hook(&internal(&server), "d-1", "staging", &good);
    wait_for(&forge, &good, "success");
    let broken =
        commit(&forge, &[("actions/claim/code.js", "exports.onExecutePostLogin = async (".to_owned())]);
    forge.push("staging");
    hook(&internal(&server), "d-2", "staging", &broken);
    let status = wait_for(&forge, &broken, "failed");
    assert!(status["description"].as_str().unwrap().contains("nothing was changed"), "{status}");
    assert_eq!(staging.says().as_deref(), Some("good"));
    let gone = "a".repeat(40);
    hook(&internal(&server), "d-3", "staging", &gone);
    let status = wait_for(&forge, &gone, "failed");
    assert!(status["description"].as_str().unwrap().contains("not among the last"), "{status}");
    let failures = server.ask_internal(
        &server.machine_token("users:read deploy:read"),
        "{ deployments(outcome: FAILED) { nodes { commit failure } } }",
        Value::Null,
    );
    let failures = failures.json()["data"]["deployments"]["nodes"].clone();
    assert_eq!(
        (&failures[0]["commit"], &failures[1]["commit"]),
        (&json!(gone), &json!(broken)),
        "{failures}"
    );
}

#[test]
fn of_pushes_at_once_and_during_a_deployment_the_newest_wins() {
    let (forge, staging) = (ForgeStub::start(), Target::start());
    let server = open(&forge, &[("staging", &staging)], &[]);
    let commits: Vec<String> =
        ["one", "two", "three"].iter().map(|word| commit(&forge, &saying(word))).collect();
    forge.push("staging");
    // The tenant fails and limits a while, so that the first deployment lasts.
    staging.fail("/api/v2/actions/*", "503", "2");
    staging.fail("/api/v2/actions/*", "429", "2");
    hook(&internal(&server), "d-1", "staging", &commits[0]);
    wait_until("the first deployment runs", || forge.states(&commits[0]).contains(&"running".to_owned()));
    // Their webhooks arrive in the wrong order.
    hook(&internal(&server), "d-3", "staging", &commits[2]);
    hook(&internal(&server), "d-2", "staging", &commits[1]);
    wait_for(&forge, &commits[2], "success");
    wait_for(&forge, &commits[1], "canceled");
    assert_eq!(staging.says().as_deref(), Some("three"));
    hook(&internal(&server), "d-4", "staging", &commits[0]);
    wait_until("the late webhook ends", || server.store().waiting_deployments("staging").unwrap().is_empty());
    let state = server.store().deployment_request_state("staging", &commits[0]).unwrap().unwrap().unwrap();
    assert!(state.0 == "failed" && state.1.contains("older than the deployed commit"), "{state:?}");
    assert_eq!(staging.says().as_deref(), Some("three"));
    let count = staging.actions().len();
    assert_eq!(count, 1, "one action, however often it was deployed");
}

#[test]
fn callers_with_the_permission_and_protected_jobs_ask_for_deployments() {
    let (forge, staging, ci) = (ForgeStub::start(), Target::start(), Auth0Stub::start());
    let more = [
        format!("forge.ci_issuer={}", ci.issuer),
        "forge.ci_audience=https://vestibule.example/ci".to_owned(),
    ];
    let server = open(&forge, &[("staging", &staging)], &more);
    let (one, two) = (commit(&forge, &saying("one")), commit(&forge, &saying("two")));
    forge.push("staging");
    let url = format!("{}/deployments", internal(&server));
    let post = |token: &str, body: Value| {
        let bearer = format!("Bearer {token}");
        server.http.post_json(&url, &[("authorization", &bearer)], &body).unwrap()
    };
    let wanted = json!({"target": "staging", "commit": two});
    assert_eq!(server.http.post_json(&url, &[], &wanted).unwrap().status, 401);
    let refused = post(&server.machine_token("users:read deploy:read"), wanted.clone());
    assert_eq!((refused.status, error_code(&refused.json())), (403, Some("NOT_PERMITTED")));
    let writer = server.machine_token("users:read deploy:write");
    for (body, status) in [
        (json!({"target": "other", "commit": two}), 404),
        (json!({"commit": two}), 404),
        (json!({"target": "staging", "commit": "HEAD"}), 400),
        (json!({"target": "staging"}), 400),
        (json!({"target": "staging", "commit": two, "more": 1}), 400),
    ] {
        assert_eq!(post(&writer, body.clone()).status, status, "{body}");
    }
    assert_eq!(post(&writer, wanted).status, 202);
    wait_for(&forge, &two, "success");
    assert_eq!(staging.says().as_deref(), Some("two"));

    let job = |change: (&str, &str)| {
        let mut claims = json!({"iss": ci.issuer, "aud": "https://vestibule.example/ci", "sub": "project_path:team/tenant:ref_type:branch:ref:staging",
            "iat": tokens::now(), "exp": tokens::now() + 300, "project_path": PROJECT, "ref": "staging", "ref_type": "branch",
            "ref_protected": "true", "environment": "staging", "sha": one, "user_login": "ada"});
        claims[change.0] = json!(change.1);
        tokens::sign(&claims)
    };
    let good = job(("jti", "1"));
    wait_until("the forge's keys are known", || {
        post(&job(("ref_protected", "false")), json!({})).status == 403
    });
    for (change, status) in [
        (("environment", "production"), 403),
        (("project_path", "team/other"), 403),
        (("ref", "main"), 403),
        (("aud", PUBLIC), 401),
        (("iss", "https://gitlab.com"), 401),
    ] {
        assert_eq!(post(&job(change), json!({})).status, status, "{change:?}");
    }
    for more in [json!({"commit": two}), json!({"target": "other"}), json!({"forced": true})] {
        assert_eq!(post(&good, more.clone()).status, 403, "{more}");
    }
    let at_a_door = server.ask_internal(&good, "{ __typename }", Value::Null).json();
    assert_eq!(error_code(&at_a_door), Some("WRONG_ISSUER"), "{at_a_door}");
    assert_eq!(post(&good, json!({})).status, 202);
    let state = |token: &str, query: &str| {
        let bearer = format!("Bearer {token}");
        server.http.get(&format!("{url}{query}"), &[("authorization", &bearer)]).unwrap().json()
    };
    wait_until("the job's request ends", || state(&good, "")["state"] != "waiting");
    let refused = state(&good, "");
    assert!(
        refused["state"] == "failed" && refused["message"].as_str().unwrap().contains("older"),
        "{refused}"
    );
    let forced = json!({"branch": "staging", "commit": one, "forced": true});
    assert_eq!(post(&writer, forced).status, 202);
    let of_one = format!("?target=staging&commit={one}");
    wait_until("the forced one is deployed", || state(&writer, &of_one)["state"] == "deployed");
    assert_eq!(staging.says().as_deref(), Some("one"));
}

#[test]
fn a_checkout_on_this_machine_is_deployed_from_the_command_line() {
    let (forge, staging) = (ForgeStub::start(), Target::start());
    let one = commit(&forge, &saying("one"));
    let folder = tempfile::tempdir().unwrap();
    let mut set = settings(&forge, &[("staging", &staging)]);
    set.push(format!("store.path={}", folder.path().join("vestibule.db").display()));
    let apply = |git: &Path| -> (Option<i32>, String) {
        let git = git.display().to_string();
        let args =
            ["--profile", "development", "tenant", "apply", "--git", &git, "--branch", "staging", "--yes"];
        let output = output(vestibule(&args, &set), "");
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    std::fs::write(forge.clone_folder().join("draft.js"), "1").unwrap();
    let (code, text) = apply(&forge.clone_folder());
    assert!(code == Some(1) && text.contains("not committed"), "{text}");
    std::fs::remove_file(forge.clone_folder().join("draft.js")).unwrap();
    let (code, text) = apply(&forge.clone_folder());
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(staging.says().as_deref(), Some("one"));
    let database = rusqlite::Connection::open(folder.path().join("vestibule.db")).unwrap();
    let row: (String, String) = database
        .query_row("SELECT git_commit, git_ref FROM deployments WHERE outcome = 'applied'", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(row, (one, "staging".to_owned()));
}
