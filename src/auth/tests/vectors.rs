//! Project Wycheproof's JWS and JWK vectors, from the folder in `VESTIBULE_VECTORS`.
//!
//! Their payloads are not claims, so these tests check form, header, key and signature only.

use serde_json::{Value, json};

use crate::auth::claims::verify_signature;
use crate::auth::header::header;
use crate::auth::{ClaimsSettings, KeySet, TokenProfile, parse};

/// Signature vectors that we decide otherwise than marked, and why.
const SIGNATURES_DECIDED_OTHERWISE: &[(u64, &str)] = &[
    (
        259,
        "marked valid: an empty payload; ours is a JSON object, so an empty part is refused before decoding",
    ),
    (264, "marked valid: an empty payload"),
    (268, "marked valid: an empty payload"),
    (272, "marked valid: an empty payload"),
    (320, "marked valid: an empty payload"),
    (325, "marked valid: an empty payload"),
    (346, "marked valid: PS384 with a key that says PS256; RFC 8725 §3.1 ties a key to one algorithm"),
    (347, "marked valid: the key says ES521, which is not an algorithm"),
    (350, "marked valid: PS384 with a key that says PS256"),
    (351, "marked valid: the key says ES521, which is not an algorithm"),
];

/// Key vectors that we decide otherwise than marked, and why.
const KEYS_DECIDED_OTHERWISE: &[(u64, &str)] =
    &[(7, "a ROCA key: detected by a fingerprint of its modulus; our keys come from the tenant only")];

/// Whether every check before the claims policy accepts the token.
fn accepted(keys: &Value, token: &str) -> bool {
    let set = if keys.get("keys").is_some() { keys.clone() } else { json!({ "keys": [keys] }) };
    let allowed = &ClaimsSettings::ALGORITHMS;
    let (Ok(set), Ok(bearer)) = (KeySet::parse(&set.to_string(), allowed), parse(token)) else {
        return false;
    };
    let Ok(header) = header(bearer.header(), allowed, TokenProfile::Auth0) else { return false };
    let key = set.find(header.kid.as_deref());
    key.is_some_and(|key| verify_signature(&bearer, &header, key).is_ok())
}

/// Runs a file. Returns the number of vectors, and those decided otherwise than marked.
#[expect(
    clippy::disallowed_methods,
    reason = "a variable names the folder of the vectors, outside the project"
)]
fn run(file: &str) -> Option<(usize, Vec<u64>)> {
    let Some(folder) = std::env::var_os("VESTIBULE_VECTORS") else {
        // Shown with `--nocapture`: a test cannot end as skipped.
        eprintln!("skipped: VESTIBULE_VECTORS does not name the folder of Project Wycheproof's {file}");
        return None;
    };
    let text = std::fs::read_to_string(std::path::Path::new(&folder).join(file)).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let (mut count, mut otherwise) = (0, Vec::new());
    for group in document["testGroups"].as_array().unwrap() {
        // A symmetric key has no public half, and must never be taken for one.
        let keys = group.get("public").or(group.get("private")).unwrap();
        let symmetric = keys["kty"] == "oct" || keys.to_string().contains("\"kty\":\"oct\"");
        for test in group["tests"].as_array().unwrap() {
            count += 1;
            // An asymmetric verifier refuses every HMAC token, whatever its mark.
            let marked = test["result"] == "valid" && !symmetric;
            if accepted(keys, test["jws"].as_str().unwrap_or_default()) != marked {
                otherwise.push(test["tcId"].as_u64().unwrap());
            }
        }
    }
    Some((count, otherwise))
}

fn ids(decided: &[(u64, &str)]) -> Vec<u64> {
    let mut ids: Vec<u64> = decided.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn signatures_are_decided_as_wycheproof_marks_them() {
    let Some((count, otherwise)) = run("json_web_signature.json") else { return };
    assert_eq!((count, otherwise), (401, ids(SIGNATURES_DECIDED_OTHERWISE)));
}

#[test]
fn keys_are_decided_as_wycheproof_marks_them() {
    let Some((count, otherwise)) = run("json_web_key.json") else { return };
    assert_eq!((count, otherwise), (26, ids(KEYS_DECIDED_OTHERWISE)));
}
