//! Any bytes as a token: nothing panics, and a plain JSON reader reads the same.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use vestibule::auth::{ClaimsSettings, Policy, TokenProfile, fuzzing};

/// The time of the tokens in the corpus, within an hour.
const NOW: i64 = 1_790_000_000;

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let settings = ClaimsSettings {
        namespace: "https://ns.example/".into(),
        algorithms: ClaimsSettings::ALGORITHMS.iter().map(|(name, _)| (*name).to_owned()).collect(),
        leeway: Duration::from_secs(5),
        max_lifetime: Duration::from_secs(86_400),
        keys_max_age: Duration::from_secs(86_400),
        profile: TokenProfile::Auth0,
        agents: vestibule::auth::Agents::Refuse,
    };
    Policy::new(&settings, "https://public.example/")
});

fuzz_target!(|data: &[u8]| {
    // After a first byte of 0 or a line break, the input is header and payload as JSON, separated by a line break: base64 is
    // hard to guess for a fuzzer.
    let token = match data.split_first() {
        Some((0 | b'\n', rest)) => {
            let at = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let (header, payload) = rest.split_at(at);
            let payload = payload.get(1..).unwrap_or_default();
            format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
        }
        _ => String::from_utf8_lossy(data).into_owned(),
    };
    let now = Timestamp::from_second(NOW).unwrap();
    let Some(reading) = fuzzing::read(&token, &POLICY, now) else { return };

    let parts: Vec<&str> = token.split('.').collect();
    let plain = |part: &str| -> Map<String, Value> {
        let bytes = URL_SAFE_NO_PAD.decode(part).expect("only strict base64url is accepted");
        serde_json::from_slice(&bytes).expect("only JSON objects are accepted")
    };
    assert_eq!(parts.len(), 3);
    assert_eq!(reading.header, plain(parts[0]));
    assert_eq!(reading.payload, plain(parts[1]));
    if reading.accepted {
        let sub = reading.payload["sub"].as_str().expect("an accepted token has a subject");
        assert!(!sub.is_empty() && !sub.chars().any(char::is_control));
        let exp = reading.payload["exp"].as_f64().expect("an accepted token ends");
        assert!(exp >= (NOW - 5) as f64 && exp <= (NOW + 86_400) as f64);
    }
});
