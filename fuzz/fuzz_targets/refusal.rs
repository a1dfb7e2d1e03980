//! Any refusal with any `Accept` header: the response is valid HTTP, JSON and RFC 6750.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use vestibule::auth::Refusal;
use vestibule::scope::Permissions;
use warp::http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

fn refusal(from: &mut Unstructured<'_>) -> Option<Refusal> {
    let time = Duration::from_secs(u64::arbitrary(from).ok()?);
    Some(match u8::arbitrary(from).ok()? % 24 {
        0 => Refusal::MalformedRequest("Two Authorization headers were sent; send one."),
        1 => Refusal::NoToken,
        2 => Refusal::MalformedToken("The token is longer than 16 KiB."),
        3 => Refusal::BadHeader("The header of the token has a malformed key id (kid)."),
        4 => Refusal::UnknownKey,
        5 => Refusal::BadSignature,
        6 => Refusal::BadAlgorithm("The token is signed with an algorithm that is not allowed here."),
        7 => Refusal::WrongIssuer,
        8 => Refusal::WrongAudience,
        9 => Refusal::Expired { ago: time },
        10 => Refusal::NotYetValid,
        11 => Refusal::BadClaims("The token has no claim exp."),
        12 => Refusal::BadPayload("The user in the payload of the token is another one."),
        13 => Refusal::TokenRevoked,
        // What a door needs is configured, but a configuration is text too.
        14 => Refusal::NotPermitted { missing: Permissions::from_scope(<&str>::arbitrary(from).ok()?) },
        15 => Refusal::Blocked,
        16 => Refusal::Erased,
        17 => Refusal::NoSuchUser,
        18 => Refusal::EmailConflict,
        19 => Refusal::KeysUnavailable,
        20 => Refusal::ProfileUnavailable { retry_after: time },
        21 => Refusal::BoundToken,
        22 => Refusal::AgentRefused,
        _ => Refusal::Busy,
    })
}

/// The parameters of a challenge: names and quoted strings, as RFC 9110 §11.2 and RFC 6750 §3 have them.
fn parameters(challenge: &str) -> Vec<(&str, &str)> {
    let mut rest = challenge.strip_prefix("Bearer ").expect("the scheme is Bearer");
    let mut parameters = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").expect("a name and the beginning of a quoted string");
        let (value, after) = after.split_once('"').expect("the end of a quoted string");
        parameters.push((name, value));
        if after.is_empty() {
            return parameters;
        }
        rest = after.strip_prefix(", ").expect("another parameter");
    }
}

fuzz_target!(|data: &[u8]| {
    let mut from = Unstructured::new(data);
    let Some(refusal) = refusal(&mut from) else { return };
    let mut headers = warp::http::HeaderMap::new();
    if let Ok(accept) = HeaderValue::from_bytes(from.take_rest()) {
        headers.insert(ACCEPT, accept);
    }
    let (status, answer, body) = vestibule::api::fuzzing::render_refusal(refusal.clone(), &headers);

    assert_eq!(status, refusal.status());
    let body: Value = serde_json::from_slice(&body).expect("the body is JSON");
    let error = &body["errors"][0];
    assert_eq!(error["extensions"]["code"], refusal.code());
    assert_eq!(error["message"], &*refusal.message());
    assert!(answer[CONTENT_TYPE].to_str().is_ok_and(|media| media.contains("json")));
    assert_eq!(answer.contains_key(RETRY_AFTER), status == 503);
    assert_eq!(answer.contains_key(WWW_AUTHENTICATE), status != 503, "{refusal:?}");
    if let Some(challenge) = answer.get(WWW_AUTHENTICATE) {
        let parameters = parameters(challenge.to_str().expect("a challenge is ASCII"));
        for (i, (name, value)) in parameters.iter().enumerate() {
            assert!(["realm", "error", "error_description", "scope"].contains(name), "{challenge:?}");
            assert!(!parameters[..i].iter().any(|(before, _)| before == name), "{name} is repeated");
            assert!(value.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)));
        }
        assert_eq!(parameters.iter().any(|(name, _)| *name == "error"), refusal != Refusal::NoToken);
    }
});
