//! Identities under attack and over time: look-alike emails, erased users who return, stale profiles, and blocks that are
//! propagated to Auth0.

use serde_json::{Value, json};
use vestibule::clock::Clock;
use vestibule::store::{Actor, Store};
use vestibule::user::Status;

use crate::auth0_stub::ProfileReply;
use crate::test_server::{INTERNAL, NAMESPACE, TestServer};
use crate::waiting::wait_until;

const VICTIM: &str = "victim@example.com";

fn profile(sub: &str, email: &str, verified: bool, name: &str) -> ProfileReply {
    ProfileReply::Json(json!({"user_id": sub, "email": email, "email_verified": verified, "name": name}))
}

/// The id of the current user.
fn id(server: &TestServer, sub: &str, claims: Value) -> String {
    let answer = server.me(&server.token(sub, claims));
    answer.at("/data/me/id").as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
}

#[test]
fn an_unverified_email_never_links_to_its_owner() {
    let server = TestServer::open(&[]);
    let claims = json!({format!("{NAMESPACE}email"): VICTIM, format!("{NAMESPACE}email_verified"): false});
    server.auth0.set_profile("auth0|before", profile("auth0|before", VICTIM, false, "Mallory"));
    server.auth0.set_profile("auth0|victim", profile("auth0|victim", VICTIM, true, "Victoria"));
    server.auth0.set_profile("auth0|after", profile("auth0|after", VICTIM, false, "Mallory"));
    let before = id(&server, "auth0|before", claims.clone());
    let victim = id(&server, "auth0|victim", json!({}));
    let after = id(&server, "auth0|after", claims.clone());
    assert!(before != victim && after != victim && before != after);
    // Nor at the next request.
    assert_eq!(id(&server, "auth0|before", claims.clone()), before);
    assert_eq!(id(&server, "auth0|after", claims), after);
    let victim = server.user("auth0|victim");
    assert_eq!(victim.person.name.as_deref(), Some("Victoria"));
    assert_eq!(server.store().identities(victim.id).unwrap().len(), 1);
}

#[test]
fn emails_that_look_alike_in_unicode_are_different_users() {
    let server = TestServer::open(&[]);
    // U+0131 upper-cases to I; U+212A lower-cases to k; U+FB01 folds to fi under NFKC.
    let emails = [
        "mike.fi@example.com",
        "m\u{131}ke.fi@example.com",
        "mi\u{212a}e.fi@example.com",
        "mike.\u{fb01}@example.com",
    ];
    let mut ids: Vec<String> = emails
        .iter()
        .enumerate()
        .map(|(i, email)| {
            let sub = format!("auth0|{i}");
            server.auth0.set_profile(&sub, profile(&sub, email, true, "Mike"));
            id(&server, &sub, json!({}))
        })
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), emails.len());
}

#[test]
fn an_erased_user_who_returns_is_refused() {
    let server = TestServer::open(&[]);
    server.auth0.set_profile("auth0|1", profile("auth0|1", VICTIM, true, "Victoria"));
    let mine = id(&server, "auth0|1", json!({}));
    server.store().set_status(mine.parse().unwrap(), Status::Erased, &Actor::Cli).unwrap();
    let (rows, calls) = (server.user_count(), server.auth0.calls("/api/"));
    let verified = json!({format!("{NAMESPACE}email"): VICTIM, format!("{NAMESPACE}email_verified"): true});
    let payload = json!({format!("{NAMESPACE}user"): {"id": mine, "auth0Id": "auth0|1"}});
    for claims in [json!({}), verified, payload] {
        let answer = server.me(&server.token("auth0|1", claims));
        assert_eq!((answer.status, answer.code().as_deref()), (403, Some("ERASED")));
    }
    assert_eq!((server.user_count(), server.auth0.calls("/api/")), (rows, calls));
    // The address now belongs to another user.
    server.auth0.set_profile("auth0|2", profile("auth0|2", VICTIM, true, "Victor"));
    assert_ne!(id(&server, "auth0|2", json!({})), mine);
}

