//! V01 to V03 and V22 to V25: how a token is sent, who its bearer is, and whose keys there are.

use serde_json::json;
use warp::http::header::AUTHORIZATION;
use warp::http::{HeaderMap, HeaderValue};

use super::{Table, row};
use crate::auth::forge::{Desk, OTHER_TENANT, Signer, TENANT, good_claims};
use crate::auth::permit::{Grants, Need, Permit, Subject, permit, permit_anonymous};
use crate::auth::settings::{ClaimsSettings, TokenProfile};
use crate::auth::{Presented, Refusal, bearer};
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
async fn who_sends_nothing_is_nobody_and_who_sends_rubbish_is_refused_everywhere() {
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
    assert!(matches!(permitted.parts().0, Subject::Anonymous) && permitted.parts().1.is_empty(), "V02");
    // A door that lets anybody in asks the same of a token that is there.
    let table = Table::lay(TokenProfile::Auth0);
    let token = table.other.token(&table.good());
    let Ok(Presented::Token(_)) = presented(&[&format!("Bearer {token}")], "") else { panic!("V03") };
    table.holds(&[row("V03", "signed by another tenant's key", token, "UNKNOWN_KEY")]).await;
}

#[test]
fn a_token_is_sent_once_and_in_one_place() {
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
        ("V22", &["bearer a.b.c"], "", None),
        ("V22", &["Bearer  a.b.c"], "", None),
    ] {
        let found = presented(values, query);
        assert_eq!(found.as_ref().err().map(Refusal::code), code, "{id}: {values:?} {query}");
        assert!(code.is_some() || matches!(found, Ok(Presented::Token(_))), "{id}: {values:?}");
        if let Err(refusal) = found {
            assert!(refusal.status() == 400 && refusal.challenge("x").unwrap().contains("invalid_request"));
        }
    }
    assert!(
        matches!(presented(&["Basic x"], ""), Ok(Presented::Nothing(_))),
        "V22: another scheme is no token"
    );
}

#[tokio::test]
async fn a_machine_is_judged_by_its_scope_and_a_user_is_not() {
    let table = Table::lay(TokenProfile::Auth0);
    let machine = |scope: &str| {
        let mut claims = table.good();
        for (claim, value) in
            [("sub", "m1@clients"), ("azp", "m1"), ("gty", "client-credentials"), ("scope", scope)]
        {
            claims[claim] = json!(value);
        }
        table.key.token(&claims)
    };
    let grants = Grants { user_issuers: vec![TENANT.to_owned()], ..Grants::default() };
    let permitted = async |token: String, asked: &str| -> Result<Permit, Refusal> {
        permit(table.desk.judge(&token).await.unwrap(), &need(asked, false), &grants)
    };
    let permit = permitted(machine(""), "").await.unwrap();
    assert!(
        matches!(permit.parts().0, Subject::Machine(name, _) if &**name == "m1"),
        "V23: a machine, nobody's user"
    );
    assert!(permitted(machine("users:read"), "users:read").await.is_ok(), "V23");
    for scope in ["", "read:users2", "xusers:read", "users:read2", "USERS:READ", "users:read,audit:read"] {
        let refusal = permitted(machine(scope), "users:read").await.unwrap_err();
        assert_eq!((refusal.code(), refusal.status()), ("NOT_PERMITTED", 403), "V24: {scope}");
        let challenge = refusal.challenge("internal").unwrap();
        assert!(challenge.contains("error=\"insufficient_scope\""), "V24: {challenge}");
        assert!(challenge.ends_with("scope=\"users:read\""), "V24: {challenge}");
    }
    let refusal = permitted(table.with("scope", json!("users:read")), "users:read").await.unwrap_err();
    assert_eq!(refusal.code(), "NOT_PERMITTED", "V24: a user's scope is the client's to ask for");
}

#[tokio::test]
async fn without_any_keys_nothing_is_decided_and_with_old_ones_it_is() {
    let key = Signer::new("ES256", "one");
    let warm = Desk::open(&[(TENANT, &key)], TokenProfile::Auth0);
    let token = key.token(&good_claims(TENANT, warm.seconds()));
    assert!(warm.judge(&token).await.is_ok(), "V25: the tenant is away, its keys of the last run serve");
    let cold = Desk::open_without_keys(&[TENANT], TokenProfile::Auth0);
    let refusal = cold.judge(&token).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.status()), ("KEYS_UNAVAILABLE", 503), "V25");
    assert!(refusal.retry_after().is_some() && refusal.challenge("public").is_none(), "V25");
}

/// Each algorithm that can be configured, with two tenants whose keys have the same name.
#[tokio::test]
async fn keys_of_one_issuer_never_verify_tokens_of_another() {
    for (algorithm, _) in ClaimsSettings::ALGORITHMS {
        let (one, two) = (Signer::new(algorithm, "same"), Signer::new(algorithm, "same"));
        let desk = Desk::open(&[(TENANT, &one), (OTHER_TENANT, &two)], TokenProfile::Auth0);
        let claims = |issuer| good_claims(issuer, desk.seconds());
        for (issuer, right, wrong) in [(TENANT, &one, &two), (OTHER_TENANT, &two, &one)] {
            assert!(desk.judge(&right.token(&claims(issuer))).await.is_ok(), "{algorithm} {issuer}");
            let refusal = desk.judge(&wrong.token(&claims(issuer))).await.unwrap_err();
            assert_eq!(refusal.code(), "BAD_SIGNATURE", "{algorithm} {issuer}");
        }
        // The right key under another algorithm's name, and the right name for another tenant.
        let other = if algorithm == "PS256" { "RS256" } else { "PS256" };
        let mut header = one.header();
        header["alg"] = json!(other);
        let token = one.token_of(&header.to_string(), &claims(TENANT).to_string());
        assert_eq!(desk.judge(&token).await.unwrap_err().code(), "BAD_ALGORITHM", "{algorithm} as {other}");
    }
}
