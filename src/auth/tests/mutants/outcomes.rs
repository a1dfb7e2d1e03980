//! The gate on 20,000 mutants: every accepted token is, to the byte, one that its issuer signed.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{Expected, Minted, Mutants};
use crate::auth::tests::{AUDIENCE, TestDoor};
use crate::auth::{Claims, ClaimsSettings, TokenProfile};

/// How many mutants a run makes.
const RUN: usize = 20_000;
/// How many are written for other libraries to verify.
const WRITTEN: usize = 2_000;
/// The seed, unless `VESTIBULE_SEED` is set. A failure names its seed.
const SEED: u64 = 1;

#[expect(clippy::disallowed_methods, reason = "variables configure a run")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn seed() -> u64 {
    variable("VESTIBULE_SEED").map_or(SEED, |seed| seed.parse().unwrap())
}

fn door_for(mutants: &Mutants) -> TestDoor {
    let signers: Vec<_> = mutants.signers.iter().map(|(issuer, signer)| (*issuer, signer)).collect();
    TestDoor::open(&signers, TokenProfile::Auth0)
}

fn now() -> i64 {
    crate::clock::Clock::system().now().as_second()
}

/// An object as text, for comparison to the byte.
fn spelled(object: &Map<String, Value>) -> String {
    serde_json::to_string(object).unwrap()
}

/// Checks an accepted token with another JSON reader and other code than the gate's.
fn sound(claims: &Claims, minted: &Minted, now: f64) -> Result<(), String> {
    let header: Map<String, Value> = serde_json::from_str(&minted.header).map_err(|e| e.to_string())?;
    let read: Map<String, Value> = serde_json::from_str(&minted.payload).map_err(|e| e.to_string())?;
    let text = |name: &str| read.get(name).and_then(Value::as_str);
    let number = |name: &str| read.get(name).and_then(Value::as_f64);
    let present = |name: &str| read.contains_key(name);
    let audience = match read.get("aud") {
        Some(Value::Array(all)) => all.iter().all(Value::is_string) && all.contains(&json!(AUDIENCE)),
        Some(one) => *one == json!(AUDIENCE),
        None => false,
    };
    for (what, holds) in [
        ("its payload was read as signed", spelled(&claims.payload()) == spelled(&read)),
        (
            "its issuer is that of its key",
            text("iss") == Some(minted.issuer) && claims.issuer() == minted.issuer,
        ),
        ("its key is the one it names", header.get("kid") == Some(&json!(minted.kid))),
        ("its algorithm is that of its key", header.get("alg") == Some(&json!(minted.algorithm))),
        (
            "no member of its header changes its meaning",
            !["crit", "zip", "cty", "b64", "jwk", "jku", "x5u"].iter().any(|name| header.contains_key(*name)),
        ),
        ("it is for this door", audience),
        (
            "it has a subject",
            text("sub").is_some_and(|sub| !sub.is_empty()) && text("sub") == Some(claims.subject()),
        ),
        (
            "it expires within the limits",
            number("exp").is_some_and(|exp| exp > now - 5.0 && exp < now + 31.0 * 86_400.0),
        ),
        (
            "it expires at `exp`",
            number("exp")
                .is_some_and(|exp| (claims.expires_at().as_duration().as_secs_f64() - exp).abs() < 0.001),
        ),
        (
            "it is valid already",
            ["nbf", "iat"]
                .iter()
                .all(|name| !present(name) || number(name).is_some_and(|time| time <= now + 5.0)),
        ),
        ("it is not an ID token", !present("nonce") && !present("at_hash")),
        (
            "its scope is as signed",
            claims.text("scope") == text("scope") && (present("scope") == claims.text("scope").is_some()),
        ),
    ] {
        if !holds {
            return Err(format!("accepted, but false: {what}"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_accepted_mutant_is_what_its_issuer_signed() {
    let (seed, now) = (seed(), now());
    println!("VESTIBULE_SEED={seed}");
    let mut mutants = Mutants::new(seed, now);
    let door = door_for(&mutants);
    let (mut ends, mut accepted) = (BTreeMap::<&str, [usize; 2]>::new(), 0);
    for i in 0..RUN {
        let mutant = mutants.next();
        let context = || format!("VESTIBULE_SEED={seed}, mutant {i}, {}: {}", mutant.kind, mutant.token);
        let outcome = door.verify(&mutant.token).await;
        match (&outcome, mutant.expected) {
            (Ok(_), Expected::Refused) => panic!("accepted: {}", context()),
            (Err(refusal), Expected::Accepted) => panic!("{}: {}", refusal.code(), context()),
            (Err(refusal), _) => assert_eq!(refusal.status(), 401, "{}", context()),
            (Ok(claims), _) => {
                let minted = mutants.minted.get(&mutant.token);
                let minted = minted.unwrap_or_else(|| panic!("no key signed this: {}", context()));
                sound(claims, minted, door.seconds() as f64)
                    .unwrap_or_else(|why| panic!("{why}: {}", context()));
                accepted += 1;
            }
        }
        ends.entry(mutant.kind).or_default()[usize::from(outcome.is_ok())] += 1;
    }
    // A run that accepts nothing, or that lacks a kind, proves nothing.
    println!("{ends:#?}");
    assert!(
        ends.len() == 16 && ends.values().all(|[refused, accepted]| refused + accepted > RUN / 32),
        "{ends:?}"
    );
    assert!((RUN / 20..RUN / 2).contains(&accepted), "{accepted} of {RUN} were accepted");
}

#[tokio::test]
#[ignore = "writes mutants for other libraries to verify; `make e2e` runs it"]
async fn mutants_and_their_outcomes_are_written_to_a_file() {
    let Some(path) = variable("VESTIBULE_MUTANTS") else {
        panic!("VESTIBULE_MUTANTS names the file to write")
    };
    let seed = seed();
    let mut mutants = Mutants::new(seed, now());
    let door = door_for(&mutants);
    let mut keys = Map::new();
    for (issuer, signer) in &mutants.signers {
        keys.entry(*issuer).or_insert(json!({"keys": []}))["keys"].as_array_mut().unwrap().push(signer.jwk());
    }
    let algorithms = ClaimsSettings::ALGORITHMS.map(|(name, _)| name);
    let policy =
        json!({"seed": seed, "audience": AUDIENCE, "leeway": 5, "algorithms": algorithms, "keys": keys});
    let mut lines = format!("{policy}\n");
    for _ in 0..WRITTEN {
        let mutant = mutants.next();
        let refused = door.verify(&mutant.token).await.err().map(|refusal| refusal.code());
        let line = json!({"kind": mutant.kind, "token": mutant.token, "refused": refused});
        writeln!(lines, "{line}").unwrap();
    }
    std::fs::write(path, lines).unwrap();
}
