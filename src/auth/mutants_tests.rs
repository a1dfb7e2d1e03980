//! Tens of thousands of changed tokens: what is accepted means, to the byte, what its issuer signed.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::Claims;
use super::forge::{AUDIENCE, Desk};
use super::mutants::{Fate, Minted, Mutants};
use super::settings::{ClaimsSettings, TokenProfile};

/// How many mutants a run makes.
const RUN: usize = 20_000;
/// How many are written for other libraries to judge.
const WRITTEN: usize = 2_000;
/// Where the mutants begin unless `VESTIBULE_SEED` says otherwise. A failure names the seed it was seen with.
const SEED: u64 = 1;

#[expect(clippy::disallowed_methods, reason = "a run is steered from outside, as the vectors' is")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn seed() -> u64 {
    variable("VESTIBULE_SEED").map_or(SEED, |seed| seed.parse().unwrap())
}

fn desk(mutants: &Mutants) -> Desk {
    let signers: Vec<_> = mutants.signers.iter().map(|(issuer, signer)| (*issuer, signer)).collect();
    Desk::open(&signers, TokenProfile::Auth0)
}

fn now() -> i64 {
    crate::clock::Clock::system().now().as_second()
}

/// An object as text: what two readings must agree on to the byte.
fn spelled(object: &Map<String, Value>) -> String {
    serde_json::to_string(object).unwrap()
}

/// What must hold of an accepted token, read by another JSON reader than the gate's and judged by other code.
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
        ("it is read as it was signed", spelled(claims.payload()) == spelled(&read)),
        (
            "its issuer is that of its key",
            text("iss") == Some(minted.issuer) && claims.issuer() == minted.issuer,
        ),
        ("its key is the one it names", header.get("kid") == Some(&json!(minted.kid))),
        ("its algorithm is that of its key", header.get("alg") == Some(&json!(minted.algorithm))),
        (
            "nothing in its header would change its meaning",
            !["crit", "zip", "cty", "b64", "jwk", "jku", "x5u"].iter().any(|name| header.contains_key(*name)),
        ),
        ("it is for this door", audience),
        (
            "it has a subject",
            text("sub").is_some_and(|sub| !sub.is_empty()) && text("sub") == Some(claims.subject()),
        ),
        ("it ends in time", number("exp").is_some_and(|exp| exp > now - 5.0 && exp < now + 31.0 * 86_400.0)),
        (
            "it ends when it says",
            number("exp")
                .is_some_and(|exp| (claims.expires_at().as_duration().as_secs_f64() - exp).abs() < 0.001),
        ),
        (
            "it has begun",
            ["nbf", "iat"]
                .iter()
                .all(|name| !present(name) || number(name).is_some_and(|time| time <= now + 5.0)),
        ),
        ("it is no ID token", !present("nonce") && !present("at_hash")),
        (
            "its scope is as written",
            claims.scope() == text("scope") && (present("scope") == claims.scope().is_some()),
        ),
    ] {
        if !holds {
            return Err(format!("accepted, but not so: {what}"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_accepted_mutant_means_what_its_issuer_signed() {
    let (seed, now) = (seed(), now());
    println!("VESTIBULE_SEED={seed}");
    let mut mutants = Mutants::new(seed, now);
    let desk = desk(&mutants);
    let (mut ends, mut accepted) = (BTreeMap::<&str, [usize; 2]>::new(), 0);
    for i in 0..RUN {
        let mutant = mutants.next();
        let told = || format!("VESTIBULE_SEED={seed}, mutant {i}, {}: {}", mutant.kind, mutant.token);
        let judged = desk.judge(&mutant.token).await;
        match (&judged, mutant.fate) {
            (Ok(_), Fate::Refused) => panic!("accepted: {}", told()),
            (Err(refusal), Fate::Accepted) => panic!("{}: {}", refusal.code(), told()),
            (Err(refusal), _) => assert_eq!(refusal.status(), 401, "{}", told()),
            (Ok(claims), _) => {
                let minted = mutants.minted.get(&mutant.token);
                let minted = minted.unwrap_or_else(|| panic!("nobody signed this: {}", told()));
                sound(claims, minted, desk.seconds() as f64)
                    .unwrap_or_else(|why| panic!("{why}: {}", told()));
                accepted += 1;
            }
        }
        ends.entry(mutant.kind).or_default()[usize::from(judged.is_ok())] += 1;
    }
    // A run that accepts nothing, or in which a kind is missing, has shown nothing.
    println!("{ends:#?}");
    assert!(
        ends.len() == 16 && ends.values().all(|[refused, accepted]| refused + accepted > RUN / 32),
        "{ends:?}"
    );
    assert!((RUN / 20..RUN / 2).contains(&accepted), "{accepted} of {RUN} were accepted");
}

#[tokio::test]
#[ignore = "writes mutants for other libraries to judge; `make e2e` runs it"]
async fn mutants_and_how_they_ended_are_written_down() {
    let Some(path) = variable("VESTIBULE_MUTANTS") else {
        panic!("VESTIBULE_MUTANTS names the file to write")
    };
    let seed = seed();
    let mut mutants = Mutants::new(seed, now());
    let desk = desk(&mutants);
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
        let refused = desk.judge(&mutant.token).await.err().map(|refusal| refusal.code());
        let line = json!({"kind": mutant.kind, "token": mutant.token, "refused": refused});
        writeln!(lines, "{line}").unwrap();
    }
    std::fs::write(path, lines).unwrap();
}
