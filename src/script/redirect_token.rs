//! The tokens of `api.redirect`: HS256 JWTs, signed with a secret that the action gives.
//!
//! Auth0, "Redirect with Actions": `sub`, `iss`, `ip` and `exp` (900 s) beside the payload; on the way back the signature,
//! `exp`, and that `state` is the one of the redirect.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// How long a token is good unless the action says otherwise, in seconds.
const LIFETIME: f64 = 900.0;

/// `api.redirect.encodeToken(options)`. `now` is in unix seconds.
pub(super) fn encode(event: &Value, options: &Value, now: i64) -> Result<String, String> {
    let secret = secret(options, "encodeToken")?;
    let mut claims = match options.get("payload") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(payload)) => payload.clone(),
        Some(_) => return Err("api.redirect.encodeToken: `payload` must be an object".to_owned()),
    };
    let seconds = options.get("expiresInSeconds").and_then(Value::as_f64).unwrap_or(LIFETIME);
    #[expect(clippy::cast_possible_truncation, reason = "a fraction of a second does not count")]
    let expires = now.saturating_add(seconds as i64);
    claims.insert("iat".to_owned(), now.into());
    claims.insert("exp".to_owned(), expires.into());
    for (claim, path) in [("iss", "/request/hostname"), ("sub", "/user/user_id"), ("ip", "/request/ip")] {
        claims.extend(event.pointer(path).map(|value| (claim.to_owned(), value.clone())));
    }
    let message =
        format!("{}.{}", part(&json!({"typ": "JWT", "alg": "HS256"})), part(&Value::Object(claims)));
    let tag = hmac::sign(&secret, message.as_bytes());
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag)))
}

/// `api.redirect.validateToken(options)`: the payload of the token in the request's query or body.
pub(super) fn validate(event: &Value, options: &Value, now: i64) -> Result<Value, String> {
    let secret = secret(options, "validateToken")?;
    let name = options.get("tokenParameterName").and_then(Value::as_str).unwrap_or("session_token");
    let parameter = |name: &str| {
        let of = |part| event.get("request")?.get(part)?.get(name)?.as_str();
        of("body").or_else(|| of("query"))
    };
    let refused = |problem: &str| format!("api.redirect.validateToken: {problem}");
    let token =
        parameter(name).ok_or_else(|| refused(&format!("the request has no parameter \"{name}\"")))?;
    let (message, tag) = token.rsplit_once('.').ok_or_else(|| refused("the token is not a JWT"))?;
    let (header, payload) = message.split_once('.').ok_or_else(|| refused("the token is not a JWT"))?;
    let json = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
    };
    let header = json(header).ok_or_else(|| refused("the token is not a JWT"))?;
    if header.get("alg").and_then(Value::as_str) != Some("HS256") {
        return Err(refused("the token's algorithm is not HS256"));
    }
    let tag = URL_SAFE_NO_PAD.decode(tag).unwrap_or_default();
    hmac::verify(&secret, message.as_bytes(), &tag).map_err(|_| refused("the signature is not valid"))?;
    let claims = json(payload).ok_or_else(|| refused("the token has no JSON payload"))?;
    #[expect(clippy::cast_precision_loss, reason = "unix seconds have far fewer bits than an f64")]
    if !claims.get("exp").and_then(Value::as_f64).is_some_and(|exp| exp > now as f64) {
        return Err(refused("the token has expired, or has no `exp`"));
    }
    if claims.get("state").and_then(Value::as_str) != parameter("state") || parameter("state").is_none() {
        return Err(refused("the token's `state` is not the one of the redirect"));
    }
    Ok(claims)
}

fn secret(options: &Value, member: &str) -> Result<hmac::Key, String> {
    let secret = options.get("secret").and_then(Value::as_str).filter(|secret| !secret.is_empty());
    let secret = secret.ok_or_else(|| format!("api.redirect.{member}: `secret` must be a string"))?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(token: &str, state: &str) -> Value {
        let request = json!({"hostname": "t.example", "ip": "127.0.0.1", "query": {"state": state}, "body": {"token": token}});
        json!({"user": {"user_id": "auth0|a"}, "request": request})
    }

    #[test]
    fn a_token_comes_back_with_its_payload_and_only_with_its_state_secret_and_time() {
        let options =
            json!({"secret": "s", "expiresInSeconds": 60, "payload": {"state": "abc", "n": 1, "sub": "x"}});
        let token = encode(&event("", ""), &options, 1000).unwrap();
        let check = |token: &str, state: &str, secret: &str, now| {
            validate(&event(token, state), &json!({"secret": secret, "tokenParameterName": "token"}), now)
        };
        let payload = check(&token, "abc", "s", 1059).unwrap();
        let expected = json!({
            "state": "abc", "n": 1, "sub": "auth0|a", "iss": "t.example", "ip": "127.0.0.1", "iat": 1000, "exp": 1060,
        });
        assert_eq!(payload, expected);
        let (message, _) = token.rsplit_once('.').unwrap();
        let unsigned = format!("{}.{}.", part(&json!({"alg": "none"})), message.split_once('.').unwrap().1);
        for (token, state, secret, now, problem) in [
            (token.as_str(), "abc", "s", 1060, "expired"),
            (&token, "abd", "s", 1000, "state"),
            (&token, "abc", "t", 1000, "signature"),
            (&format!("{message}.AAAA"), "abc", "s", 1000, "signature"),
            (&unsigned, "abc", "s", 1000, "algorithm"),
            ("a.b", "abc", "s", 1000, "not a JWT"),
        ] {
            let error = check(token, state, secret, now).unwrap_err();
            assert!(error.contains(problem), "{token} {error}");
        }
        let error = validate(&event("", "abc"), &json!({"secret": "s"}), 0).unwrap_err();
        assert!(error.contains("no parameter \"session_token\""), "{error}");
    }
}
