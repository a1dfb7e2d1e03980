//! V04 to V20: the token itself.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Value, json};

use super::{Table, row};
use crate::auth::forge::{AUDIENCE, NAMESPACE, Signer, TENANT, encode, hmac_token};
use crate::auth::settings::TokenProfile;

#[tokio::test]
async fn algorithms_that_need_no_key_or_a_public_one_are_refused() {
    let table = Table::lay(TokenProfile::Auth0);
    let claims = table.good();
    let mut rows = Vec::new();
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = json!({"alg": alg, "kid": "one"}).to_string();
        let signed = table.key.token_of(&header, &claims.to_string());
        let (message, _) = signed.rsplit_once('.').unwrap();
        rows.push(row("V04", format!("{alg}, no signature"), format!("{message}."), "MALFORMED_TOKEN"));
        rows.push(row("V04", format!("{alg}, two parts"), message.to_owned(), "MALFORMED_TOKEN"));
        rows.push(row("V04", format!("{alg}, signed all the same"), signed, "BAD_ALGORITHM"));
    }
    for (what, secret) in ["DER", "PEM", "JWK", "modulus"].iter().zip(table.key.as_if_secret()) {
        let header = json!({"alg": "HS256", "typ": "JWT", "kid": "one"});
        rows.push(row("V05", what, hmac_token(&header, &claims, &secret), "BAD_ALGORITHM"));
        // The same under the algorithm of the key: then it is no signature.
        rows.push(row("V05", what, hmac_token(&table.key.header(), &claims, &secret), "BAD_SIGNATURE"));
    }
    assert_eq!(rows.len(), 20);
    table.holds(&rows).await;
}

#[tokio::test]
async fn a_header_brings_no_key_of_its_own_and_calls_nobody() {
    let table = Table::lay(TokenProfile::Auth0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys.json", listener.local_addr().unwrap());
    let stranger = Signer::new("RS256", "one");
    let mut rows = vec![
        row("V06", "jku", table.headed("jku", json!(url)), "MALFORMED_TOKEN"),
        row("V06", "x5u", table.headed("x5u", json!(url)), "MALFORMED_TOKEN"),
        row("V06", "jwk", table.headed("jwk", stranger.jwk()), "MALFORMED_TOKEN"),
    ];
    for (member, value) in [("jku", json!(url)), ("x5u", json!(url)), ("jwk", stranger.jwk())] {
        let mut header = stranger.header();
        header[member] = value;
        let token = stranger.token_of(&header.to_string(), &table.good().to_string());
        rows.push(row("V06", format!("{member}, signed with its key"), token, "MALFORMED_TOKEN"));
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
        rows.push(row("V07", what, table.headed("kid", kid), code));
    }
    for crit in [json!(["x"]), json!([]), json!("exp")] {
        rows.push(row("V08", crit.to_string(), table.headed("crit", crit), "MALFORMED_TOKEN"));
    }
    let mut unencoded = table.key.header();
    (unencoded["crit"], unencoded["b64"]) = (json!(["b64"]), json!(false));
    let token = table.key.token_of(&unencoded.to_string(), &table.good().to_string());
    rows.push(row("V08", "b64 false, and critical", token, "MALFORMED_TOKEN"));
    table.holds(&rows).await;
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "V06: nobody was called");
}

#[tokio::test]
async fn a_member_that_stands_twice_is_refused_whatever_it_says() {
    let table = Table::lay(TokenProfile::Auth0);
    let (header, claims) = (table.key.header().to_string(), table.good().to_string());
    let mut rows = Vec::new();
    for member in [r#""alg":"RS256""#, r#""kid":"one""#, r#""x":1,"x":1"#] {
        let header = header.replacen('{', &format!("{{{member},"), 1);
        rows.push(row("V09", member, table.key.token_of(&header, &claims), "MALFORMED_TOKEN"));
    }
    let exp = format!("\"exp\":{}", table.desk.seconds() + 3600);
    let roles = format!("\"{NAMESPACE}roles\":[\"admin\"],\"{NAMESPACE}roles\":[]");
    for member in [&exp, r#""sub":"auth0|1""#, r#""s\u0075b":"auth0|1""#, &roles, r#""x":{"a":1,"a":1}"#] {
        let claims = claims.replacen('{', &format!("{{{member},"), 1);
        rows.push(row("V09", member, table.key.token_of(&header, &claims), "MALFORMED_TOKEN"));
    }
    table.holds(&rows).await;
}

#[tokio::test]
async fn times_are_numbers_and_near() {
    let table = Table::lay(TokenProfile::Auth0);
    let now = table.desk.seconds();
    let mut rows = vec![row("V10", "no exp", table.without("exp"), "BAD_CLAIMS")];
    for exp in [
        json!(null),
        json!("9999999999"),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(18_446_744_073_709_551_616_f64),
        json!(now * 1000),
    ] {
        rows.push(row("V10", format!("exp {exp}"), table.with("exp", exp), "BAD_CLAIMS"));
    }
    // The door's time stands still, with a fraction that a whole second of margin covers.
    for (what, exp, code) in [
        ("4 s ago", json!(now - 4), None),
        ("6 s ago", json!(now - 6), Some("EXPIRED")),
        ("a fraction", json!(now as f64 + 30.25), None),
    ] {
        rows.push(row("V11", what, table.with("exp", exp), code));
    }
    for (claim, value, code) in [
        ("nbf", json!(now + 3600), "NOT_YET_VALID"),
        ("nbf", json!((now - 1).to_string()), "BAD_CLAIMS"),
        ("iat", json!(now + 86_400), "NOT_YET_VALID"),
        ("iat", json!([now]), "BAD_CLAIMS"),
    ] {
        rows.push(row("V12", format!("{claim} {value}"), table.with(claim, value), code));
    }
    table.holds(&rows).await;
}

