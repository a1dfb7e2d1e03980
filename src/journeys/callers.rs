//! How the current user is found: in the payload, in the database or at Auth0, in races and outages too.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule::store::Actor;
use vestibule::user::{Status, UserId};

use crate::auth0_stub::{Auth0Stub, ProfileReply};
use crate::test_server::{INTERNAL, NAMESPACE, PUBLIC, TestServer, manual_clock};
use crate::tokens;

/// A token with `payload` as its user.
fn with_payload(server: &TestServer, sub: &str, payload: &Value) -> String {
    server.token(sub, json!({format!("{NAMESPACE}user"): payload}))
}

#[test]
fn the_payload_gives_the_current_user_without_a_query_after_its_first_sight() {
    let server = TestServer::open(&[]);
    server.seed(json!({"auth0Id": "auth0|1", "email": "ada@example.com", "emailVerified": true, "roles": ["support"]}));
    let payload = json!({"id": server.user("auth0|1").id, "auth0Id": "auth0|1", "email": "ADA@example.com",
        "roles": ["support"], "unknown": 7});
    let token = with_payload(&server, "auth0|1", &payload);
    let mut before = server.store().queries();
    for queries in [1, 0, 0] {
        let answer = server.me(&token);
        assert_eq!(
            answer.json()["data"]["me"],
            json!({"id": payload["id"], "auth0Id": "auth0|1", "email": "ada@example.com", "roles": ["support"]})
        );
        assert_eq!(server.store().queries() - before, queries);
        before = server.store().queries();
    }
    assert_eq!((server.user_count(), server.auth0.calls("/api/")), (1, 0));
}

#[test]
fn a_payload_of_another_user_is_refused_and_reads_nothing_of_theirs() {
    let server = TestServer::open(&[]);
    let (ada, bob) = (server.insert_person("ada"), server.insert_person("bob"));
    let payload = |id: UserId, sub: &str| json!({"id": id, "auth0Id": sub, "name": "x"});
    server.store().set_status(bob.id, Status::Blocked, &Actor::Cli).unwrap();
    for (sub, payload) in [
        // Signed payloads with the caller's subject and another user's id, of their own subject, and of no row.
        ("auth0|ada", payload(bob.id, "auth0|ada")),
        ("auth0|ada", payload(ada.id, "auth0|bob")),
        ("auth0|ada", payload(bob.id, "auth0|bob")),
        ("auth0|unknown", payload(ada.id, "auth0|unknown")),
        ("auth0|ada", payload("01890000-0000-7000-8000-000000000001".parse().unwrap(), "auth0|ada")),
    ] {
        let token = with_payload(&server, sub, &payload);
        for query in ["{ me { id name } }", "mutation { updateMe(input: {name: \"Eve\"}) { me { id } } }"] {
            let answer = server.ask_public(token.as_str(), query);
            assert_eq!(
                (answer.status, answer.code().as_deref()),
                (401, Some("BAD_CLAIMS")),
                "{sub} {payload}"
            );
        }
    }
    assert_eq!((server.user("auth0|ada").person, server.user("auth0|bob").person), (ada.person, bob.person));
    let own = with_payload(&server, "auth0|bob", &payload(bob.id, "auth0|bob"));
    assert_eq!(server.me(&own).code().as_deref(), Some("BLOCKED"));
    assert_eq!(server.user_count(), 2);
}

#[test]
fn after_a_change_the_row_is_the_truth_and_an_answer_mixes_no_two_states() {
    let server = TestServer::open(&[]);
    let ada = server.insert_person("ada");
    let payload = json!({"id": ada.id, "auth0Id": "auth0|ada", "name": "ada", "email": "ada@example.com"});
    let (token, other) =
        (with_payload(&server, "auth0|ada", &payload), with_payload(&server, "auth0|ada", &payload));
    let me = |token: &str| server.ask_public(token, "{ me { name updatedAt } }").json()["data"]["me"].clone();
    assert_eq!(me(&token)["name"], "ada");
    let rename = "mutation { updateMe(input: {name: \"Ada King\"}) { me { name updatedAt } } }";
    let updated = server.ask_public(token.as_str(), rename).json()["data"]["updateMe"]["me"].clone();
    assert_eq!(updated["name"], "Ada King");
    // Also by a token that is seen for the first time after the change, and after a change by hand.
    for token in [&token, &other, &token] {
        assert_eq!(me(token), updated);
    }
    let shell = rusqlite::Connection::open(&server.config.store.path).unwrap();
    shell.execute("UPDATE users SET name = 'Ada Byron'", []).unwrap();
    server.store().poll_changes();
    assert_eq!(me(&token)["name"], "Ada Byron");
    // Equal again: no query.
    shell.execute("UPDATE users SET name = 'ada'", []).unwrap();
    server.store().poll_changes();
    assert_eq!(server.me(&token).status, 200);
    let before = server.store().queries();
    assert_eq!(server.me(&token).status, 200);
    assert_eq!(server.store().queries(), before);
}

