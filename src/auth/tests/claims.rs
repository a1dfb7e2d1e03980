//! The claims policy as tables: payloads of tokens whose signature is valid.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AUDIENCE, TENANT, claims_settings, good_claims, payload_of};
use crate::auth::claims::{Claims, validate};
use crate::auth::{Policy, Refusal, TokenProfile};

const NOW: i64 = 1_790_000_000;

fn good() -> Value {
    good_claims(TENANT, NOW)
}

fn outcome_of(payload: &Value, profile: TokenProfile) -> Result<Claims, Refusal> {
    let policy = Policy::new(&claims_settings(profile), AUDIENCE);
    validate(payload_of(payload), &policy, Timestamp::from_second(NOW).unwrap())
}

fn outcome(payload: &Value) -> Result<Claims, Refusal> {
    outcome_of(payload, TokenProfile::Auth0)
}

/// The code that refuses a token with `claim` set to `value`; `None` when it is accepted.
fn code(claim: &str, value: Value) -> Option<&'static str> {
    let mut payload = good();
    payload[claim] = value;
    outcome(&payload).err().map(|refusal| refusal.code())
}

fn code_without(claim: &str) -> Option<&'static str> {
    let mut payload = good();
    payload.as_object_mut().unwrap().remove(claim);
    outcome(&payload).err().map(|refusal| refusal.code())
}

#[test]
fn aud_must_contain_our_audience_byte_for_byte() {
    let bad = Some("WRONG_AUDIENCE");
    assert_eq!(code_without("aud"), bad);
    for (aud, refused) in [
        (json!([AUDIENCE, "https://t.example/userinfo"]), None),
        (json!([AUDIENCE]), None),
        (json!(null), bad),
        (json!([]), bad),
        (json!({}), bad),
        (json!(5), bad),
        (json!([AUDIENCE, 5]), bad),
        (json!("https://public.example"), bad),
        (json!("HTTPS://PUBLIC.EXAMPLE/"), bad),
        (json!("https://internal.example/"), bad),
        (json!([&["https://t.example/"; 99][..], &[AUDIENCE]].concat()), None),
        (json!(vec![AUDIENCE; 101]), Some("BAD_CLAIMS")),
    ] {
        assert_eq!(code("aud", aud.clone()), refused, "{aud}");
    }
}

#[test]
fn exp_must_be_a_time_in_the_near_future() {
    assert_eq!(code_without("exp"), Some("BAD_CLAIMS"));
    for (exp, refused) in [
        (json!(NOW - 4), None),
        (json!(NOW as f64 + 0.5), None),
        (json!(NOW - 6), Some("EXPIRED")),
        (json!(NOW as f64 - 5.5), Some("EXPIRED")),
        (json!(0), Some("EXPIRED")),
        (json!(null), Some("BAD_CLAIMS")),
        (json!("9999999999"), Some("BAD_CLAIMS")),
        (json!(true), Some("BAD_CLAIMS")),
        (json!(-1), Some("BAD_CLAIMS")),
        (json!(1e300), Some("BAD_CLAIMS")),
        (json!(18_446_744_073_709_551_615_u64), Some("BAD_CLAIMS")),
        (json!(NOW * 1000), Some("BAD_CLAIMS")),
        (json!(NOW + 31 * 86_400), Some("BAD_CLAIMS")),
    ] {
        assert_eq!(code("exp", exp.clone()), refused, "{exp}");
    }
}

#[test]
fn nbf_and_iat_must_not_be_in_the_future() {
    for claim in ["nbf", "iat"] {
        for (time, refused) in [
            (json!(NOW + 4), None),
            (json!(NOW + 3600), Some("NOT_YET_VALID")),
            (json!(NOW + 86_400), Some("NOT_YET_VALID")),
            (json!("1"), Some("BAD_CLAIMS")),
            (json!(null), Some("BAD_CLAIMS")),
        ] {
            assert_eq!(code(claim, time.clone()), refused, "{claim} {time}");
        }
        assert_eq!(code_without(claim), None);
    }
}

#[test]
fn sub_must_be_a_valid_id() {
    let bad = Some("BAD_CLAIMS");
    assert_eq!(code_without("sub"), bad);
    for (sub, refused) in [
        (json!("s".repeat(255)), None),
        (json!("s".repeat(256)), bad),
        (json!(""), bad),
        (json!(1), bad),
        (json!(null), bad),
        (json!("auth0|\u{0}"), bad),
    ] {
        assert_eq!(code("sub", sub.clone()), refused, "{sub}");
    }
}

#[test]
fn an_id_token_is_refused() {
    for claim in ["nonce", "at_hash", "c_hash"] {
        assert_eq!(code(claim, json!("x")), Some("BAD_CLAIMS"), "{claim}");
    }
}

#[test]
fn a_token_bound_to_a_key_is_refused() {
    for cnf in [json!({"jkt": "0ZcOCORZNYy"}), json!({"x5t#S256": "bwcK0esc3ACC"}), json!({}), json!(null)] {
        assert_eq!(code("cnf", cnf.clone()), Some("BOUND_TOKEN"), "{cnf}");
    }
}

#[test]
fn claims_of_the_wrong_type_are_refused() {
    for (claim, value) in [
        ("scope", json!(["users:read"])),
        ("gty", json!(1)),
        ("jti", json!(["1"])),
        ("act", json!("agt_1")),
        ("act", json!(null)),
        ("sub_profile", json!(["user"])),
        ("client_profile", json!(true)),
        ("azp", json!(1)),
        ("client_id", json!("another")),
        ("permissions", json!("users:read")),
        ("permissions", json!([1])),
        ("https://ns.example/roles", json!("admin")),
        ("https://ns.example/roles", json!({"0": "admin"})),
    ] {
        assert_eq!(code(claim, value.clone()), Some("BAD_CLAIMS"), "{claim} {value}");
    }
    assert_eq!(code("client_id", json!("spa")), None);
}

#[test]
fn roles_come_from_the_one_configured_claim() {
    let mut payload = good();
    payload["https://ns.example/roles"] = json!(["support"]);
    for other in
        ["roles", "https://evil.example/roles", "https://ns.example/Roles", "http://ns.example/roles"]
    {
        payload[other] = json!(["admin"]);
    }
    let claims = outcome(&payload).unwrap();
    assert_eq!(claims.roles().collect::<Vec<_>>(), ["support"]);
}

#[test]
fn only_a_json_true_makes_an_email_verified() {
    for (verified, counts) in
        [(json!(true), true), (json!("true"), false), (json!(1), false), (json!(null), false)]
    {
        let mut payload = good();
        payload["https://ns.example/email"] = json!("ada@example.com");
        payload["https://ns.example/email_verified"] = verified.clone();
        assert_eq!(outcome(&payload).unwrap().verified_email().is_some(), counts, "{verified}");
    }
}

#[test]
fn rfc_9068_requires_client_id_jti_and_iat() {
    let mut payload = good();
    payload["client_id"] = json!("spa");
    payload["jti"] = json!("1");
    let accepted = |payload: &Value| outcome_of(payload, TokenProfile::Rfc9068).is_ok();
    assert!(accepted(&payload));
    for claim in ["client_id", "jti", "iat"] {
        let mut without = payload.clone();
        without.as_object_mut().unwrap().remove(claim);
        assert!(!accepted(&without), "{claim}");
    }
}
