//! V04 to V20: the token itself.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Value, json};

use super::{Fixture, case};
use crate::auth::TokenProfile;
use crate::auth::tests::forge::{Signer, encode, hmac_token};
use crate::auth::tests::{AUDIENCE, NAMESPACE, TENANT};

#[tokio::test]
async fn algorithms_without_a_key_or_with_a_public_key_as_secret_are_refused() {
    let fixture = Fixture::new(TokenProfile::Auth0);
    let claims = fixture.good();
    let mut cases = Vec::new();
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = json!({"alg": alg, "kid": "one"}).to_string();
        let signed = fixture.key.token_of(&header, &claims.to_string());
        let (message, _) = signed.rsplit_once('.').unwrap();
        cases.push(case("V04", format!("{alg}, no signature"), format!("{message}."), "MALFORMED_TOKEN"));
        cases.push(case("V04", format!("{alg}, two parts"), message.to_owned(), "MALFORMED_TOKEN"));
        cases.push(case("V04", format!("{alg}, signed"), signed, "BAD_ALGORITHM"));
    }
    for (what, secret) in ["DER", "PEM", "JWK", "modulus"].iter().zip(fixture.key.forms_taken_for_secrets()) {
        let header = json!({"alg": "HS256", "typ": "JWT", "kid": "one"});
        cases.push(case("V05", what, hmac_token(&header, &claims, &secret), "BAD_ALGORITHM"));
        // The same HMAC under the algorithm of the key.
        cases.push(case("V05", what, hmac_token(&fixture.key.header(), &claims, &secret), "BAD_SIGNATURE"));
    }
    assert_eq!(cases.len(), 20);
    fixture.check(&cases).await;
}

#[tokio::test]
async fn a_header_cannot_supply_a_key_or_cause_a_request() {
    let fixture = Fixture::new(TokenProfile::Auth0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys.json", listener.local_addr().unwrap());
    let stranger = Signer::new("RS256", "one");
    let mut cases = vec![
        case("V06", "jku", fixture.headed("jku", json!(url)), "MALFORMED_TOKEN"),
        case("V06", "x5u", fixture.headed("x5u", json!(url)), "MALFORMED_TOKEN"),
        case("V06", "jwk", fixture.headed("jwk", stranger.jwk()), "MALFORMED_TOKEN"),
    ];
    for (member, value) in [("jku", json!(url)), ("x5u", json!(url)), ("jwk", stranger.jwk())] {
        let mut header = stranger.header();
        header[member] = value;
        let token = stranger.token_of(&header.to_string(), &fixture.good().to_string());
        cases.push(case("V06", format!("{member}, signed with its key"), token, "MALFORMED_TOKEN"));
    }
    for (what, kid, code) in [
        ("a path", json!("../../dev/null"), "UNKNOWN_KEY"),
        ("SQL", json!("' OR 1=1--"), "UNKNOWN_KEY"),
        ("a prototype", json!("__proto__"), "UNKNOWN_KEY"),
        ("NUL", json!("one\u{0}"), "MALFORMED_TOKEN"),
        ("not ASCII", json!("oné"), "MALFORMED_TOKEN"),
        ("257 bytes", json!("k".repeat(257)), "MALFORMED_TOKEN"),
        ("a megabyte", json!("k".repeat(1 << 20)), "MALFORMED_TOKEN"),
        ("empty", json!(""), "MALFORMED_TOKEN"),
        ("a number", json!(7), "MALFORMED_TOKEN"),
        ("null", json!(null), "MALFORMED_TOKEN"),
    ] {
        cases.push(case("V07", what, fixture.headed("kid", kid), code));
    }
    for crit in [json!(["x"]), json!([]), json!("exp")] {
        cases.push(case("V08", crit.to_string(), fixture.headed("crit", crit), "MALFORMED_TOKEN"));
    }
    let mut unencoded = fixture.key.header();
    (unencoded["crit"], unencoded["b64"]) = (json!(["b64"]), json!(false));
    let token = fixture.key.token_of(&unencoded.to_string(), &fixture.good().to_string());
    cases.push(case("V08", "b64 false, and critical", token, "MALFORMED_TOKEN"));
    fixture.check(&cases).await;
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "V06: no request was made");
}

