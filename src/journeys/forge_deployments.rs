//! From a push to the tenant: a forge, the doors, and two dev tenants as staging and production.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use vestibule::cli::http_client::HttpClient;
use vestibule::clock::Clock;

use crate::auth0_stub::Auth0Stub;
use crate::dev_server::bundle_with;
use crate::executable::{Process, output, vestibule};
use crate::forge_stub::{API_TOKEN, CLONE_TOKEN, ForgeStub, PROJECT};
use crate::test_server::{PUBLIC, TestServer, error_code};
use crate::tokens;
use crate::waiting::wait_until;
use crate::webhooks::push;

const TOKEN: &str = "glwt-0123456789";
const GRANT: &str =
    r###"{"client_id": "vestibule", "audience": "##ISSUER##api/v2/", "allow_all_scopes": true}"###;
const ACTION: &str = r#"{"name": "claim", "code": "./actions/claim/code.js", "runtime": "node22", "deployed": true,
    "status": "built", "dependencies": [], "secrets": [], "supported_triggers": [{"id": "post-login", "version": "v3"}]}"#;

/// A tenant to deploy to, in a process of its own.
struct Target {
    _process: Process,
    base: String,
    http: HttpClient,
    _folder: TempDir,
    _bundle: TempDir,
}

impl Target {
    fn start() -> Self {
        let (folder, bundle) =
            (tempfile::tempdir().unwrap(), bundle_with("grants/vestibule-management.json", GRANT));
        // Its rules ask our Internal API.
        std::fs::remove_dir_all(bundle.path().join("rules")).unwrap();
        let file = folder.path().join("ready.json");
        let set = [format!("tenant.bundle={}", bundle.path().display())];
        let process = Process::start(&format!("tenant run --ready-file {}", file.display()), &set);
        wait_until("the file is written", || std::fs::read(&file).is_ok_and(|text| text.starts_with(b"{")));
        let ready: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let base = ready["http"].as_str().unwrap().to_owned();
        Self { _process: process, base, http: HttpClient::new(), _folder: folder, _bundle: bundle }
    }

    /// A GET of the Management API.
    fn get(&self, path: &str) -> Value {
        let machine = json!({"grant_type": "client_credentials", "client_id": "vestibule",
            "client_secret": "dev-only-secret-of-vestibule", "audience": format!("{}api/v2/", self.base)});
        let token = self.http.post_json(&format!("{}oauth/token", self.base), &[], &machine).unwrap().json();
        let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
        let url = format!("{}api/v2/actions/{path}", self.base);
        self.http.get(&url, &[("authorization", &bearer)]).unwrap().json()
    }

    fn actions(&self) -> Vec<Value> {
        self.get("actions")["actions"].as_array().unwrap().clone()
    }

    /// The word in the deployed version of the action, once that is bound to its trigger.
    fn says(&self) -> Option<String> {
        let bindings = self.get("triggers/post-login/bindings");
        assert!(bindings["bindings"].as_array().unwrap().len() <= 1, "{bindings}");
        let id = bindings["bindings"][0]["action"]["id"].as_str()?;
        let action = self.get(&format!("actions/{id}"));
        let code = action["deployed_version"]["code"].as_str().unwrap_or_default();
        code.split('\'').nth(3).map(str::to_owned)
    }

    /// Lets the next calls of the Management API fail.
    fn fail(&self, path: &str, answer: &str, times: &str) {
        let args = ["tenant", "fault", "--tenant", &self.base, path, "--answer", answer, "--times", times];
        assert!(output(vestibule(&args, &[]), "").status.success());
    }
}

/// The files of a bundle whose action says something at each login.
fn saying(word: &str) -> Vec<(&'static str, String)> {
    let code = format!(
        "exports.onExecutePostLogin = async (event, api) => {{\n  api.accessToken.setCustomClaim('https://vestibule.example/said', '{word}');\n}};\n"
    );
    vec![
        ("actions/claim.json", ACTION.to_owned()),
        ("actions/claim/code.js", code),
        (
            "triggers/triggers.json",
            r#"{"post-login": [{"action_name": "claim", "display_name": "claim"}]}"#.to_owned(),
        ),
    ]
}

fn commit(forge: &ForgeStub, files: &[(&str, String)]) -> String {
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    forge.commit(&files)
}

