//! Every refusal over HTTP: its status, code, stage and headers, without a row and without a call to Auth0.

use serde_json::{Value, json};
use vestibule::store::Actor;
use vestibule::user::Status;

use crate::test_server::{INTERNAL, NAMESPACE, PUBLIC, TestServer};
use crate::tokens::{self, now};
use crate::waiting::wait_until;

/// Asserts that the public door refuses `token` so, and that the refusal is complete.
fn assert_refused(server: &TestServer, token: &str, status: u16, code: &str, stage: &str) {
    let (rows, calls) = (server.user_count(), server.auth0.calls("/api/"));
    let answer = server.me(token);
    let error = answer.json().pointer("/errors/0").cloned().unwrap_or_default();
    assert_eq!(
        (answer.status, error["extensions"]["code"].as_str()),
        (status, Some(code)),
        "{}",
        answer.body
    );
    assert_eq!(error["extensions"]["stage"], stage, "{code}");
    assert_eq!(error["extensions"]["requestId"].as_str(), answer.header("x-request-id"), "{code}");
    assert!(answer.json().get("data").is_none(), "{code}: GraphQL was executed");
    let challenge = answer.header("www-authenticate");
    match status {
        401 => assert!(
            challenge.unwrap().starts_with("Bearer realm=\"public\", error=\"invalid_token\""),
            "{code}"
        ),
        503 => assert!(challenge.is_none() && answer.header("retry-after").is_some(), "{code}"),
        _ => assert!(challenge.is_some(), "{code}"),
    }
    assert!(
        !answer.body.contains(token.rsplit('.').next().unwrap()),
        "{code}: the response repeats the token"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!((server.user_count(), server.auth0.calls("/api/")), (rows, calls), "{code}: a row or a call");
}

#[test]
fn each_failure_of_the_bearer_and_claims_stages_has_its_code() {
    let server = TestServer::open(&[]);
    let good = server.auth0.claims("auth0|1", PUBLIC);
    let with = |claim: &str, value: Value| {
        let mut claims = good.clone();
        claims[claim] = value;
        claims
    };
    let header = |kid: &str, alg: &str| json!({"alg": alg, "typ": "JWT", "kid": kid});
    let token = tokens::sign(&good);
    let mut cut = token.clone();
    cut.truncate(token.rfind('.').unwrap());

    for (token, code, stage) in [
        (cut.as_str(), "MALFORMED_TOKEN", "bearer"),
        (&format!("{token}="), "MALFORMED_TOKEN", "bearer"),
        (
            &tokens::sign_with_header(&json!({"alg": "RS256", "kid": "stub", "zip": "DEF"}), &good, true),
            "MALFORMED_TOKEN",
            "claims",
        ),
        (&tokens::sign_with_header(&header("stub", "HS256"), &good, true), "BAD_ALGORITHM", "claims"),
        (&tokens::sign_with_header(&header("stub", "none"), &good, true), "BAD_ALGORITHM", "claims"),
        (&tokens::sign_with_header(&header("stub", "RS256"), &good, false), "BAD_SIGNATURE", "claims"),
        (&tokens::sign(&with("iss", json!("https://evil.example/"))), "WRONG_ISSUER", "claims"),
        (&tokens::sign(&with("iss", json!([server.auth0.issuer]))), "WRONG_ISSUER", "claims"),
        (&tokens::sign(&with("aud", json!(INTERNAL))), "WRONG_AUDIENCE", "claims"),
        (&tokens::sign(&with("exp", json!(now() - 60))), "EXPIRED", "claims"),
        (&tokens::sign(&with("nbf", json!(now() + 3600))), "NOT_YET_VALID", "claims"),
        (&tokens::sign(&with("cnf", json!({"jkt": "0ZcOCORZNYy"}))), "BOUND_TOKEN", "claims"),
        (&tokens::sign(&with("exp", json!("tomorrow"))), "BAD_CLAIMS", "claims"),
        (&tokens::sign(&with("nonce", json!("n"))), "BAD_CLAIMS", "claims"),
    ] {
        assert_refused(&server, token, 401, code, stage);
    }
    // Last, because it causes the one allowed fetch of the keys.
    assert_refused(
        &server,
        &tokens::sign_with_header(&header("unknown", "RS256"), &good, true),
        401,
        "UNKNOWN_KEY",
        "claims",
    );
    assert_eq!(
        server.me(&token).status,
        403,
        "the unchanged token passes these stages: {}",
        server.me(&token).body
    );
}

#[test]
fn missing_and_duplicate_tokens_have_different_codes() {
    let server = TestServer::open(&[]);
    let token = server.token("auth0|1", json!({}));
    let bearer = format!("Bearer {token}");
    let ask = |url: &str, headers: &[(&str, &str)]| {
        server.http.post_json(url, headers, &json!({"query": "{ me { id } }"}))
    };

    let none = ask(&server.public(), &[]).unwrap();
    assert_eq!((none.status, none.code().as_deref()), (401, Some("NO_TOKEN")));
    assert_eq!(none.header("www-authenticate"), Some("Bearer realm=\"public\""));
    assert_eq!(
        ask(&server.internal(), &[("authorization", "Basic dTpw")]).unwrap().code().as_deref(),
        Some("NO_TOKEN")
    );

    for (url, headers) in [
        (server.public(), vec![("authorization", bearer.as_str()), ("authorization", bearer.as_str())]),
        (format!("{}?access_token={token}", server.public()), vec![("authorization", bearer.as_str())]),
        (server.public(), vec![("authorization", "Bearer")]),
    ] {
        let answer = ask(&url, &headers).unwrap();
        assert_eq!(
            (answer.status, answer.code().as_deref()),
            (400, Some("MALFORMED_REQUEST")),
            "{headers:?}"
        );
        assert!(answer.header("www-authenticate").unwrap().contains("error=\"invalid_request\""));
    }
}

#[test]
fn a_bad_token_is_never_taken_for_an_anonymous_caller() {
    let server = TestServer::open(&["public.anonymous=true"]);
    let ask = |token| server.ask_public(token, "{ __typename me { id } }");
    let anonymous = ask(None);
    assert_eq!(
        (anonymous.status, anonymous.json()["data"].clone()),
        (200, json!({"__typename": "Query", "me": null}))
    );
    let expired = server.token("auth0|1", json!({"exp": now() - 60}));
    for _ in 0..2 {
        assert_eq!(ask(Some(&expired)).code().as_deref(), Some("EXPIRED"));
    }
    let metrics = server.http.get(&server.internal().replace("/graphql", "/metrics"), &[]).unwrap();
    assert!(
        metrics.body.contains("\nvestibule_refusals_total{door=\"public\",code=\"EXPIRED\"} 2\n"),
        "{}",
        metrics.body
    );
    assert_eq!(server.http.get(&server.public().replace("/graphql", "/metrics"), &[]).unwrap().status, 404);
}

#[test]
fn a_caller_without_permission_is_refused_without_a_lookup() {
    let server = TestServer::open(&[]);
    let ask = |token: &str| server.ask_internal(token, "{ me { id } }", Value::Null);
    let user = server.token_for(INTERNAL, "auth0|stranger", json!({"scope": "users:read"}));
    for (token, missing) in [
        (user, true),
        (server.machine_token("users:read2 xusers:read"), true),
        (server.machine_token("users:read"), false),
    ] {
        let answer = ask(&token);
        assert_eq!(answer.status, if missing { 403 } else { 200 }, "{}", answer.body);
        if missing {
            assert_eq!(answer.code().as_deref(), Some("NOT_PERMITTED"));
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(
                challenge.contains("error=\"insufficient_scope\"")
                    && challenge.ends_with("scope=\"users:read\"")
            );
        }
    }
    assert_eq!((server.user_count(), server.auth0.calls("/api/")), (0, 0));
}

#[test]
fn blocked_erased_and_revoked_users_are_refused_even_with_a_payload() {
    let server = TestServer::open(&[]);
    let insert = |sub: &str| server.insert_user(sub).id;
    let (blocked, erased, revoked) = (insert("auth0|b"), insert("waad|e@example.com"), insert("auth0|w"));
    server.store().set_status(blocked, Status::Blocked, &Actor::Cli).unwrap();
    server.store().set_status(erased, Status::Erased, &Actor::Cli).unwrap();
    server.store().sign_out_everywhere(revoked, &Actor::Cli).unwrap();

    for (sub, id, status, code) in [
        ("auth0|b", blocked, 403, "BLOCKED"),
        // Its Auth0 id is not stored any more.
        ("waad|e@example.com", erased, 403, "ERASED"),
        ("auth0|w", revoked, 401, "TOKEN_REVOKED"),
    ] {
        let iat = now() - 5;
        assert_refused(&server, &server.token(sub, json!({"iat": iat})), status, code, "caller");
        let payload = json!({"id": id, "auth0Id": sub});
        let with_payload = server.token(sub, json!({"iat": iat, format!("{NAMESPACE}user"): payload}));
        assert_refused(&server, &with_payload, status, code, "caller");
    }
    let again = server.token("auth0|w", json!({"iat": now() + 2}));
    assert_eq!(server.me(&again).status, 200, "a token issued after the revocation is accepted");
}

#[test]
fn a_payload_about_another_user_is_refused() {
    let server = TestServer::open(&[]);
    let id = "01890000-0000-7000-8000-000000000001";
    for payload in [
        json!({"id": id, "auth0Id": "auth0|2"}),
        json!({"id": "7", "auth0Id": "auth0|1"}),
        json!({"id": id}),
        json!({"id": id, "auth0Id": "auth0|1", "roles": "admin"}),
        json!("auth0|1"),
    ] {
        let token = server.token("auth0|1", json!({format!("{NAMESPACE}user"): payload}));
        assert_refused(&server, &token, 401, "BAD_CLAIMS", "caller");
    }
}

#[test]
fn an_unknown_subject_is_looked_up_once_a_minute() {
    let server = TestServer::open(&[]);
    for _ in 0..3 {
        let answer = server.me(&server.token("auth0|nobody", json!({})));
        assert_eq!((answer.status, answer.code().as_deref()), (403, Some("NO_SUCH_USER")));
    }
    assert_eq!((server.user_count(), server.auth0.calls("/api/v2/users/")), (0, 1));
}

#[test]
fn a_taken_email_is_a_conflict_when_linking_is_off() {
    let server = TestServer::open(&["link.email=never"]);
    for (sub, status, code) in [("auth0|1", 200, None), ("google-oauth2|2", 403, Some("EMAIL_CONFLICT"))] {
        server.auth0.add_user(sub, "ada@example.com", true);
        let answer = server.me(&server.token(sub, json!({})));
        assert_eq!((answer.status, answer.code().as_deref()), (status, code), "{}", answer.body);
    }
    assert_eq!(server.user_count(), 1);
}

#[test]
fn without_keys_every_token_gets_503_until_they_arrive() {
    let server = TestServer::open_without_waiting(&[], |auth0| {
        auth0.publish_keys("<html>Down for maintenance</html>")
    });
    let token = server.token("auth0|1", json!({}));
    assert_refused(&server, &token, 503, "KEYS_UNAVAILABLE", "claims");
    let ready = server.public().replace("/graphql", "/readyz");
    assert_eq!(server.http.get(&ready, &[]).unwrap().status, 503);
    server.auth0.publish_keys(&tokens::key_set().to_string());
    server.wait_until_ready();
    assert_eq!(server.http.get(&ready, &[]).unwrap().status, 200);
}

#[test]
fn a_full_pool_gives_busy() {
    let server = TestServer::open(&["pool.threads=1", "pool.queue=1"]);
    let waiting_for_her = serde_json::from_value(json!({"email": "a@b.c"})).unwrap();
    server.store().seed(&[waiting_for_her], &Actor::Seed).unwrap();
    let pool = server.doors().services().pool.clone();
    let (held, release) = server.occupy_thread();
    let waiting = server.runtime.spawn(async move { pool.run(|| ()).await });
    let waits = || format!("{:?}", server.doors().services().pool).contains("waiting: 1");
    wait_until("the second job waits", waits);
    // Her verified email links the identity, which is a write, so it goes through the pool.
    let claims = json!({format!("{NAMESPACE}email"): "a@b.c", format!("{NAMESPACE}email_verified"): true});
    assert_refused(&server, &server.token("auth0|1", claims), 503, "BUSY", "caller");
    release.send(()).unwrap();
    server.runtime.block_on(async { (held.await.unwrap().unwrap(), waiting.await.unwrap().unwrap()) });
}