#[tokio::test]
async fn a_duplicate_member_is_refused_whatever_its_value() {
    let fixture = Fixture::new(TokenProfile::Auth0);
    let (header, claims) = (fixture.key.header().to_string(), fixture.good().to_string());
    let mut cases = Vec::new();
    for member in [r#""alg":"RS256""#, r#""kid":"one""#, r#""x":1,"x":1"#] {
        let header = header.replacen('{', &format!("{{{member},"), 1);
        cases.push(case("V09", member, fixture.key.token_of(&header, &claims), "MALFORMED_TOKEN"));
    }
    let exp = format!("\"exp\":{}", fixture.door.seconds() + 3600);
    let roles = format!("\"{NAMESPACE}roles\":[\"admin\"],\"{NAMESPACE}roles\":[]");
    for member in [&exp, r#""sub":"auth0|1""#, r#""s\u0075b":"auth0|1""#, &roles, r#""x":{"a":1,"a":1}"#] {
        let claims = claims.replacen('{', &format!("{{{member},"), 1);
        cases.push(case("V09", member, fixture.key.token_of(&header, &claims), "MALFORMED_TOKEN"));
    }
    fixture.check(&cases).await;
}

#[tokio::test]
async fn times_must_be_numbers_within_the_limits() {
    let fixture = Fixture::new(TokenProfile::Auth0);
    let now = fixture.door.seconds();
    let mut cases = vec![case("V10", "no exp", fixture.without("exp"), "BAD_CLAIMS")];
    for exp in [
        json!(null),
        json!("9999999999"),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(18_446_744_073_709_551_616_f64),
        json!(now * 1000),
    ] {
        cases.push(case("V10", format!("exp {exp}"), fixture.with("exp", exp), "BAD_CLAIMS"));
    }
    // The door's clock does not move; a margin of one second covers its fraction.
    for (what, exp, code) in [
        ("4 s ago", json!(now - 4), None),
        ("6 s ago", json!(now - 6), Some("EXPIRED")),
        ("a fraction", json!(now as f64 + 30.25), None),
    ] {
        cases.push(case("V11", what, fixture.with("exp", exp), code));
    }
    for (claim, value, code) in [
        ("nbf", json!(now + 3600), "NOT_YET_VALID"),
        ("nbf", json!((now - 1).to_string()), "BAD_CLAIMS"),
        ("iat", json!(now + 86_400), "NOT_YET_VALID"),
        ("iat", json!([now]), "BAD_CLAIMS"),
    ] {
        cases.push(case("V12", format!("{claim} {value}"), fixture.with(claim, value), code));
    }
    fixture.check(&cases).await;
}

#[tokio::test]
async fn audience_and_issuer_must_match_byte_for_byte() {
    let fixture = Fixture::new(TokenProfile::Auth0);
    let mut cases = vec![
        case("V13", "no aud", fixture.without("aud"), "WRONG_AUDIENCE"),
        case("V15", "no iss", fixture.without("iss"), "WRONG_ISSUER"),
        case(
            "V14",
            "and the tenant's own",
            fixture.with("aud", json!([AUDIENCE, format!("{TENANT}userinfo")])),
            None,
        ),
        case(
            "V16",
            "the other door's",
            fixture.with("aud", json!("https://internal.example/")),
            "WRONG_AUDIENCE",
        ),
    ];
    for aud in [
        json!(null),
        json!([]),
        json!({}),
        json!(5),
        json!([AUDIENCE, 5]),
        json!([[AUDIENCE]]),
        json!(AUDIENCE.trim_end_matches('/')),
        json!(AUDIENCE.to_uppercase()),
    ] {
        cases.push(case("V13", aud.to_string(), fixture.with("aud", aud), "WRONG_AUDIENCE"));
    }
    for iss in [
        json!(TENANT.trim_end_matches('/')),
        json!(format!("{}.evil.com/", TENANT.trim_end_matches('/'))),
        json!(TENANT.to_uppercase()),
        json!([TENANT]),
        json!(["https://evil.example/", TENANT]),
        json!(null),
    ] {
        cases.push(case("V15", iss.to_string(), fixture.with("iss", iss), "WRONG_ISSUER"));
    }
    let mut id_token = fixture.good();
    (id_token["aud"], id_token["nonce"]) = (json!("spa"), json!("n"));
    cases.push(case("V17", "an ID token", fixture.key.token(&id_token), "BAD_CLAIMS"));
    cases.push(case("V17", "and for this door", fixture.with("nonce", json!("n")), "BAD_CLAIMS"));
    cases.push(case("V17", "aud is the client", fixture.with("aud", json!("spa")), "WRONG_AUDIENCE"));
    fixture.check(&cases).await;
}

