//! Push hooks of GitHub and Gitea: verified, deployed, and reported in the forge's own words.

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use vestibule::cli::http_client::{HttpClient, HttpResponse};

use crate::forge_stub::{ForgeStub, PROJECT};
use crate::forge_target::{TOKEN, Target, commit, internal, open, saying, wait_for};
use crate::test_server::TestServer;

/// A push as both forges send it, apart from members that are not used.
fn push(branch: &str, commit: &str) -> Value {
    let id = |name: &str| json!({"login": name, "id": 7});
    json!({"ref": format!("refs/heads/{branch}"), "before": "1".repeat(40), "after": commit,
        "repository": {"id": 1, "name": "tenant", "full_name": PROJECT, "private": true, "owner": id("team")},
        "pusher": {"name": "ada", "email": "ada@example.com"}, "sender": id("ada"),
        "commits": [{"id": commit, "message": "A change", "added": [], "removed": [], "modified": ["actions/claim/code.js"]}]})
}

/// Delivers an event, signed as the forge does with this secret.
fn deliver(
    server: &TestServer,
    kind: &str,
    (delivery, event): (&str, &str),
    body: &Value,
    secret: &str,
) -> HttpResponse {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = HEXLOWER.encode(hmac::sign(&key, body.to_string().as_bytes()).as_ref());
    let of_github = format!("sha256={tag}");
    // Gitea sends GitHub's headers too.
    let mut headers = vec![
        ("content-type", "application/json"),
        ("x-github-delivery", delivery),
        ("x-github-event", event),
        ("x-hub-signature-256", &of_github),
    ];
    if kind == "gitea" {
        headers.extend([
            ("x-gitea-delivery", delivery),
            ("x-gitea-event", event),
            ("x-gitea-signature", &tag),
        ]);
    }
    let url = format!("{}/webhooks/{kind}", internal(server));
    HttpClient::new().send("POST", &url, &headers, body.to_string()).unwrap()
}

fn pushes_are_deployed_and_reported(kind: &str) {
    let (forge, staging) = (ForgeStub::start(), Target::start());
    let server = open(&forge, &[("staging", &staging)], &[format!("forge.kind={kind}")]);
    let one = commit(&forge, &saying("one"));
    forge.push("staging");
    let hook = |delivery: &str, event: &str, body: &Value| {
        let answer = deliver(&server, kind, (delivery, event), body, TOKEN);
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.json()["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(deliver(&server, kind, ("d-0", "push"), &push("staging", &one), "guessed").status, 401);
    let greeting = json!({"zen": "Keep it logically awesome.", "hook_id": 1});
    assert!(hook("d-1", "ping", &greeting).contains("not a push"));
    let mut elsewhere = push("staging", &one);
    elsewhere["repository"]["full_name"] = json!("team/other");
    assert!(hook("d-2", "push", &elsewhere).contains("another project"));
    assert!(hook("d-3", "push", &push("main", &one)).contains("not the branch of a target"));
    assert_eq!((staging.says(), forge.reads()), (None, Vec::new()));

    assert!(hook("d-4", "push", &push("staging", &one)).starts_with("Request accepted"));
    let status = wait_for(&forge, &one, "success");
    assert_eq!(
        (&status["context"], &status["target_url"]),
        (&json!("vestibule/staging"), &json!("https://ops.example/"))
    );
    assert_eq!(forge.states(&one), ["pending", "pending", "success"], "there is no \"running\"");
    assert_eq!(staging.says().as_deref(), Some("one"));
    assert!(hook("d-4", "push", &push("staging", &one)).contains("received before"));

    let broken =
        commit(&forge, &[("actions/claim/code.js", "exports.onExecutePostLogin = async (".to_owned())]);
    forge.push("staging");
    hook("d-5", "push", &push("staging", &broken));
    let status = wait_for(&forge, &broken, "failure");
    assert!(status["description"].as_str().unwrap().contains("nothing was changed"), "{status}");
    assert_eq!(staging.says().as_deref(), Some("one"));
    let query = "{ deployments { nodes { commit outcome actor { kind } } } }";
    let shown = server.ask_internal(&server.machine_token("users:read deploy:read"), query, Value::Null);
    let shown = shown.json()["data"]["deployments"]["nodes"].clone();
    let row = |commit: &str, outcome: &str| json!({"commit": commit, "outcome": outcome, "actor": {"kind": "WEBHOOK"}});
    assert_eq!(shown, json!([row(&broken, "FAILED"), row(&one, "APPLIED")]));
}

#[test]
fn pushes_at_github_are_deployed_and_reported() {
    pushes_are_deployed_and_reported("github");
}

#[test]
fn pushes_at_gitea_are_deployed_and_reported() {
    pushes_are_deployed_and_reported("gitea");
}
