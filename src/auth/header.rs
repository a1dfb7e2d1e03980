//! The header policy of the claims stage (RFC 7515 §4.1, RFC 8725 §3).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::Refusal;
use super::json::{self, Json};
use super::policy::TokenProfile;

/// The members of a token's header that the gate uses.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
}

/// Checks the header of a token.
pub(super) fn header(
    base64url: impl AsRef<[u8]>,
    allowed: &[(&'static str, Algorithm)],
    profile: TokenProfile,
) -> Result<Header, Refusal> {
    let bytes = decode_base64url(base64url)?;
    let header = json::borrowed(&bytes).map_err(ambiguous)?;
    // Members that would change how the token is read, or where its key comes from.
    let is_refused = |name| matches!(name, "crit" | "zip" | "cty" | "jwk" | "jku" | "x5u" | "b64" | "enc");
    if header.names().any(is_refused) {
        return Err(Refusal::BadHeader("The header of the token has a member that is not supported."));
    }
    let algorithm = header
        .text("alg")
        .and_then(|name| allowed.iter().find(|(allowed, _)| *allowed == name))
        .map(|(_, algorithm)| *algorithm)
        .ok_or(Refusal::BadAlgorithm("The token is signed with an algorithm that is not allowed here."))?;
    if !is_access_token_type(header.get("typ"), profile) {
        return Err(Refusal::BadHeader(
            "The header of the token names another type than access token (typ).",
        ));
    }
    let is_valid =
        |kid: &&str| (1..=256).contains(&kid.len()) && kid.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let malformed = Refusal::BadHeader("The key id in the header of the token is malformed (kid).");
    let kid = header.get("kid").map(|kid| kid.as_str().filter(is_valid).ok_or(malformed)).transpose()?;
    let kid = kid.map(str::to_owned);
    Ok(Header { algorithm, kid })
}

/// Types are compared without case, and a type without a slash is below `application/` (RFC 7515 §4.1.9).
fn is_access_token_type(typ: Option<&Json<'_>>, profile: TokenProfile) -> bool {
    let lenient = profile == TokenProfile::Auth0;
    match typ {
        None => lenient,
        Some(Json::String(typ)) => {
            let is_one_of = |names: [&str; 2]| names.iter().any(|name| typ.eq_ignore_ascii_case(name));
            is_one_of(["at+jwt", "application/at+jwt"]) || lenient && is_one_of(["jwt", "application/jwt"])
        }
        Some(_) => false,
    }
}

/// Decodes one part of a token strictly: no padding, no other alphabet, no stray bits (RFC 7515 §2).
pub(super) fn decode_base64url(base64url: impl AsRef<[u8]>) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD
        .decode(base64url)
        .map_err(|_| Refusal::BadHeader("The token is not a JWT: one of its parts is not strict base64url."))
}

/// Decodes one part of a token as an unambiguous JSON object.
pub(super) fn decode(base64url: impl AsRef<[u8]>) -> Result<Map<String, Value>, Refusal> {
    json::object(&decode_base64url(base64url)?).map_err(ambiguous)
}

pub(super) fn ambiguous(_: serde_json::Error) -> Refusal {
    Refusal::BadHeader("The token is not a JWT: one of its parts is not an unambiguous JSON object.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(header_json: &Value, profile: TokenProfile) -> Result<Header, Refusal> {
        let base64url = URL_SAFE_NO_PAD.encode(header_json.to_string());
        header(&base64url, &[("RS256", Algorithm::RS256)], profile)
    }

    #[test]
    fn only_access_token_types_pass() {
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
            assert_eq!(read(&header, TokenProfile::Auth0).is_ok(), auth0, "{typ}");
            assert_eq!(read(&header, TokenProfile::Rfc9068).is_ok(), rfc9068, "{typ}");
        }
        assert!(read(&json!({"alg": "RS256"}), TokenProfile::Auth0).is_ok());
        assert!(read(&json!({"alg": "RS256"}), TokenProfile::Rfc9068).is_err());
    }

    #[test]
    fn only_configured_algorithms_pass() {
        for alg in ["none", "None", "NONE", "nOnE", "HS256", "rs256", "RS384", "RS256 ", ""] {
            let refusal = read(&json!({"alg": alg}), TokenProfile::Auth0).unwrap_err();
            assert_eq!(refusal.code(), "BAD_ALGORITHM", "{alg}");
        }
        assert_eq!(
            read(&json!({"alg": ["RS256"]}), TokenProfile::Auth0).unwrap_err().code(),
            "BAD_ALGORITHM"
        );
        assert_eq!(read(&json!({}), TokenProfile::Auth0).unwrap_err().code(), "BAD_ALGORITHM");
    }

    #[test]
    fn members_that_change_the_meaning_of_a_token_are_refused() {
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
            let refusal = read(&json!({"alg": "RS256", name: value}), TokenProfile::Auth0).unwrap_err();
            assert_eq!(refusal.code(), "MALFORMED_TOKEN", "{name}: {value}");
        }
        let strange =
            read(&json!({"alg": "RS256", "kid": "../../dev/null' OR 1=1--"}), TokenProfile::Auth0).unwrap();
        assert_eq!(strange.kid.as_deref(), Some("../../dev/null' OR 1=1--"));
    }

    #[test]
    fn base64url_is_decoded_strictly() {
        assert_eq!(decode_base64url("AQAB").unwrap(), [1, 0, 1]);
        // Padding, the other alphabet, white space, and stray bits.
        for bad in ["AQAB=", "AQ==", "+/+/", "AQ AB", "AQ\n", "AR", "A"] {
            assert!(decode_base64url(bad).is_err(), "{bad:?}");
        }
    }
}