#[tokio::test]
async fn typ_must_be_that_of_the_configured_profile() {
    for profile in [TokenProfile::Auth0, TokenProfile::Rfc9068] {
        let fixture = Fixture::new(profile);
        let mut claims = fixture.good();
        (claims["client_id"], claims["jti"]) = (json!("spa"), json!("1"));
        let token = |header: Value| fixture.key.token_of(&header.to_string(), &claims.to_string());
        let mut cases = Vec::new();
        for (typ, lax_only) in [
            (Some("at+jwt"), false),
            (Some("application/at+jwt"), false),
            (Some("AT+JWT"), false),
            (Some("JWT"), true),
            (None, true),
        ] {
            let mut header = fixture.key.header();
            header.as_object_mut().unwrap().remove("typ");
            if let Some(typ) = typ {
                header["typ"] = json!(typ);
            }
            let code = (lax_only && profile == TokenProfile::Rfc9068).then_some("MALFORMED_TOKEN");
            cases.push(case("V18", format!("{typ:?} {profile:?}"), token(header), code));
        }
        for typ in [json!("secevent+jwt"), json!("dpop+jwt"), json!("logout+jwt"), json!(1)] {
            cases.push(case("V18", typ.to_string(), fixture.headed("typ", typ), "MALFORMED_TOKEN"));
        }
        fixture.check(&cases).await;
    }
}

#[tokio::test]
async fn only_three_parts_of_strict_base64url_are_accepted() {
    let fixture = Fixture::new(TokenProfile::Auth0);
    let token = fixture.key.token(&fixture.good());
    let parts: Vec<&str> = token.split('.').collect();
    let payload = parts[1];
    let (front, last) = token.split_at(token.len() - 1);
    // A signature of 256 bytes leaves stray bits in its last character.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let stray = alphabet.as_bytes()[alphabet.find(last).unwrap() ^ 1];
    let general = json!({"payload": payload, "signatures": [{"protected": parts[0], "signature": parts[2]}]});
    let flat = json!({"payload": payload, "protected": parts[0], "signature": parts[2]});
    let bad = "MALFORMED_TOKEN";
    let cases = vec![
        case("V19", "five parts", format!("{token}.{payload}.{payload}"), bad),
        case("V19", "JSON", general.to_string(), bad),
        case("V19", "flat JSON", flat.to_string(), bad),
        case("V19", "nested", fixture.headed("cty", json!("JWT")), bad),
        case("V19", "compressed", fixture.headed("zip", json!("DEF")), bad),
        case("V20", "padded", format!("{token}="), bad),
        case("V20", "a padded payload", fixture.key.token_of_parts(parts[0], &format!("{payload}=")), bad),
        case("V20", "the other alphabet", format!("{front}+"), bad),
        case("V20", "a slash", format!("{front}/"), bad),
        case("V20", "a space", token.replacen('.', ". ", 1), bad),
        case("V20", "a newline", format!("{token}\n"), bad),
        case("V20", "stray bits", format!("{front}{}", char::from(stray)), bad),
        case("V20", "four parts", format!("{token}.{}", encode("x")), bad),
        case("V20", "dots", ".".repeat(100_000), bad),
        case("V20", "unchanged", token.clone(), None),
    ];
    fixture.check(&cases).await;
}
