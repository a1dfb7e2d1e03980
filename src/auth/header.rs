//! The header policy of the claims stage: what a token may say of itself (RFC 7515 §4.1, RFC 8725 §3).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::settings::TokenProfile;
use super::{Refusal, json};

/// The header of a token, reduced to what is used of it.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
}

/// The header policy: RFC 7515 §4.1, RFC 8725 §3.
pub(super) fn header(
    part: &str,
    allowed: &[(&'static str, Algorithm)],
    profile: TokenProfile,
) -> Result<Header, Refusal> {
    let header = decode(part)?;
    for unsupported in ["crit", "zip", "cty", "jwk", "jku", "x5u", "b64", "enc"] {
        if header.contains_key(unsupported) {
            return Err(Refusal::BadHeader("The header of the token has a member that is not supported."));
        }
    }
    let algorithm = header
        .get("alg")
        .and_then(Value::as_str)
        .and_then(|name| allowed.iter().find(|(allowed, _)| *allowed == name))
        .map(|(_, algorithm)| *algorithm)
        .ok_or(Refusal::BadAlgorithm("The token is signed with an algorithm that is not allowed here."))?;
    if !typed(header.get("typ"), profile) {
        return Err(Refusal::BadHeader("The header of the token says that it is no access token (typ)."));
    }
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid))
            if (1..=256).contains(&kid.len()) && kid.bytes().all(|byte| (b' '..=b'~').contains(&byte)) =>
        {
            Some(kid.clone())
        }
        Some(_) => return Err(Refusal::BadHeader("The header of the token names no proper key (kid).")),
    };
    Ok(Header { algorithm, kid })
}

/// Types compare without case, and one without a slash is under `application/` (RFC 7515 §4.1.9).
fn typed(typ: Option<&Value>, profile: TokenProfile) -> bool {
    let is = |typ: &str, wanted: &str| {
        typ.eq_ignore_ascii_case(wanted)
            || typ.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("application/"))
                && typ.get(12..).is_some_and(|rest| rest.eq_ignore_ascii_case(wanted))
    };
    match typ {
        None => profile == TokenProfile::Auth0,
        Some(Value::String(typ)) => is(typ, "at+jwt") || profile == TokenProfile::Auth0 && is(typ, "JWT"),
        Some(_) => false,
    }
}

/// One part of a token, decoded strictly: no padding, no other alphabet, no stray bits (RFC 7515 §2).
pub(super) fn part(base64url: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD
        .decode(base64url)
        .map_err(|_| Refusal::BadHeader("The token is no JWT: one of its parts is not strict base64url."))
}

/// One part of a token as an unambiguous JSON object.
pub(super) fn decode(base64url: &str) -> Result<Map<String, Value>, Refusal> {
    json::object(&part(base64url)?).map_err(|_| {
        Refusal::BadHeader("The token is no JWT: one of its parts is no unambiguous JSON object.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judge(header_json: &Value, profile: TokenProfile) -> Result<Header, Refusal> {
        let part = URL_SAFE_NO_PAD.encode(header_json.to_string());
        header(&part, &[("RS256", Algorithm::RS256)], profile)
    }

    #[test]
    fn types_of_access_tokens_pass_and_others_do_not() {
        for (typ, auth0, rfc9068) in [
            (json!("at+jwt"), true, true),
            (json!("application/at+jwt"), true, true),
            (json!("AT+JWT"), true, true),
            (json!("JWT"), true, false),
            (json!("application/jwt"), true, false),
            (json!("secevent+jwt"), false, false),
            (json!("dpop+jwt"), false, false),
            (json!("logout+jwt"), false, false),
            (json!(1), false, false),
            (json!(null), false, false),
        ] {
            let header = json!({"alg": "RS256", "typ": typ});
            assert_eq!(judge(&header, TokenProfile::Auth0).is_ok(), auth0, "{typ}");
            assert_eq!(judge(&header, TokenProfile::Rfc9068).is_ok(), rfc9068, "{typ}");
        }
        assert!(judge(&json!({"alg": "RS256"}), TokenProfile::Auth0).is_ok());
        assert!(judge(&json!({"alg": "RS256"}), TokenProfile::Rfc9068).is_err());
    }

    #[test]
    fn only_configured_algorithms_pass() {
        for alg in ["none", "None", "NONE", "nOnE", "HS256", "rs256", "RS384", "RS256 ", ""] {
            let refusal = judge(&json!({"alg": alg}), TokenProfile::Auth0).unwrap_err();
            assert_eq!(refusal.code(), "BAD_ALGORITHM", "{alg}");
        }
        assert_eq!(
            judge(&json!({"alg": ["RS256"]}), TokenProfile::Auth0).unwrap_err().code(),
            "BAD_ALGORITHM"
        );
        assert_eq!(judge(&json!({}), TokenProfile::Auth0).unwrap_err().code(), "BAD_ALGORITHM");
    }

    #[test]
    fn members_that_would_change_the_meaning_refuse() {
        for (name, value) in [
            ("crit", json!(["x"])),
            ("crit", json!([])),
            ("zip", json!("DEF")),
            ("cty", json!("JWT")),
            ("jwk", json!({})),
            ("jku", json!("http://127.0.0.1/")),
            ("x5u", json!("http://127.0.0.1/")),
            ("b64", json!(false)),
            ("kid", json!(7)),
            ("kid", json!("")),
            ("kid", json!("a\u{0}")),
            ("kid", json!("k".repeat(257))),
        ] {
            let refusal = judge(&json!({"alg": "RS256", name: value}), TokenProfile::Auth0).unwrap_err();
            assert_eq!(refusal.code(), "MALFORMED_TOKEN", "{name}: {value}");
        }
        let strange =
            judge(&json!({"alg": "RS256", "kid": "../../dev/null' OR 1=1--"}), TokenProfile::Auth0).unwrap();
        assert_eq!(strange.kid.as_deref(), Some("../../dev/null' OR 1=1--"));
    }

    #[test]
    fn base64url_is_read_strictly() {
        assert_eq!(part("AQAB").unwrap(), [1, 0, 1]);
        // Padding, the other alphabet, white space, and bits that no byte owns.
        for bad in ["AQAB=", "AQ==", "+/+/", "AQ AB", "AQ\n", "AR", "A"] {
            assert!(part(bad).is_err(), "{bad:?}");
        }
    }
}