#[test]
fn a_payload_of_a_merged_row_leads_to_the_row_it_went_into() {
    let server = TestServer::open(&[]);
    let [first, second, kept] = ["first", "second", "kept"].map(|name| server.insert_person(name));
    server.store().merge(second.id, first.id, &Actor::Cli).unwrap();
    server.store().merge(kept.id, second.id, &Actor::Cli).unwrap();
    // The scripts asked before the merges, and the token was signed after them.
    let iat = tokens::now() + 2;
    for (gone, sub) in [(first.id, "auth0|first"), (second.id, "auth0|second"), (second.id, "auth0|first")] {
        let payload = json!({"id": gone, "auth0Id": sub, "name": "gone"});
        let token = server.token(sub, json!({"iat": iat, format!("{NAMESPACE}user"): payload}));
        let answer = server.ask_public(token.as_str(), "{ me { id name auth0Id } }");
        assert_eq!(
            answer.at("/data/me"),
            json!({"id": kept.id, "name": "kept", "auth0Id": sub}),
            "{}",
            answer.body
        );
    }
    let stranger = with_payload(
        &server,
        "auth0|kept",
        &json!({"id": server.insert_person("x").id, "auth0Id": "auth0|kept"}),
    );
    assert_eq!(server.me(&stranger).status, 401);
}

#[test]
fn a_sign_out_revokes_what_was_accepted_before_it_even_with_an_iat_ahead() {
    let server = TestServer::open(&["claims.leeway=60s"]);
    let ada = server.insert_person("ada");
    let ahead = |seconds: i64, claims: Value| {
        let mut claims = claims;
        claims["iat"] = json!(tokens::now() + seconds);
        server.token("auth0|ada", claims)
    };
    let payload = json!({format!("{NAMESPACE}user"): {"id": ada.id, "auth0Id": "auth0|ada"}});
    let old = [ahead(0, json!({})), ahead(3, json!({})), ahead(50, json!({})), ahead(50, payload.clone())];
    for token in &old {
        assert_eq!(server.me(token).status, 200);
    }
    // Seen at one door, it is not new at the other.
    let both = json!({"aud": [PUBLIC, INTERNAL], "permissions": ["users:read"]});
    let both = ahead(50, both);
    assert_eq!(server.me(&both).status, 200);
    let sign_out = "mutation { signOutEverywhere(input: {}) { tokensValidFrom } }";
    assert_eq!(server.ask_public(old[2].as_str(), sign_out).status, 200);
    for token in &old {
        assert_eq!(server.me(token).code().as_deref(), Some("TOKEN_REVOKED"));
    }
    let elsewhere = server.ask_internal(&both, "{ me { id } }", Value::Null);
    assert_eq!(elsewhere.code().as_deref(), Some("TOKEN_REVOKED"));
    // A login at once works, however the clocks differ.
    for (seconds, claims) in [(2, json!({"jti": "new"})), (50, json!({"jti": "new"})), (2, payload)] {
        assert_eq!(server.me(&ahead(seconds, claims)).status, 200, "{seconds}");
    }
}

#[test]
fn a_known_user_is_found_by_auth0_id_without_a_call() {
    let server = TestServer::open(&[]);
    server.seed(json!({"auth0Id": "auth0|1", "email": "ada@example.com", "emailVerified": true, "roles": ["support"]}),
    );
    let answer = server.me(&server.token("auth0|1", json!({})));
    assert_eq!(answer.json()["data"]["me"]["email"], "ada@example.com", "{}", answer.body);
    assert_eq!((server.user_count(), server.auth0.calls("/api/")), (1, 0));
}