#[test]
fn nothing_in_a_token_makes_its_user_an_admin() {
    let server = TestServer::open(&[]);
    for claims in [
        json!({"roles": ["admin"]}),
        // Roles come from the rows.
        json!({format!("{NAMESPACE}roles"): ["admin"]}),
        json!({"https://evil/roles": ["admin"]}),
        json!({"user_metadata": {"roles": ["admin"]}}),
        json!({"app_metadata": {"roles": ["admin"]}}),
        json!({"scope": "users:read users:write"}),
        json!({format!("{NAMESPACE}user"): {"id": "01890000-0000-7000-8000-000000000001", "auth0Id": "auth0|1", "roles": ["admin"]}}),
    ] {
        let token = server.token_for(INTERNAL, "auth0|1", claims.clone());
        let answer = server.ask_internal(&token, "{ me { id } }", Value::Null);
        // The last one names a row that does not exist.
        let has_payload = claims.get(format!("{NAMESPACE}user")).is_some();
        let code = if has_payload { "BAD_CLAIMS" } else { "NOT_PERMITTED" };
        assert_eq!(answer.code().as_deref(), Some(code), "{claims}: {}", answer.body);
    }
    assert_eq!((server.user_count(), server.auth0.calls("/api/")), (0, 0));
}

/// Sends concurrent requests of a user whose profile was fetched once, and asserts that it is fetched once more.
fn assert_concurrent_requests_fetch_once(server: &TestServer, token: &str) {
    std::thread::scope(|scope| {
        for _ in 0..36 {
            scope.spawn(|| assert_eq!(server.me(token).status, 200));
        }
    });
    wait_until("the new name is stored", || server.user("auth0|1").person.name.as_deref() == Some("New"));
    assert_eq!(server.auth0.calls("/api/v2/users/"), 2, "one fetch for all");
}

#[test]
fn a_stale_profile_is_fetched_once_in_the_background() {
    let server = TestServer::open(&["auth0.profile_max_age=1day"]);
    server.auth0.set_profile("auth0|1", profile("auth0|1", VICTIM, true, "Old"));
    let token = server.token("auth0|1", json!({}));
    assert_eq!((server.me(&token).status, server.me(&token).status), (200, 200));
    assert_eq!(server.auth0.calls("/api/v2/users/"), 1, "a fresh profile is not fetched");
    server.age_profiles();
    server.auth0.set_profile("auth0|1", profile("auth0|1", VICTIM, true, "New"));
    assert_concurrent_requests_fetch_once(&server, &token);
}

#[test]
fn a_stale_profile_is_used_while_auth0_is_down_without_retries() {
    let server = TestServer::open(&["auth0.profile_max_age=1day"]);
    server.auth0.set_profile("auth0|1", profile("auth0|1", VICTIM, true, "Old"));
    server.auth0.set_profile("auth0|2", profile("auth0|2", "new@example.com", true, "Nell"));
    let token = server.token("auth0|1", json!({}));
    assert_eq!(server.me(&token).status, 200);
    server.age_profiles();
    server.auth0.set_profile("auth0|1", ProfileReply::Status(500, vec![]));
    assert_eq!(server.me(&token).status, 200);
    wait_until("the fetch fails", || server.auth0.calls("/api/v2/users/") == 2);
    // The breaker is open for a second after the failure; a new user shows when it has closed.
    let newcomer = server.token("auth0|2", json!({}));
    wait_until("the breaker closes", || server.me(&newcomer).status == 200);
    for _ in 0..20 {
        assert_eq!(server.me(&token).status, 200);
    }
    assert_eq!(server.auth0.calls("/api/v2/users/auth0%7C1"), 2, "the failure was retried at once");
}

#[test]
fn a_stale_profile_is_fetched_for_users_in_a_payload_too() {
    let server = TestServer::open(&["auth0.profile_max_age=1day"]);
    server.auth0.set_profile("auth0|1", profile("auth0|1", VICTIM, true, "Old"));
    let mine = id(&server, "auth0|1", json!({}));
    server.age_profiles();
    server.auth0.set_profile("auth0|1", profile("auth0|1", VICTIM, true, "New"));
    let payload = json!({format!("{NAMESPACE}user"): {"id": mine, "auth0Id": "auth0|1"}});
    let token = server.token("auth0|1", payload);
    assert_concurrent_requests_fetch_once(&server, &token);
}

