//! Webhooks of a forge at the internal door: who is heard, and what is answered.

use std::io::{Read, Write};
use std::net::TcpStream;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use vestibule::cli::http_client::HttpResponse;

use crate::forge_stub::{ForgeStub, PROJECT};
use crate::test_server::TestServer;

const TOKEN: &str = "glwt-0123456789";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The settings of a target that follows `staging`, and of a forge.
pub(crate) fn settings(forge: &ForgeStub) -> Vec<String> {
    let url = &forge.url;
    [
        "targets.staging.domain=http://127.0.0.1:1/",
        "targets.staging.client_id=vestibule",
        "targets.staging.client_secret=hush",
        "targets.staging.branch=staging",
        &format!("forge.url={url}"),
        &format!("forge.project={PROJECT}"),
    ]
    .map(str::to_owned)
    .into()
}

fn open(forge: &ForgeStub, more: &[&str]) -> TestServer {
    let settings = settings(forge);
    let set: Vec<&str> = settings.iter().map(String::as_str).chain(more.iter().copied()).collect();
    TestServer::open(&set)
}

/// A push of [`COMMIT`] to a branch.
pub(crate) fn push(branch: &str, commit: &str) -> Value {
    json!({"object_kind": "push", "ref": format!("refs/heads/{branch}"), "before": "1".repeat(40), "after": commit,
        "project": {"path_with_namespace": PROJECT}, "commits": [], "total_commits_count": 0})
}

fn post(server: &TestServer, headers: &[(&str, &str)], body: &str) -> HttpResponse {
    let url = format!("http://{}/webhooks/gitlab", server.doors().internal());
    let headers =
        [&[("x-gitlab-event", "Push Hook"), ("content-type", "application/json")], headers].concat();
    server.http.send("POST", &url, &headers, body.to_owned()).unwrap()
}

fn rows(server: &TestServer) -> i64 {
    let database = rusqlite::Connection::open(&server.config.store.path).unwrap();
    database.query_row("SELECT count(*) FROM deployment_requests", [], |row| row.get(0)).unwrap()
}

/// The headers of Standard Webhooks.
fn signed(id: &str, seconds: i64, body: &str) -> [(String, String); 3] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &(0..32).collect::<Vec<u8>>());
    let tag = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
    [
        ("webhook-id".to_owned(), id.to_owned()),
        ("webhook-timestamp".to_owned(), seconds.to_string()),
        ("webhook-signature".to_owned(), format!("v1,{}", STANDARD.encode(tag))),
    ]
}

/// V36.
#[test]
fn a_wrong_secret_is_refused_alike_and_a_wrong_branch_is_ignored() {
    let forge = ForgeStub::start();
    let server = open(&forge, &["forge.webhook_token=glwt-0123456789"]);
    let body = push("staging", COMMIT).to_string();
    let refused: Vec<_> = [
        &[][..],
        &[("x-gitlab-token", "wrong")],
        &[("x-gitlab-token", "")],
        &[("x-gitlab-token", "glwt-012345678")],
        &[("x-gitlab-token", "glwt-01234567890")],
        &[("x-gitlab-token", TOKEN), ("x-gitlab-token", TOKEN)],
    ]
    .iter()
    .map(|headers| post(&server, headers, &body))
    .map(|response| (response.status, response.body))
    .collect();
    assert!(refused.iter().all(|response| *response == refused[0]), "{refused:?}");
    assert_eq!(refused[0].0, 401);
    let with_token = |body: &str| post(&server, &[("x-gitlab-token", TOKEN)], body);
    let mut other_project = push("staging", COMMIT);
    other_project["project"]["path_with_namespace"] = json!("team/other");
    for (ignored, why) in [
        (push("main", COMMIT), "'main' is not the branch of a target"),
        (push("staging2", COMMIT), "not the branch of a target"),
        (push("staging", &"0".repeat(40)), "was deleted"),
        (other_project, "another project"),
    ] {
        let response = with_token(&ignored.to_string());
        assert_eq!(response.status, 202, "{}", response.body);
        let message = response.json()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("Request ignored") && message.contains(why), "{message}");
    }
    assert_eq!((rows(&server), forge.reads()), (0, Vec::new()));
}

#[test]
fn without_a_secret_or_a_project_there_is_no_webhook() {
    let forge = ForgeStub::start();
    let body = push("staging", COMMIT).to_string();
    let open_to_all = open(&forge, &[]);
    let nowhere = format!("http://{}/nowhere", open_to_all.doors().internal());
    let nowhere = open_to_all.http.send("POST", &nowhere, &[], body.clone()).unwrap().status;
    assert_eq!(post(&open_to_all, &[("x-gitlab-token", "")], &body).status, nowhere);
    let elsewhere = open(&forge, &["forge.webhook_token=glwt-0123456789", "forge.kind=gitea"]);
    assert_eq!(post(&elsewhere, &[("x-gitlab-token", TOKEN)], &body).status, nowhere);
    let none = TestServer::open(&["forge.webhook_token=glwt-0123456789"]);
    assert_eq!(post(&none, &[("x-gitlab-token", TOKEN)], &body).status, nowhere);
    let public = format!("http://{}/webhooks/gitlab", elsewhere.doors().public());
    assert_eq!(
        elsewhere.http.send("POST", &public, &[("x-gitlab-token", TOKEN)], body).unwrap().status,
        nowhere
    );
}