#[test]
fn a_verified_email_in_the_token_claims_a_pre_provisioned_row() {
    let server = TestServer::open(&[]);
    server.seed(json!({"email": "grace@example.com", "roles": ["support"]}));
    let verified = |verified: Value| json!({format!("{NAMESPACE}email"): "Grace@Example.com", format!("{NAMESPACE}email_verified"): verified});
    server.auth0.add_user("auth0|thief", "grace@example.com", false);
    for not_true in [json!(false), json!("true"), json!(null)] {
        let thief = server.me(&server.token("auth0|thief", verified(not_true)));
        assert_eq!(thief.json()["data"]["me"]["roles"], json!([]), "an unverified email claims nothing");
    }
    let calls = server.auth0.calls("/api/");
    let grace = server.me(&server.token("auth0|g", verified(json!(true))));
    assert_eq!(grace.json()["data"]["me"]["roles"], json!(["support"]), "{}", grace.body);
    assert_eq!((server.user_count(), server.auth0.calls("/api/")), (2, calls), "no call was needed");
    let again = server.me(&server.token("auth0|g", json!({})));
    assert_eq!(again.json()["data"]["me"]["id"], grace.json()["data"]["me"]["id"], "the identity is linked");
}

#[test]
fn a_new_user_s_profile_is_fetched_once_and_stored() {
    let server = TestServer::open(&[]);
    server.auth0.add_user("auth0|1", "Ada@Example.com", true);
    let token = server.token("auth0|1", json!({}));
    let first = server.me(&token);
    assert_eq!(first.json()["data"]["me"]["email"], "ada@example.com", "{}", first.body);
    assert_eq!(server.me(&token).json(), first.json());
    assert_eq!((server.user_count(), server.auth0.calls("/api/v2/users/")), (1, 1));
}

#[test]
fn a_verified_email_in_the_profile_claims_a_pre_provisioned_row() {
    let server = TestServer::open(&[]);
    server.seed(json!({"email": "ada@example.com", "roles": ["support"]}));
    server.auth0.add_user("auth0|1", "ada@example.com", true);
    let answer = server.me(&server.token("auth0|1", json!({})));
    assert_eq!(answer.json()["data"]["me"]["roles"], json!(["support"]), "{}", answer.body);
    assert_eq!(server.user_count(), 1);
}

#[test]
fn concurrent_first_requests_make_one_row_and_one_call() {
    for callers in [36, 100] {
        request_at_once(callers);
    }
}

fn request_at_once(callers: usize) {
    let server = TestServer::open(&[]);
    server.auth0.add_user("auth0|1", "ada@example.com", true);
    let token = server.token("auth0|1", json!({}));
    let mut ids: Vec<String> = std::thread::scope(|scope| {
        let ask = || {
            let answer = server.me(&token);
            answer.json()["data"]["me"]["id"].as_str().unwrap_or(&answer.body).to_owned()
        };
        let asking: Vec<_> = (0..callers).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(
        (server.user_count(), server.auth0.calls("/api/v2/users/"), server.auth0.calls("/oauth/token")),
        (1, 1, 1)
    );
}

#[test]
fn a_machine_has_no_current_user_and_staff_are_admitted_by_role() {
    let server = TestServer::open(&[]);
    server.seed(json!({"auth0Id": "auth0|s", "email": "staff@example.com", "emailVerified": true, "roles": ["support"]}));
    let query =
        "{ me { email } users(first: 1) { edges { node { email status } } pageInfo { hasNextPage } } }";
    let ask = |token: &str| server.ask_internal(token, query, Value::Null).json();
    let users = json!({"edges": [{"node": {"email": "staff@example.com", "status": "ACTIVE"}}],
        "pageInfo": {"hasNextPage": false}});
    assert_eq!(ask(&server.machine_token("users:read"))["data"], json!({"me": null, "users": users}));
    let staff = server.token_for(INTERNAL, "auth0|s", json!({}));
    assert_eq!(ask(&staff)["data"], json!({"me": {"email": "staff@example.com"}, "users": users}));
}

#[test]
fn while_auth0_is_down_known_users_are_served_and_new_users_get_503() {
    let clock = manual_clock();
    let mut server = TestServer::open_with_clock(clock.clone(), &[]);
    server.auth0.add_user("auth0|known", "known@example.com", true);
    server.auth0.add_user("auth0|new", "new@example.com", true);
    let (known, new) = (server.token("auth0|known", json!({})), server.token("auth0|new", json!({})));
    assert_eq!(server.me(&known).status, 200);
    server.auth0.stop();

    assert_eq!(server.me(&known).json()["data"]["me"]["email"], "known@example.com");
    let refused = server.me(&new);
    assert_eq!((refused.status, refused.code().as_deref()), (503, Some("PROFILE_UNAVAILABLE")));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=8).contains(&wait), "{wait}");
    assert_eq!(server.user_count(), 1);

    server.auth0.restart();
    clock.advance(Duration::from_secs(wait));
    assert_eq!(server.me(&new).json()["data"]["me"]["email"], "new@example.com");
}