#[tokio::test]
async fn audience_and_issuer_are_ours_byte_for_byte() {
    let table = Table::lay(TokenProfile::Auth0);
    let mut rows = vec![
        row("V13", "no aud", table.without("aud"), "WRONG_AUDIENCE"),
        row("V15", "no iss", table.without("iss"), "WRONG_ISSUER"),
        row(
            "V14",
            "and the tenant's own",
            table.with("aud", json!([AUDIENCE, format!("{TENANT}userinfo")])),
            None,
        ),
        row(
            "V16",
            "the other door's",
            table.with("aud", json!("https://internal.example/")),
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
        rows.push(row("V13", aud.to_string(), table.with("aud", aud), "WRONG_AUDIENCE"));
    }
    for iss in [
        json!(TENANT.trim_end_matches('/')),
        json!(format!("{}.evil.com/", TENANT.trim_end_matches('/'))),
        json!(TENANT.to_uppercase()),
        json!([TENANT]),
        json!(["https://evil.example/", TENANT]),
        json!(null),
    ] {
        rows.push(row("V15", iss.to_string(), table.with("iss", iss), "WRONG_ISSUER"));
    }
    let mut id_token = table.good();
    (id_token["aud"], id_token["nonce"]) = (json!("spa"), json!("n"));
    rows.push(row("V17", "an ID token", table.key.token(&id_token), "BAD_CLAIMS"));
    rows.push(row("V17", "and for this door", table.with("nonce", json!("n")), "BAD_CLAIMS"));
    rows.push(row("V17", "aud is the client", table.with("aud", json!("spa")), "WRONG_AUDIENCE"));
    table.holds(&rows).await;
}

#[tokio::test]
async fn types_are_those_of_access_tokens_in_the_dialect_that_is_set() {
    for profile in [TokenProfile::Auth0, TokenProfile::Rfc9068] {
        let table = Table::lay(profile);
        let mut claims = table.good();
        (claims["client_id"], claims["jti"]) = (json!("spa"), json!("1"));
        let token = |header: Value| table.key.token_of(&header.to_string(), &claims.to_string());
        let mut rows = Vec::new();
        for (typ, lax_only) in [
            (Some("at+jwt"), false),
            (Some("application/at+jwt"), false),
            (Some("AT+JWT"), false),
            (Some("JWT"), true),
            (None, true),
        ] {
            let mut header = table.key.header();
            header.as_object_mut().unwrap().remove("typ");
            if let Some(typ) = typ {
                header["typ"] = json!(typ);
            }
            let code = (lax_only && profile == TokenProfile::Rfc9068).then_some("MALFORMED_TOKEN");
            rows.push(row("V18", format!("{typ:?} {profile:?}"), token(header), code));
        }
        for typ in [json!("secevent+jwt"), json!("dpop+jwt"), json!("logout+jwt"), json!(1)] {
            rows.push(row("V18", typ.to_string(), table.headed("typ", typ), "MALFORMED_TOKEN"));
        }
        table.holds(&rows).await;
    }
}

#[tokio::test]
async fn only_three_parts_of_strict_base64url_are_read() {
    let table = Table::lay(TokenProfile::Auth0);
    let token = table.key.token(&table.good());
    let parts: Vec<&str> = token.split('.').collect();
    let payload = parts[1];
    let (front, last) = token.split_at(token.len() - 1);
    // A signature of 256 bytes leaves bits over in its last character.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let stray = alphabet.as_bytes()[alphabet.find(last).unwrap() ^ 1];
    let general = json!({"payload": payload, "signatures": [{"protected": parts[0], "signature": parts[2]}]});
    let flat = json!({"payload": payload, "protected": parts[0], "signature": parts[2]});
    let bad = "MALFORMED_TOKEN";
    let rows = vec![
        row("V19", "five parts", format!("{token}.{payload}.{payload}"), bad),
        row("V19", "JSON", general.to_string(), bad),
        row("V19", "flat JSON", flat.to_string(), bad),
        row("V19", "nested", table.headed("cty", json!("JWT")), bad),
        row("V19", "compressed", table.headed("zip", json!("DEF")), bad),
        row("V20", "padded", format!("{token}="), bad),
        row("V20", "a padded payload", table.key.token_of_parts(parts[0], &format!("{payload}=")), bad),
        row("V20", "the other alphabet", format!("{front}+"), bad),
        row("V20", "a slash", format!("{front}/"), bad),
        row("V20", "a space", token.replacen('.', ". ", 1), bad),
        row("V20", "a newline", format!("{token}\n"), bad),
        row("V20", "bits that no byte owns", format!("{front}{}", char::from(stray)), bad),
        row("V20", "four parts", format!("{token}.{}", encode("x")), bad),
        row("V20", "dots", ".".repeat(100_000), bad),
        row("V20", "unchanged", token.clone(), None),
    ];
    table.holds(&rows).await;
}
