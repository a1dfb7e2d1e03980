//! V01 to V03 and V22 to V25: requests without a token, transport of the token, machines, and known keys.

use serde_json::json;
use warp::http::header::AUTHORIZATION;
use warp::http::{HeaderMap, HeaderValue};

use super::{Fixture, case};
use crate::auth::Grants;
use crate::auth::permit::{Need, Permit, Subject, permit_anonymous, permit_by_token};
use crate::auth::tests::forge::Signer;
use crate::auth::tests::{OTHER_TENANT, TENANT, TestDoor, good_claims};
use crate::auth::{ClaimsSettings, Presented, Refusal, TokenProfile, bearer};
use crate::scope::Permissions;

fn presented(values: &[&str], query: &str) -> Result<Presented, Refusal> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    bearer(&headers, query)
}

fn need(permissions: &str, anonymous: bool) -> Need {
    Need { permissions: Permissions::from_scope(permissions), anonymous }
}

#[tokio::test]
async fn a_request_without_a_token_is_anonymous_and_a_bad_token_is_refused_everywhere() {
    let Ok(Presented::Nothing(nothing)) = presented(&[], "") else { panic!("V01") };
    let refusal = permit_anonymous(nothing, &need("users:read", false)).unwrap_err();
    assert_eq!(refusal, Refusal::NoToken, "V01");
    assert_eq!(
        refusal.challenge("internal").unwrap(),
        "Bearer realm=\"internal\"",
        "V01: no error attribute"
    );
    let Ok(Presented::Nothing(nothing)) = presented(&[], "") else { panic!("V02") };
    let permitted = permit_anonymous(nothing, &need("", true)).unwrap();
    let (subject, permissions, _) = permitted.into_parts();
    assert!(matches!(subject, Subject::Anonymous) && permissions.is_empty(), "V02");
    // A door for anonymous callers refuses a bad token too.
    let fixture = Fixture::new(TokenProfile::Auth0);
    let token = fixture.other.token(&fixture.good());
    let Ok(Presented::Token(_)) = presented(&[&format!("Bearer {token}")], "") else { panic!("V03") };
    fixture.check(&[case("V03", "signed by another tenant's key", token, "UNKNOWN_KEY")]).await;
}

#[test]
fn a_token_must_be_sent_once_in_one_header() {
    let two = &["Bearer a.b.c", "Bearer a.b.c"][..];
    for (id, values, query, code) in [
        ("V22", two, "", Some("MALFORMED_REQUEST")),
        ("V22", &["Bearer a.b.c"], "access_token=a.b.c", Some("MALFORMED_REQUEST")),
        ("V22", &[], "access_token=a.b.c", Some("MALFORMED_REQUEST")),
        ("V22", &["Bearer"], "", Some("MALFORMED_REQUEST")),
        ("V22", &["Bearer "], "", Some("MALFORMED_REQUEST")),
        ("V22", &[""], "", Some("MALFORMED_REQUEST")),
        ("V22", &["Bearer\ta.b.c"], "", Some("MALFORMED_REQUEST")),
        ("V22", &["Bearer,a.b.c"], "", Some("MALFORMED_REQUEST")),
        ("V22", &["Bearer é"], "", Some("MALFORMED_REQUEST")),
        ("V22", &["a.b.c"], "", Some("MALFORMED_REQUEST")),
        ("V22", &["bearer a.b.c"], "", None),
        ("V22", &["Bearer  a.b.c"], "", None),
    ] {
        let outcome = presented(values, query);
        assert_eq!(outcome.as_ref().err().map(Refusal::code), code, "{id}: {values:?} {query}");
        assert!(code.is_some() || matches!(outcome, Ok(Presented::Token(_))), "{id}: {values:?}");
        if let Err(refusal) = outcome {
            assert!(refusal.status() == 400 && refusal.challenge("x").unwrap().contains("invalid_request"));
        }
    }
    assert!(
        matches!(presented(&["Basic x"], ""), Err(Refusal::NoToken)),
        "V22: another scheme means no token, and no anonymous caller either"
    );
}

