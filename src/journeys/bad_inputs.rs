//! Inputs that must be refused, by number, over HTTP: the status, the code and the challenge, without a row, without a call
//! to Auth0, and with a door that keeps serving. The numbers are those of the tables in `src/auth`.

use std::net::TcpListener;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::test_server::{INTERNAL, PUBLIC, TestServer};
use crate::tokens::{self, now};

/// Asserts that the public door refuses each token with 401 and its code.
fn assert_refused(server: &TestServer, rows: &[(&str, String, &str)]) {
    let (rows_before, calls) = (server.user_count(), server.auth0.calls("/api/"));
    for (id, token, code) in rows {
        let answer = server.me(token);
        assert_eq!((answer.status, answer.code().as_deref()), (401, Some(*code)), "{id}: {}", answer.body);
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(
            challenge.starts_with("Bearer realm=\"public\", error=\"invalid_token\""),
            "{id}: {challenge}"
        );
        let secret = token.rsplit('.').next().unwrap();
        assert!(secret.len() < 8 || !answer.body.contains(secret), "{id}: the response repeats the token");
    }
    assert_eq!((server.user_count(), server.auth0.calls("/api/")), (rows_before, calls), "a row or a call");
    assert_eq!(server.me(&server.public_machine_token()).status, 200, "the door keeps serving");
}

fn header() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": "stub"})
}

fn header_with(member: &str, value: Value) -> Value {
    let mut header = header();
    header[member] = value;
    header
}

#[test]
fn forged_and_confused_tokens_are_refused_without_a_call() {
    let server = TestServer::open(&[]);
    let claims = server.auth0.claims("auth0|1", PUBLIC);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = json!(format!("http://{}/keys.json", listener.local_addr().unwrap()));
    let with_header = |member, value| tokens::sign_with_header(&header_with(member, value), &claims, true);
    let hmac = {
        let key = hmac::Key::new(hmac::HMAC_SHA256, tokens::jwk("stub", true).to_string().as_bytes());
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header_with("alg", json!("HS256"))), part(&claims));
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes())))
    };
    let none = with_header("alg", json!("none"));
    let (message, _) = none.rsplit_once('.').unwrap();
    let twice = claims.to_string().replacen('{', r#"{"s\u0075b":"auth0|2","#, 1);
    let fetches = server.doors().services().gate.keys().fetches();
    assert_refused(
        &server,
        &[
            ("V03", tokens::sign_with_header(&header(), &claims, false), "BAD_SIGNATURE"),
            ("V04", none.clone(), "BAD_ALGORITHM"),
            ("V04", format!("{message}."), "MALFORMED_TOKEN"),
            ("V04", message.to_owned(), "MALFORMED_TOKEN"),
            ("V05", hmac, "BAD_ALGORITHM"),
            ("V06", with_header("jku", url.clone()), "MALFORMED_TOKEN"),
            ("V06", with_header("x5u", url), "MALFORMED_TOKEN"),
            (
                "V06",
                tokens::sign_with_header(&header_with("jwk", tokens::jwk("stub", false)), &claims, false),
                "MALFORMED_TOKEN",
            ),
            ("V07", with_header("kid", json!("k".repeat(257))), "MALFORMED_TOKEN"),
            ("V07", with_header("kid", json!(7)), "MALFORMED_TOKEN"),
            ("V07", with_header("kid", json!("a\u{0}")), "MALFORMED_TOKEN"),
            ("V08", with_header("crit", json!(["x"])), "MALFORMED_TOKEN"),
            ("V09", tokens::sign_text(&header().to_string(), &twice, true), "MALFORMED_TOKEN"),
            ("V18", with_header("typ", json!("dpop+jwt")), "MALFORMED_TOKEN"),
            ("V19", with_header("cty", json!("JWT")), "MALFORMED_TOKEN"),
            ("V19", format!("{none}.a.b"), "MALFORMED_TOKEN"),
            ("V20", format!("{none}="), "MALFORMED_TOKEN"),
            ("V20", ".".repeat(20_000), "MALFORMED_TOKEN"),
        ],
    );
    assert_eq!(
        server.doors().services().gate.keys().fetches(),
        fetches,
        "a token caused a fetch of the keys"
    );
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "V06: the URL in the token was called");
}