#[test]
fn a_failed_fetch_does_not_delay_users_in_a_payload() {
    let server = TestServer::open(&["auth0.profile_max_age=1day", "pool.threads=1", "pool.queue=1"]);
    server.auth0.set_profile("auth0|1", profile("auth0|1", VICTIM, true, "Old"));
    let mine = id(&server, "auth0|1", json!({}));
    server.age_profiles();
    server.auth0.set_profile("auth0|1", ProfileReply::Status(500, vec![]));
    let payload = json!({format!("{NAMESPACE}user"): {"id": mine, "auth0Id": "auth0|1"}});
    let token = server.token("auth0|1", payload);
    assert_eq!(server.me(&token).status, 200);
    wait_until("the fetch fails", || server.auth0.calls("/api/v2/users/") == 2);
    for _ in 0..20 {
        assert_eq!(server.me(&token).status, 200);
    }
    assert_eq!(server.auth0.calls("/api/v2/users/"), 2, "the failure was retried at once");
}

#[test]
fn profiles_are_not_refreshed_when_profile_max_age_is_0() {
    let server = TestServer::open(&["auth0.profile_max_age=0s"]);
    server.auth0.set_profile("auth0|1", profile("auth0|1", VICTIM, true, "Old"));
    let mine = id(&server, "auth0|1", json!({}));
    server.age_profiles();
    let payload = json!({format!("{NAMESPACE}user"): {"id": mine, "auth0Id": "auth0|1"}});
    for claims in [json!({}), payload] {
        assert_eq!(server.me(&server.token("auth0|1", claims)).status, 200);
    }
    assert_eq!(server.auth0.calls("/api/v2/users/"), 1);
}

#[test]
fn a_change_by_another_process_reaches_gate_and_subscribers() {
    let server = TestServer::open(&[]);
    server.auth0.set_profile("auth0|1", profile("auth0|1", VICTIM, true, "Victoria"));
    let token = server.token("auth0|1", json!({}));
    assert_eq!(server.me(&token).status, 200);
    let mut feed = server.store().subscribe().unwrap();
    let other = Store::open(&server.config.store, Clock::system()).unwrap();
    let user = server.user("auth0|1");
    other.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    // Without a request: the doors watch the database.
    let change = server.runtime.block_on(async { feed.recv().await.unwrap() });
    assert_eq!((change.user, change.action.as_str()), (Some(user.id), "user.status_set"));
    assert_eq!(server.me(&token).code().as_deref(), Some("BLOCKED"));
}

#[test]
fn a_block_reaches_auth0_despite_a_failure_and_a_restart() {
    let mut server = TestServer::open(&["store.block_at_auth0=true"]);
    server.auth0.set_profile("auth0|1", profile("auth0|1", VICTIM, true, "Victoria"));
    assert_eq!(server.me(&server.token("auth0|1", json!({}))).status, 200);
    let limited = vec![("retry-after", "1".to_owned())];
    server.auth0.set_profile("auth0|1", ProfileReply::Status(429, limited));
    let calls = server.auth0.calls("/api/v2/users/");
    server.store().set_status(server.user("auth0|1").id, Status::Blocked, &Actor::Cli).unwrap();
    wait_until("Auth0 answers 429", || server.auth0.calls("/api/v2/users/") == calls + 1);
    server.reopen();
    assert_eq!(server.store().pending_deliveries().unwrap().0, 1, "the delivery is pending");
    server.auth0.set_profile("auth0|1", profile("auth0|1", VICTIM, true, "Victoria"));
    wait_until("the block is delivered", || server.store().pending_deliveries().unwrap().0 == 0);
    let line = &server.newest_audit_lines(server.user("auth0|1").id, 1)[0];
    assert_eq!(
        (line.action.as_str(), &line.changes["blockedAtAuth0"]["new"]),
        ("user.block_sent", &json!(true))
    );
}