#[tokio::test]
async fn the_scope_of_a_machine_grants_and_that_of_a_user_does_not() {
    let fixture = Fixture::new(TokenProfile::Auth0);
    let machine = |scope: &str| {
        let mut claims = fixture.good();
        for (claim, value) in
            [("sub", "m1@clients"), ("azp", "m1"), ("gty", "client-credentials"), ("scope", scope)]
        {
            claims[claim] = json!(value);
        }
        fixture.key.token(&claims)
    };
    let grants = Grants { user_issuers: vec![TENANT.to_owned()], ..Grants::default() };
    let permitted = async |token: String, asked: &str| -> Result<Permit, Refusal> {
        permit_by_token(fixture.door.verify(&token).await.unwrap(), &need(asked, false), &grants)
    };
    let permit = permitted(machine(""), "").await.unwrap();
    assert!(
        matches!(permit.into_parts().0, Subject::Machine(name, _) if &*name == "m1"),
        "V23: a machine, not a user"
    );
    assert!(permitted(machine("users:read"), "users:read").await.is_ok(), "V23");
    for scope in ["", "read:users2", "xusers:read", "users:read2", "USERS:READ", "users:read,audit:read"] {
        let refusal = permitted(machine(scope), "users:read").await.unwrap_err();
        assert_eq!((refusal.code(), refusal.status()), ("NOT_PERMITTED", 403), "V24: {scope}");
        let challenge = refusal.challenge("internal").unwrap();
        assert!(challenge.contains("error=\"insufficient_scope\""), "V24: {challenge}");
        assert!(challenge.ends_with("scope=\"users:read\""), "V24: {challenge}");
    }
    let refusal = permitted(fixture.with("scope", json!("users:read")), "users:read").await.unwrap_err();
    assert_eq!(refusal.code(), "NOT_PERMITTED", "V24: a user's scope grants nothing");
}

#[tokio::test]
async fn saved_keys_decide_and_without_keys_the_answer_is_503() {
    let key = Signer::new("ES256", "one");
    let warm = TestDoor::open(&[(TENANT, &key)], TokenProfile::Auth0);
    let token = key.token(&good_claims(TENANT, warm.seconds()));
    assert!(warm.verify(&token).await.is_ok(), "V25: the tenant is away, its keys of the last run serve");
    let cold = TestDoor::open_without_keys(&[TENANT], TokenProfile::Auth0);
    let refusal = cold.verify(&token).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.status()), ("KEYS_UNAVAILABLE", 503), "V25");
    assert!(refusal.retry_seconds().is_some() && refusal.challenge("public").is_none(), "V25");
}

/// Each algorithm that can be configured, with two tenants whose keys have the same name.
#[tokio::test]
async fn keys_of_one_issuer_never_verify_tokens_of_another() {
    for (algorithm, _) in ClaimsSettings::ALGORITHMS {
        let (one, two) = (Signer::new(algorithm, "same"), Signer::new(algorithm, "same"));
        let door = TestDoor::open(&[(TENANT, &one), (OTHER_TENANT, &two)], TokenProfile::Auth0);
        let claims = |issuer| good_claims(issuer, door.seconds());
        for (issuer, right, wrong) in [(TENANT, &one, &two), (OTHER_TENANT, &two, &one)] {
            assert!(door.verify(&right.token(&claims(issuer))).await.is_ok(), "{algorithm} {issuer}");
            let refusal = door.verify(&wrong.token(&claims(issuer))).await.unwrap_err();
            assert_eq!(refusal.code(), "BAD_SIGNATURE", "{algorithm} {issuer}");
        }
        // The right key under another algorithm's name, and the right name for another tenant.
        let other = if algorithm == "PS256" { "RS256" } else { "PS256" };
        let mut header = one.header();
        header["alg"] = json!(other);
        let token = one.token_of(&header.to_string(), &claims(TENANT).to_string());
        assert_eq!(door.verify(&token).await.unwrap_err().code(), "BAD_ALGORITHM", "{algorithm} as {other}");
    }
}
