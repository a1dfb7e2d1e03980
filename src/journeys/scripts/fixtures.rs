//! The three rules of the fixture bundle, against a stub of the servers they call.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use vestibule::bundle::Rule;
use vestibule::script::{LoginOutput, MetadataKind};

use super::http_stub::{HttpStub, response};
use super::script_host::{ScriptHost, context, rule, settings, user};

const POPULATE: &str = include_str!("../../../fixtures/tenant/rules/populate-profile.js");
const TRACK: &str = include_str!("../../../fixtures/tenant/rules/track-sign-up.js");
const TOKEN: &str = include_str!("../../../fixtures/tenant/rules/user-in-token.js");

/// The servers that the rules call.
struct Servers {
    stub: HttpStub,
    api_status: Arc<AtomicU16>,
    user: Arc<Mutex<Value>>,
}

impl Servers {
    async fn open() -> Self {
        let api_status = Arc::new(AtomicU16::new(200));
        let user = Arc::new(Mutex::new(Value::Null));
        let (status, known) = (Arc::clone(&api_status), Arc::clone(&user));
        let stub = HttpStub::open(1, move |request| match request.path.as_str() {
            "/oauth/token" => response(200, "{\"access_token\":\"m2m-token\",\"expires_in\":86400}"),
            "/graphql" => {
                let body = json!({ "data": { "user": *known.lock().unwrap() } });
                response(status.load(Ordering::SeqCst), body.to_string())
            }
            _ => response(204, ""),
        });
        Self { stub: stub.await, api_status, user }
    }

    /// With one worker, so that `global` persists.
    fn host(&self, sign_up: &str) -> ScriptHost {
        let mut settings = settings();
        settings.workers = 1;
        ScriptHost::open(&settings, &[&self.stub.origin]).configured(&[
            ("INTERNAL_API", &self.stub.url("/graphql")),
            ("INTERNAL_AUDIENCE", "https://internal.example/"),
            ("TOKEN_URL", &self.stub.url("/oauth/token")),
            ("RULES_CLIENT_ID", "rules-client"),
            ("RULES_CLIENT_SECRET", "rules-secret"),
            ("SIGNUP_URL", sign_up),
            ("NAMESPACE", "https://vestibule.example/"),
        ])
    }
}

fn shipped() -> [Rule; 3] {
    [
        rule("populate-profile", 10, POPULATE),
        rule("track-sign-up", 20, TRACK),
        rule("user-in-token", 30, TOKEN),
    ]
}

async fn log_in(host: &ScriptHost, who: Value) -> LoginOutput {
    host.log_in(&shipped(), who, context()).await.unwrap()
}

/// A user whose sign-up was tracked long ago.
fn returning() -> Value {
    let mut user = user();
    user["app_metadata"] = json!({
        "signed_up_at": "2026-11-01T10:00:00.000Z", "sign_up_tracked_at": "2026-11-01T10:00:00.000Z",
    });
    user
}

fn event_of(request: &super::http_stub::Request) -> (Value, Value) {
    let event = request.json();
    (event["event"].clone(), event["at"].clone())
}

#[test]
fn each_rule_has_its_descriptor() {
    let descriptors = [
        include_str!("../../../fixtures/tenant/rules/populate-profile.json"),
        include_str!("../../../fixtures/tenant/rules/track-sign-up.json"),
        include_str!("../../../fixtures/tenant/rules/user-in-token.json"),
    ];
    for (text, rule) in descriptors.iter().zip(shipped()) {
        let descriptor: Value = serde_json::from_str(text).unwrap();
        let expected = json!({
            "name": rule.name, "script": format!("./{}.js", rule.name), "order": rule.order,
            "stage": rule.stage, "enabled": true,
        });
        assert_eq!(descriptor, expected);
    }
}

#[tokio::test]
async fn a_sign_up_is_populated_tracked_and_gets_a_token_without_a_user() {
    let servers = Servers::open().await;
    let host = servers.host(&servers.stub.url("/sign-up"));
    let outcome = log_in(&host, user()).await;
    assert!(outcome.trace.console.is_empty(), "{:?}", outcome.trace.console);

    let updates = host.updates.lock().unwrap();
    assert_eq!(updates[0].kind, MetadataKind::User);
    assert_eq!(json!(updates[0].metadata), json!({ "name": "Ada Lovelace" }));
    assert_eq!(updates[1].kind, MetadataKind::App);
    let expected = json!({ "signed_up_at": "2026-11-01T10:00:00.000Z", "signed_up_with": "Frontend" });
    assert_eq!(json!(updates[1].metadata), expected);
    assert_eq!(updates[2].kind, MetadataKind::App);
    assert_eq!(updates[2].metadata.keys().collect::<Vec<_>>(), ["sign_up_tracked_at"]);
    assert_eq!(updates.len(), 3);
    assert_eq!(outcome.user["user_metadata"]["name"], "Ada Lovelace");

    let event = servers.stub.requests("/sign-up")[0].json();
    assert_eq!((&event["event"], &event["user_id"]), (&json!("sign_up"), &json!("auth0|ada")));
    assert_eq!(event.get("email"), None);

    let claims = &outcome.context["accessToken"];
    let expected = json!({
        "https://vestibule.example/roles": ["support"],
        "https://vestibule.example/email": "ada.lovelace@example.com",
        "https://vestibule.example/email_verified": true,
    });
    assert_eq!(*claims, expected);
    let calls: Vec<_> = outcome.trace.fetches.iter().map(|f| (f.script.as_str(), f.status)).collect();
    let expected = [("track-sign-up", Some(204)), ("user-in-token", Some(200)), ("user-in-token", Some(200))];
    assert_eq!(calls, expected);
}

