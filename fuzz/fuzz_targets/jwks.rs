//! Any bytes as a key set: nothing panics, and a set that is taken is small, usable and free of secrets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use vestibule::auth::{ClaimsSettings, KeySet};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(set) = KeySet::parse(text, &ClaimsSettings::ALGORITHMS) else { return };
    assert!((1..=16).contains(&set.count()));
    assert!(set.count() == 1 || set.find(None).is_none(), "without a kid only the key of a set of one is found");

    let plain: Value = serde_json::from_str(text).expect("only JSON is accepted");
    let keys = plain["keys"].as_array().expect("a set has keys");
    for key in keys {
        for secret in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(key.get(secret).is_none(), "a set with secrets is refused");
        }
        let Some(kid) = key["kid"].as_str() else { continue };
        let Some(found) = set.find(Some(kid)) else { continue };
        assert_eq!(keys.iter().filter(|other| other["kid"] == kid).count(), 1, "a kid names one key");
        if let Some(algorithm) = key["alg"].as_str() {
            assert_eq!(format!("{:?}", found.algorithm), algorithm);
        }
    }
});