fn settings(forge: &ForgeStub, targets: &[(&str, &Target)]) -> Vec<String> {
    let target = |(name, target): &(&str, &Target)| {
        [
            format!("targets.{name}.domain={}", target.base),
            format!("targets.{name}.client_id=vestibule"),
            format!("targets.{name}.client_secret=dev-only-secret-of-vestibule"),
            format!("targets.{name}.branch={name}"),
        ]
    };
    let forge = [
        format!("forge.url={}", forge.url),
        format!("forge.project={PROJECT}"),
        "forge.clone_user=deployer".to_owned(),
        format!("forge.clone_token={CLONE_TOKEN}"),
        format!("forge.api_token={API_TOKEN}"),
        format!("forge.webhook_token={TOKEN}"),
        "forge.status_url=https://ops.example/".to_owned(),
    ];
    targets.iter().flat_map(target).chain(forge).collect()
}

fn open(forge: &ForgeStub, targets: &[(&str, &Target)], more: &[String]) -> TestServer {
    let settings = [settings(forge, targets), more.to_vec()].concat();
    TestServer::open(&settings.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Sends the webhook of a push, and returns the answer's message.
fn hook(internal: &str, delivery: &str, branch: &str, commit: &str) -> String {
    let headers = [("x-gitlab-event", "Push Hook"), ("x-gitlab-token", TOKEN), ("idempotency-key", delivery)];
    let url = format!("{internal}/webhooks/gitlab");
    let answer = HttpClient::new().post_json(&url, &headers, &push(branch, commit)).unwrap();
    assert_eq!(answer.status, 202, "{}", answer.body);
    answer.json()["message"].as_str().unwrap().to_owned()
}

fn internal(server: &TestServer) -> String {
    format!("http://{}", server.doors().internal())
}

/// Waits for the last status of a commit.
fn wait_for(forge: &ForgeStub, commit: &str, state: &str) -> Value {
    let last = || forge.status(commit).unwrap_or_default();
    wait_until(&format!("{commit} is {state}"), || {
        let now = last();
        let is_over = ["success", "failed", "canceled"].contains(&now["state"].as_str().unwrap_or_default());
        assert!(!is_over || now["state"] == state, "{now}");
        is_over
    });
    last()
}

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
    // The tenant fails a while, so that the first deployment lasts.
    staging.fail("/api/v2/actions/*", "503", "3");
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
fn a_killed_deployment_is_finished_by_the_next_start_and_made_once() {
    let (forge, staging, auth0) = (ForgeStub::start(), Target::start(), Auth0Stub::start());
    let folder = tempfile::tempdir().unwrap();
    let set = [
        settings(&forge, &[("staging", &staging)]),
        vec![
            format!("auth0.issuer={}", auth0.issuer),
            format!("store.path={}", folder.path().join("kept.db").display()),
        ],
    ]
    .concat();
    for point in 0..8_u32 {
        let mut process = Process::start("serve", &set);
        let internal = process.line("Internal").trim_end_matches("/graphql").to_owned();
        let word = format!("word {point}");
        let newest = commit(&forge, &saying(&word));
        forge.push("staging");
        hook(&internal, &format!("d-{point}"), "staging", &newest);
        // From the moment that the request is stored until after its deployment has begun at the tenant.
        let clock = Clock::system();
        let (is_late, pause) =
            (point >= 3, Duration::from_millis(60) * (point % 3 + 3 * u32::from(point > 5)));
        let is_running = || forge.states(&newest).contains(&"running".to_owned());
        wait_until("the moment has come", || clock.elapsed() >= pause && (!is_late || is_running()));
        process.stop("-KILL");
        let mut process = Process::start("serve", &set);
        process.line("Internal");
        wait_for(&forge, &newest, "success");
        assert_eq!(staging.says(), Some(word.clone()));
        let id = staging.actions()[0]["id"].as_str().unwrap().to_owned();
        let versions = staging.get(&format!("actions/{id}/versions"))["versions"].clone();
        let made = versions
            .as_array()
            .unwrap()
            .iter()
            .filter(|version| version["code"].as_str().unwrap().contains(&word));
        assert_eq!(made.count(), 1, "killed at point {point}: {versions}");
        process.stop("-TERM");
    }
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