#[tokio::test]
async fn a_known_user_is_in_the_token_and_the_machine_token_is_reused() {
    let servers = Servers::open().await;
    let known = json!({
        "id": "0193", "auth0Id": "auth0|ada", "email": "ada.lovelace@example.com", "emailVerified": true,
        "name": "Ada Lovelace", "picture": null, "roles": ["support"], "status": "ACTIVE",
    });
    *servers.user.lock().unwrap() = known.clone();
    let host = servers.host("");
    let mut claim = known;
    claim.as_object_mut().unwrap().remove("status");
    for _ in 0..2 {
        let outcome = log_in(&host, returning()).await;
        assert_eq!(outcome.context["accessToken"]["https://vestibule.example/user"], claim);
    }
    assert!(host.updates.lock().unwrap().is_empty());
    assert!(servers.stub.requests("/sign-up").is_empty());

    let token = servers.stub.requests("/oauth/token");
    assert_eq!(token.len(), 1);
    let expected = json!({
        "grant_type": "client_credentials", "client_id": "rules-client", "client_secret": "rules-secret",
        "audience": "https://internal.example/",
    });
    assert_eq!(token[0].json(), expected);
    let requests = servers.stub.requests("/graphql");
    assert_eq!(requests.len(), 2);
    assert!(requests[0].head.contains("authorization: Bearer m2m-token"));
    assert_eq!(requests[0].json()["variables"], json!({ "id": "auth0|ada" }));
    let query = requests[0].json()["query"].as_str().unwrap().to_owned();
    assert!(query.contains("id auth0Id email emailVerified name picture roles status"), "{query}");
}

#[tokio::test]
async fn a_user_who_is_not_active_is_not_in_the_token() {
    let servers = Servers::open().await;
    *servers.user.lock().unwrap() = json!({ "id": "0193", "status": "BLOCKED" });
    let outcome = log_in(&servers.host(""), returning()).await;
    assert!(outcome.context["accessToken"].get("https://vestibule.example/user").is_none());
}

#[tokio::test]
async fn logins_succeed_while_the_internal_api_is_down_and_drop_the_cached_token() {
    let servers = Servers::open().await;
    let host = servers.host("");
    servers.api_status.store(503, Ordering::SeqCst);
    let outcome = log_in(&host, returning()).await;
    assert!(outcome.context["accessToken"].get("https://vestibule.example/user").is_none());
    assert_eq!(outcome.context["accessToken"]["https://vestibule.example/roles"], json!(["support"]));
    let line = &outcome.trace.console[0].text;
    assert!(line.contains("without the user") && line.contains("503"), "{line}");
    servers.api_status.store(200, Ordering::SeqCst);
    log_in(&host, returning()).await;
    assert_eq!(servers.stub.requests("/oauth/token").len(), 2);
}

#[tokio::test]
async fn a_login_succeeds_while_the_sign_up_tracker_is_down() {
    let servers = Servers::open().await;
    let host = servers.host("http://127.0.0.1:1/");
    let outcome = log_in(&host, user()).await;
    assert!(
        outcome.trace.console[0].text.contains("the sign-up was not tracked"),
        "{:?}",
        outcome.trace.console
    );
    // The next login of the same user tracks it.
    let host = servers.host(&servers.stub.url("/sign-up"));
    let again = log_in(&host, outcome.user).await;
    assert!(again.user["app_metadata"]["sign_up_tracked_at"].is_string());
    let events: Vec<_> = servers.stub.requests("/sign-up").iter().map(event_of).collect();
    assert_eq!(events, [(json!("sign_up"), json!("2026-11-01T10:00:00.000Z"))]);
}

/// A login is counted before the rules run, so the login after a failed first one counts as the second.
#[tokio::test]
async fn a_sign_up_whose_first_login_failed_is_tracked_at_the_next() {
    let servers = Servers::open().await;
    let host = servers.host(&servers.stub.url("/sign-up"));
    let mut context = context();
    context["stats"]["loginsCount"] = json!(2);
    let outcome = host.log_in(&shipped(), user(), context).await.unwrap();
    assert_eq!(outcome.user["app_metadata"]["signed_up_at"], "2026-11-01T10:00:00.000Z");
    assert_eq!(servers.stub.requests("/sign-up").len(), 1);
    log_in(&host, outcome.user).await;
    assert_eq!(servers.stub.requests("/sign-up").len(), 1, "once is enough");
    assert_eq!(host.updates.lock().unwrap().len(), 3);
}
