//! Auth0 hangs, fails, limits our rate or returns nonsense: known users are served, and new users are refused only if their
//! own profile cannot be fetched.

use std::time::Duration;

use serde_json::json;

use crate::auth0_stub::ProfileReply;
use crate::test_server::{TestServer, manual_clock};

/// Adds a user to the tenant.
fn add(server: &TestServer, sub: &str) {
    server.auth0.add_user(sub, &format!("{}@example.com", &sub[6..]), true);
}

/// Inserts users whose profiles are a week old, and returns their tokens.
fn insert_stale_users(server: &TestServer, count: usize) -> Vec<String> {
    let insert = |i| {
        let sub = format!("auth0|known-{i}");
        server.insert_user(&sub);
        server.token(&sub, json!({}))
    };
    let tokens = (0..count).map(insert).collect();
    server.age_profiles();
    tokens
}

/// Asserts that the profile is unavailable, and returns the `Retry-After`.
fn unavailable(server: &TestServer, token: &str) -> String {
    let refused = server.me(token);
    assert_eq!((refused.status, refused.code().as_deref()), (503, Some("PROFILE_UNAVAILABLE")));
    refused.header("retry-after").unwrap().to_owned()
}

#[test]
fn known_users_are_served_and_can_change_things_while_auth0_hangs() {
    // With one thread, a fetch that occupied it would block every request.
    let mut server =
        TestServer::open(&["auth0.profile_max_age=1day", "pool.threads=1", "auth0.timeout=10min"]);
    let tokens = insert_stale_users(&server, 60);
    for i in 0..60 {
        server.auth0.set_profile(&format!("auth0|known-{i}"), ProfileReply::Hangs);
    }
    add(&server, "auth0|new");
    for token in &tokens {
        assert_eq!(server.me(token).status, 200);
    }
    let update = "mutation { updateMe(input: {nickname: \"n\"}) { me { nickname } } }";
    for token in &tokens {
        let answer = server.ask_public(token.as_str(), update);
        assert_eq!(answer.at("/data/updateMe/me/nickname"), "n", "{}", answer.body);
    }
    // Background fetches do not block a new user either.
    let newcomer = server.me(&server.token("auth0|new", json!({})));
    assert_eq!(newcomer.status, 200, "{}", newcomer.body);
    assert!(server.auth0.calls("/api/v2/users/auth0%7Cknown") <= 1, "one at a time");
    server.auth0.stop();
}

#[test]
fn queued_fetches_are_refused_once_auth0_has_failed() {
    let server = TestServer::open(&["auth0.calls=1", "auth0.timeout=2s"]);
    let tokens: Vec<_> = (0..5)
        .map(|i| {
            let sub = format!("auth0|{i}");
            server.auth0.set_profile(&sub, ProfileReply::Hangs);
            server.token(&sub, json!({}))
        })
        .collect();
    std::thread::scope(|scope| {
        for token in &tokens {
            scope.spawn(|| unavailable(&server, token));
        }
    });
    assert_eq!((server.auth0.calls("/api/v2/users/"), server.user_count()), (1, 0));
}

#[test]
fn each_failure_of_auth0_opens_the_breaker_for_longer() {
    let clock = manual_clock();
    let server = TestServer::open_with_clock(clock.clone(), &[]);
    add(&server, "auth0|good");
    for (status, wait) in [(500, 1), (403, 2), (503, 4)] {
        let sub = format!("auth0|{status}");
        server.auth0.set_profile(&sub, ProfileReply::Status(status, vec![]));
        assert_eq!(unavailable(&server, &server.token(&sub, json!({}))), wait.to_string());
        let calls = server.auth0.calls("/api/");
        unavailable(&server, &server.token("auth0|good", json!({})));
        assert_eq!(server.auth0.calls("/api/"), calls, "no call while the breaker is open");
        clock.advance(Duration::from_secs(wait));
    }
    assert_eq!(server.me(&server.token("auth0|good", json!({}))).status, 200);
    assert_eq!(server.user_count(), 1);
}

#[test]
fn a_rate_limit_of_auth0_is_respected() {
    let clock = manual_clock();
    let server = TestServer::open_with_clock(clock.clone(), &[]);
    let reset = (clock.now().as_second() + 40).to_string();
    server.auth0.set_profile("auth0|1", ProfileReply::Status(429, vec![("x-ratelimit-reset", reset)]));
    assert_eq!(unavailable(&server, &server.token("auth0|1", json!({}))), "40");
    assert_eq!(server.user_count(), 0);
}

#[test]
fn an_unusable_profile_refuses_its_owner_only() {
    let server = TestServer::open(&[]);
    let bytes = |bytes: usize| json!({"user_id": "auth0|large", "user_metadata": {"all": "x".repeat(bytes)}});
    for (i, unusable) in [
        ProfileReply::Html,
        ProfileReply::Json(
            json!({"user_id": "auth0|other", "email": "other@example.com", "email_verified": true}),
        ),
        ProfileReply::Json(json!({"user_id": 7})),
        ProfileReply::Json(bytes(2 * 1024 * 1024)),
        ProfileReply::Status(400, vec![]),
        // Without Auth0's `errorCode`, so it does not mean that the user does not exist.
        ProfileReply::Status(404, vec![]),
    ]
    .into_iter()
    .enumerate()
    {
        let (sub, next) = (format!("auth0|odd-{i}"), format!("auth0|good-{i}"));
        server.auth0.set_profile(&sub, unusable);
        add(&server, &next);
        let token = server.token(&sub, json!({}));
        assert_eq!(unavailable(&server, &token), "60", "{i}");
        assert_eq!(server.me(&server.token(&next, json!({}))).status, 200, "{i}");
        let calls = server.auth0.calls("/api/");
        unavailable(&server, &token);
        assert_eq!(
            (server.auth0.calls("/api/"), server.user_count()),
            (calls, i + 1),
            "the failure is cached"
        );
    }
}

#[test]
fn a_large_or_oddly_typed_profile_is_accepted() {
    let server = TestServer::open(&[]);
    let large = json!({"user_id": "auth0|large", "email": "large@example.com", "email_verified": true,
        "user_metadata": {"all": "x".repeat(200 * 1024)}});
    server.auth0.set_profile("auth0|large", ProfileReply::Json(large));
    assert_eq!(server.me(&server.token("auth0|large", json!({}))).at("/data/me/email"), "large@example.com");
    let row = server.user("auth0|large");
    // The stored profile keeps the fields that identify the user, to detect later changes.
    assert!(row.profile.is_some_and(|profile| profile.value().get("user_metadata").is_none()));
    assert!(row.profile_fetched_at.is_some());
    // `"true"` is not `true`: the email is not verified, and so not the other user's.
    let odd =
        json!({"user_id": "auth0|odd", "email": "large@example.com", "email_verified": "true", "name": 7});
    server.auth0.set_profile("auth0|odd", ProfileReply::Json(odd));
    let answer = server.me(&server.token("auth0|odd", json!({})));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_ne!(answer.at("/data/me/id"), row.id.to_string().as_str());
    assert_eq!(server.user_count(), 2);
}