#[test]
fn a_signed_delivery_is_taken_once_even_after_a_restart() {
    let forge = ForgeStub::start();
    let signing = "forge.signing_token=whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let mut server = open(&forge, &[signing, "forge.webhook_token=glwt-0123456789"]);
    let body = push("staging", COMMIT).to_string();
    let now = vestibule::clock::Clock::system().now().as_second();
    let send = |server: &TestServer, id: &str, seconds: i64, body: &str, signed_body: &str| {
        let headers = signed(id, seconds, signed_body);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        post(server, &headers, body)
    };
    let first = send(&server, "msg_1", now, &body, &body);
    assert_eq!(first.status, 202, "{}", first.body);
    assert!(first.body.contains("accepted") && !first.body.contains("\"staging\""), "{}", first.body);
    let again = send(&server, "msg_1", now + 1, &body, &body);
    assert!(again.status == 202 && again.body.contains("received before"), "{}", again.body);
    server.reopen();
    let again = send(&server, "msg_1", now, &body, &body);
    assert!(again.status == 202 && again.body.contains("received before"), "{}", again.body);
    assert_eq!(rows(&server), 1);
    let old = send(&server, "msg_2", now - 400, &body, &body);
    let forged = send(&server, "msg_3", now, &push("staging", &"b".repeat(40)).to_string(), &body);
    let unsigned = post(&server, &[("x-gitlab-token", TOKEN)], &body);
    assert_eq!([old.status, forged.status, unsigned.status], [401; 3]);
    assert_eq!(rows(&server), 1);
}

#[test]
fn hostile_bodies_start_nothing() {
    let forge = ForgeStub::start();
    let server = open(&forge, &["forge.webhook_token=glwt-0123456789"]);
    let with_token = |body: &str| post(&server, &[("x-gitlab-token", TOKEN)], body);
    let hostile = |change: fn(&mut Value)| {
        let mut push = push("staging", COMMIT);
        change(&mut push);
        push.to_string()
    };
    for body in [
        String::new(),
        "[]".to_owned(),
        "{".to_owned(),
        "{\"ref\":".repeat(5000),
        hostile(|push| push["ref"] = json!("refs/heads/--upload-pack=touch /tmp/x")),
        hostile(|push| push["ref"] = json!("refs/heads/../../etc/passwd")),
        hostile(|push| push["ref"] = json!(["refs/heads/staging"])),
        hostile(|push| push["after"] = json!("$(touch /tmp/x)")),
        hostile(|push| push["after"] = json!("--output=/tmp/x")),
        hostile(|push| push["after"] = json!("HEAD")),
    ] {
        let response = with_token(&body);
        assert_eq!(response.status, 400, "{body}: {}", response.body);
        assert!(!response.body.contains("touch"), "{}", response.body);
    }
    let url = hostile(|push| push["project"]["git_http_url"] = json!("http://169.254.169.254/"));
    assert_eq!(with_token(&url.replace("staging", "none")).status, 202);
    let mut large = TcpStream::connect(server.doors().internal()).unwrap();
    let head = format!(
        "POST /webhooks/gitlab HTTP/1.1\r\nhost: localhost\r\nx-gitlab-event: Push Hook\r\nx-gitlab-token: {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: 1048577\r\n\r\n{{"
    );
    large.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    large.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    let headers =
        [("x-gitlab-event", "Push Hook"), ("x-gitlab-token", TOKEN), ("content-type", "text/plain")];
    let webhook = format!("http://{}/webhooks/gitlab", server.doors().internal());
    assert_eq!(
        server.http.send("POST", &webhook, &headers, push("staging", COMMIT).to_string()).unwrap().status,
        415
    );
    assert_eq!((rows(&server), forge.reads()), (0, Vec::new()));
}

#[test]
fn genuine_deliveries_are_limited_too() {
    let forge = ForgeStub::start();
    let server = open(&forge, &["forge.webhook_token=glwt-0123456789"]);
    let body = push("main", COMMIT).to_string();
    let statuses: Vec<u16> =
        (0..61).map(|_| post(&server, &[("x-gitlab-token", TOKEN)], &body).status).collect();
    assert_eq!(statuses[..60], [202; 60]);
    assert_eq!(statuses[60], 429);
    assert_eq!(post(&server, &[("x-gitlab-token", "wrong")], &body).status, 401);
}