#[test]
fn a_revoked_token_is_refused_for_a_new_identity_of_its_user() {
    let server = TestServer::open(&[]);
    for (name, by_profile) in [("ada", false), ("bob", true)] {
        let (old, new) = (format!("auth0|{name}"), format!("google-oauth2|{name}"));
        let email = format!("{name}@example.com");
        server.seed(json!({"auth0Id": old, "email": email, "emailVerified": true}));
        server.auth0.add_user(&new, &email, true);
        let mut claims = json!({"iat": tokens::now() - 60});
        if !by_profile {
            claims[format!("{NAMESPACE}email")] = json!(email);
            claims[format!("{NAMESPACE}email_verified")] = json!(true);
        }
        let token = server.token(&new, claims);
        let user = server.user(&old);
        server.store().sign_out_everywhere(user.id, &Actor::Cli).unwrap();
        for _ in 0..2 {
            let answer = server.me(&token);
            assert_eq!((answer.status, answer.code().as_deref()), (401, Some("TOKEN_REVOKED")), "{name}");
        }
        assert_eq!(server.store().identities(user.id).unwrap().len(), 2, "the new identity was linked");
    }
}

#[test]
fn another_issuer_admits_machines_and_its_users_only_with_same_users() {
    let other = Auth0Stub::start();
    let own_sub = "auth0|1";
    for (same, status, code) in [(false, 403, Some("NOT_PERMITTED")), (true, 200, None)] {
        let also = format!("auth0.also=[{{issuer = \"{}\", same_users = {same}}}]", other.issuer);
        let server = TestServer::open(&[&also]);
        server.seed(json!({"auth0Id": own_sub, "email": "ada@example.com", "emailVerified": true}));
        assert_eq!(server.me(&server.token(own_sub, json!({}))).status, 200);
        let mut claims = other.claims(own_sub, PUBLIC);
        let row = server.user(own_sub);
        let payload = json!({"id": row.id, "auth0Id": own_sub});
        for payload in [Value::Null, payload] {
            claims[format!("{NAMESPACE}user")] = payload;
            let answer = server.me(&tokens::sign(&claims));
            assert_eq!((answer.status, answer.code().as_deref()), (status, code), "{}", answer.body);
        }
        let mut machine = other.claims("m1@clients", PUBLIC);
        machine["gty"] = json!("client-credentials");
        assert_eq!(server.me(&tokens::sign(&machine)).status, 200);
    }
}

#[test]
fn the_audit_line_of_a_new_user_has_the_request_of_their_login() {
    let server = TestServer::open(&[]);
    for claims in [
        json!({}),
        json!({format!("{NAMESPACE}email"): "grace@example.com", format!("{NAMESPACE}email_verified"): true}),
    ] {
        // The second one claims a pre-provisioned row by the email in its token.
        let (sub, is_new) = if claims == json!({}) { ("auth0|1", true) } else { ("auth0|2", false) };
        if is_new {
            server
                .auth0
                .set_profile(sub, ProfileReply::Json(json!({"user_id": sub, "email": "ada@example.com"})));
        } else {
            server.seed(json!({"email": "grace@example.com"}));
        }
        let answer = server.me(&server.token(sub, claims));
        assert_eq!(answer.status, 200, "{}", answer.body);
        let request = answer.headers["x-request-id"].to_str().unwrap();
        let line = server.newest_audit_lines(server.user(sub).id, 1).remove(0);
        assert_eq!(line.action, if is_new { "user.inserted" } else { "user.claimed" });
        assert_eq!(line.request_id.as_deref(), Some(request));
    }
}