#[test]
fn invalid_claims_are_refused_and_edge_cases_accepted() {
    let server = TestServer::open(&[]);
    let with = |claim: &str, value: Value| server.token("auth0|1", json!({claim: value}));
    let issuer = server.auth0.issuer.clone();
    assert_refused(
        &server,
        &[
            ("V10", with("exp", json!(null)), "BAD_CLAIMS"),
            ("V10", with("exp", json!(now() * 1000)), "BAD_CLAIMS"),
            ("V11", with("exp", json!(now() - 7)), "EXPIRED"),
            ("V12", with("nbf", json!(now() + 3600)), "NOT_YET_VALID"),
            ("V12", with("iat", json!(now() + 86_400)), "NOT_YET_VALID"),
            ("V13", with("aud", json!([PUBLIC, 5])), "WRONG_AUDIENCE"),
            ("V13", with("aud", json!(PUBLIC.trim_end_matches('/'))), "WRONG_AUDIENCE"),
            ("V15", with("iss", json!(issuer.trim_end_matches('/'))), "WRONG_ISSUER"),
            ("V15", with("iss", json!([issuer])), "WRONG_ISSUER"),
            ("V16", server.token_for(INTERNAL, "auth0|1", json!({})), "WRONG_AUDIENCE"),
            ("V17", with("nonce", json!("n")), "BAD_CLAIMS"),
        ],
    );
    let machine = json!({"gty": "client-credentials", "azp": "m1"});
    for (id, claim, value) in [
        ("V11", "exp", json!(now() as f64 + 30.5)),
        ("V11", "exp", json!(now() - 2)),
        ("V14", "aud", json!([PUBLIC, format!("{issuer}userinfo")])),
    ] {
        let mut claims = machine.clone();
        claims[claim] = value;
        assert_eq!(server.me(&server.token("m1@clients", claims)).status, 200, "{id}: {claim}");
    }
}

#[test]
fn a_bad_token_is_refused_even_where_anonymous_callers_are_allowed() {
    let server = TestServer::open(&["public.anonymous=true"]);
    let ask = |token: Option<&str>, query: &str| server.ask_public(token, query);
    assert_eq!(ask(None, "{ __typename }").status, 200, "V02");
    let anonymous = ask(None, "{ me { id } }");
    assert_eq!((anonymous.status, anonymous.at("/data/me")), (200, Value::Null), "V02");
    let bad = tokens::sign_with_header(&header(), &server.auth0.claims("auth0|1", PUBLIC), false);
    for token in [bad.as_str(), "opaque"] {
        assert_eq!(ask(Some(token), "{ __typename }").status, 401, "V03");
    }
    for header in ["", "Bearer", "Bearer,x", "Bearer\tx"] {
        let body = json!({"query": "{ __typename }"});
        let answer = server.http.post_json(&server.public(), &[("authorization", header)], &body).unwrap();
        assert_eq!(
            (answer.status, answer.code().as_deref()),
            (400, Some("MALFORMED_REQUEST")),
            "V22: {header:?}"
        );
    }
}

#[test]
fn each_door_requires_its_audience_and_the_internal_door_a_scope() {
    let server = TestServer::open(&[]);
    let ask = |url: &str, token: &str| {
        server.http.graphql(url, Some(token), "{ __typename }", Value::Null).unwrap()
    };
    let at_public = server.public_machine_token();
    let at_internal = server.machine_token("users:read");
    assert_eq!(ask(&server.internal(), &at_public).code().as_deref(), Some("WRONG_AUDIENCE"), "V16");
    assert_eq!(ask(&server.public(), &at_internal).code().as_deref(), Some("WRONG_AUDIENCE"), "V16");
    assert_eq!(ask(&server.internal(), &at_internal).status, 200, "V23");
    let me = server.me(&at_public);
    assert_eq!((me.status, me.at("/data/me")), (200, Value::Null), "V23: a machine has no user");
    for scope in ["", "users:read2", "xusers:read"] {
        let answer = ask(&server.internal(), &server.machine_token(scope));
        assert_eq!((answer.status, answer.code().as_deref()), (403, Some("NOT_PERMITTED")), "V24: {scope}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"insufficient_scope\""), "V24: {challenge}");
        assert!(challenge.ends_with("scope=\"users:read\""), "V24: {challenge}");
    }
}
