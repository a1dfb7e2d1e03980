//! Identities under attack and over time: look-alike emails, erased users who return, stale profiles, and blocks that are
//! propagated to Auth0.

use serde_json::{Value, json};
use vestibule::clock::Clock;
use vestibule::store::{Actor, Store};
use vestibule::user::Status;

use crate::auth0_stub::ProfileReply;
use crate::test_server::{INTERNAL, NAMESPACE, TestServer};
use crate::tokens;
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

/// A profile of `auth0|1` that Auth0 blocks or not.
fn blocked_profile(blocked: bool) -> ProfileReply {
    ProfileReply::Json(
        json!({"user_id": "auth0|1", "email": VICTIM, "email_verified": true, "name": "V", "blocked": blocked}),
    )
}

#[test]
fn a_new_user_whom_auth0_has_blocked_is_refused_and_gets_no_row() {
    let server = TestServer::open(&[]);
    server.auth0.set_profile("auth0|1", blocked_profile(true));
    server.seed(json!({"email": VICTIM}));
    let token = server.token("auth0|1", json!({}));
    for _ in 0..3 {
        let answer = server.me(&token);
        assert_eq!((answer.status, answer.code().as_deref()), (403, Some("BLOCKED")));
    }
    assert_eq!(
        (server.user_count(), server.auth0.calls("/api/v2/users/")),
        (1, 1),
        "remembered for a minute"
    );
    assert!(server.store().user_by_auth0_id(&"auth0|1".parse().unwrap()).unwrap().is_none(), "not linked");
}

#[test]
fn a_block_at_auth0_holds_here_until_it_is_lifted_there() {
    let server = TestServer::open(&["auth0.profile_max_age=0s"]);
    server.auth0.set_profile("auth0|1", blocked_profile(false));
    let old = server.token("auth0|1", json!({}));
    assert_eq!(server.me(&old).status, 200);
    let id = server.user("auth0|1").id;
    let refresh = || {
        server.age_profiles();
        let query = format!("mutation {{ refreshUser(input: {{id: \"{id}\"}}) {{ user {{ status }} }} }}");
        let answer =
            server.ask_internal(&server.machine_token("users:read users:write"), &query, Value::Null);
        answer.at("/data/refreshUser/user/status")
    };
    server.auth0.set_profile("auth0|1", blocked_profile(true));
    assert_eq!(refresh(), "BLOCKED");
    assert_eq!(server.me(&old).code().as_deref(), Some("BLOCKED"));
    let calls = server.auth0.calls("/api/v2/users/");
    assert_eq!(server.me(&old).code().as_deref(), Some("BLOCKED"));
    assert_eq!(server.auth0.calls("/api/v2/users/"), calls, "a token from before the block causes no call");
    // Unblocked there. Auth0 issues a token again, which is newer than what is known here.
    server.auth0.set_profile("auth0|1", blocked_profile(false));
    server.age_profiles();
    let new = server.token("auth0|1", json!({"iat": tokens::now() + 2}));
    assert_eq!(server.me(&new).status, 200, "at the first request");
    assert_eq!(server.me(&old).code().as_deref(), Some("TOKEN_REVOKED"));

    // Blocked here: whatever Auth0 says.
    server.store().set_status(id, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(refresh(), "BLOCKED");
    assert_eq!(server.me(&new).code().as_deref(), Some("BLOCKED"));
    // Blocked there first, then here too.
    server.store().set_status(id, Status::Active, &Actor::Cli).unwrap();
    server.auth0.set_profile("auth0|1", blocked_profile(true));
    assert_eq!(refresh(), "BLOCKED");
    server.store().set_status(id, Status::Blocked, &Actor::Cli).unwrap();
    server.auth0.set_profile("auth0|1", blocked_profile(false));
    assert_eq!(refresh(), "BLOCKED");
}

#[test]
fn a_block_that_was_lifted_here_is_not_restored_before_auth0_has_received_it() {
    let server = TestServer::open(&["store.block_at_auth0=true", "auth0.profile_max_age=0s"]);
    server.auth0.set_profile("auth0|1", blocked_profile(true));
    let id = server.insert_user("auth0|1").id;
    server.store().set_status(id, Status::Blocked, &Actor::Cli).unwrap();
    // The stub goes on to say that the user is blocked. The entry of the outbox is pending, as while Auth0 fails.
    server.store().set_status(id, Status::Active, &Actor::Cli).unwrap();
    let shell = rusqlite::Connection::open(&server.config.store.path).unwrap();
    let pending =
        "INSERT INTO block_outbox (auth0_id, blocked, enqueued_at, due_at) VALUES ('auth0|1', 0, 0, ?1)
                   ON CONFLICT (auth0_id) DO UPDATE SET due_at = ?1";
    shell.execute(pending, [i64::MAX]).unwrap();
    let refresh = || {
        let query = format!("mutation {{ refreshUser(input: {{id: \"{id}\"}}) {{ user {{ status }} }} }}");
        server.age_profiles();
        server.ask_internal(&server.machine_token("users:read users:write"), &query, Value::Null)
    };
    assert_eq!(refresh().at("/data/refreshUser/user/status"), "ACTIVE");
    shell.execute("DELETE FROM block_outbox", []).unwrap();
    assert_eq!(
        refresh().at("/data/refreshUser/user/status"),
        "BLOCKED",
        "delivered, and blocked there again"
    );
}
