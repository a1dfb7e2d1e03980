//! Project Wycheproof's JWS and JWK files, where they stand: `VESTIBULE_VECTORS` names their folder.
//!
//! Their payloads are no claims, so what is judged is all that comes before: form, header, key, signature.

use serde_json::{Value, json};

use super::bearer::parse;
use super::claims::verified_signature;
use super::key_set::KeySet;
use super::settings::{ClaimsSettings, TokenProfile};

/// Signature vectors whose mark we do not follow, and why.
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
    (347, "marked valid: the key says ES521, which is no algorithm"),
    (350, "marked valid: PS384 with a key that says PS256"),
    (351, "marked valid: the key says ES521, which is no algorithm"),
];

/// Key vectors whose mark we do not follow, and why.
const KEYS_DECIDED_OTHERWISE: &[(u64, &str)] =
    &[(7, "a ROCA key: found by a fingerprint of its modulus; keys here come from the tenant alone")];

/// Whether a token with this signature would get as far as its claims.
fn accepted(keys: &Value, token: &str) -> bool {
    let set = if keys.get("keys").is_some() { keys.clone() } else { json!({ "keys": [keys] }) };
    let Ok(set) = KeySet::parse(&set.to_string(), &ClaimsSettings::ALGORITHMS) else { return false };
    let Ok(bearer) = parse(token) else { return false };
    verified_signature(&bearer, &ClaimsSettings::ALGORITHMS, TokenProfile::Auth0, &set).is_ok()
}

/// Runs a file; gives how many vectors there were and which were decided against their mark.
#[expect(clippy::disallowed_methods, reason = "the vectors stand outside the project, where a variable says")]
fn run(file: &str) -> Option<(usize, Vec<u64>)> {
    let Some(folder) = std::env::var_os("VESTIBULE_VECTORS") else {
        // Shown with `--nocapture`: a test can not end as skipped.
        eprintln!("skipped: VESTIBULE_VECTORS does not name the folder of Project Wycheproof's {file}");
        return None;
    };
    let text = std::fs::read_to_string(std::path::Path::new(&folder).join(file)).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let (mut count, mut otherwise) = (0, Vec::new());
    for group in document["testGroups"].as_array().unwrap() {
        // Symmetric keys have no public half; what is given must never be taken for one.
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
fn signatures_are_judged_as_wycheproof_marks_them() {
    let Some((count, otherwise)) = run("json_web_signature.json") else { return };
    assert_eq!((count, otherwise), (401, ids(SIGNATURES_DECIDED_OTHERWISE)));
}

#[test]
fn keys_are_judged_as_wycheproof_marks_them() {
    let Some((count, otherwise)) = run("json_web_key.json") else { return };
    assert_eq!((count, otherwise), (26, ids(KEYS_DECIDED_OTHERWISE)));
}
