//! Tests of the gate, and what they share: settings, claims, and a door that trusts keys of its own.

mod cases;
mod claims;
mod forge;
mod kept_rows;
mod keys;
mod mutants;
mod refusal;
mod vectors;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::claims::{Payload, claims, validate};
use super::{
    Agents, Bearer, Claims, ClaimsSettings, DoorRules, Gate, Grants, Keys, Need, Policy, Profiles, Refusal,
    RolesFrom, TokenProfile, parse,
};
use crate::auth0::{self, Auth0, Issuer};
use crate::clock::Clock;
use crate::pool::{self, Pool};
use crate::scope::Permissions;
use crate::store::{self, LinkEmail, LinkSettings, Store};
use forge::Signer;

/// Two trusted tenants. Nothing listens there: a fetch of their keys fails at once.
const TENANT: &str = "http://127.0.0.1:1/";
const OTHER_TENANT: &str = "http://127.0.0.1:1/other/";
/// The audience of the test door.
const AUDIENCE: &str = "https://public.example/";
/// The prefix of our custom claims.
const NAMESPACE: &str = "https://ns.example/";

fn claims_settings(profile: TokenProfile) -> ClaimsSettings {
    ClaimsSettings {
        namespace: NAMESPACE.into(),
        algorithms: ClaimsSettings::ALGORITHMS.iter().map(|(name, _)| (*name).to_owned()).collect(),
        leeway: Duration::from_secs(5),
        max_lifetime: Duration::from_secs(30 * 86_400),
        keys_max_age: Duration::from_secs(86_400),
        profile,
        agents: Agents::Refuse,
        roles_from: RolesFrom::Database,
    }
}

fn door_rules(settings: &ClaimsSettings) -> DoorRules {
    let need = Need { permissions: Permissions::default(), anonymous: false };
    DoorRules::new(Policy::new(settings, AUDIENCE), need)
}

/// Verified claims: those of a good token, with `changes` applied.
pub(super) fn claims_with(changes: &Value) -> Claims {
    let now = Timestamp::from_second(1_790_000_000).unwrap();
    let mut payload = good_claims(TENANT, now.as_second());
    for (claim, value) in changes.as_object().unwrap() {
        payload[claim] = value.clone();
    }
    let policy = Policy::new(&claims_settings(TokenProfile::Auth0), AUDIENCE);
    validate(payload_of(&payload), &policy, now).unwrap()
}

fn payload_of(claims: &Value) -> Payload {
    Payload::decode(forge::encode(claims.to_string())).unwrap()
}

/// Claims of a user's token that the test door accepts for an hour.
fn good_claims(issuer: &str, now: i64) -> Value {
    json!({"iss": issuer, "sub": "auth0|1", "aud": AUDIENCE, "azp": "spa", "iat": now - 10, "exp": now + 3600})
}

/// A door that trusts tenants it cannot reach, by saved keys.
struct TestDoor {
    gate: Gate,
    keys: Keys,
    rules: DoorRules,
    now: Timestamp,
    /// Those of its database.
    settings: store::Settings,
    _dir: TempDir,
}

impl TestDoor {
    /// Trusts `signers`, each for its issuer. Needs a runtime, for the task that fetches keys.
    fn open(signers: &[(&str, &Signer)], profile: TokenProfile) -> Self {
        let mut sets: Vec<(&str, Vec<Value>)> = Vec::new();
        for (issuer, signer) in signers {
            match sets.iter_mut().find(|(known, _)| known == issuer) {
                Some((_, keys)) => keys.push(signer.jwk()),
                None => sets.push((issuer, vec![signer.jwk()])),
            }
        }
        Self::with_sets(&sets, profile)
    }

    /// Trusts issuers whose keys are unknown.
    fn open_without_keys(issuers: &[&str], profile: TokenProfile) -> Self {
        let sets: Vec<_> = issuers.iter().map(|issuer| (*issuer, Vec::new())).collect();
        Self::with_sets(&sets, profile)
    }

    fn with_sets(sets: &[(&str, Vec<Value>)], profile: TokenProfile) -> Self {
        Self::with_clock(sets, profile, Clock::system())
    }

    fn with_clock(sets: &[(&str, Vec<Value>)], profile: TokenProfile, clock: Clock) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("door.db");
        let busy_timeout = Duration::from_secs(5);
        let database = store::Settings { path, readers: 2, busy_timeout, block_at_auth0: false, seed: None };
        let store = Store::open(&database, clock.clone()).unwrap();
        for (issuer, keys) in sets.iter().filter(|(_, keys)| !keys.is_empty()) {
            store.save_keys(issuer, &json!({ "keys": keys }).to_string(), clock.now()).unwrap();
        }
        let issuers = sets
            .iter()
            .map(|(issuer, _)| Issuer { issuer: (*issuer).to_owned(), jwks_uri: None, same_users: true })
            .collect();
        let claims = claims_settings(profile);
        let settings = auth0::Settings {
            issuer: TENANT.to_owned(),
            jwks_uri: None,
            also: Vec::new(),
            client_id: None,
            client_secret: None,
            ca_file: None,
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            calls: 1,
            profile_max_age: Duration::ZERO,
        };
        let auth0 = Auth0::new(&settings, clock.clone()).unwrap();
        let pool = Pool::start(&pool::Settings { threads: 1, queue: 8 }).unwrap();
        let now = clock.now();
        let handles = (auth0.clone(), store.clone(), pool.clone(), clock.clone());
        let keys = Keys::start(issuers, claims.allowed(), claims.keys_max_age, handles);
        let settings = LinkSettings { email: LinkEmail::Never, privileged: false, connections: Vec::new() };
        let link = Arc::new(settings);
        let profiles = Profiles::new(auth0, store.clone(), pool.clone(), clock.clone(), Arc::clone(&link));
        let grants = Grants { user_issuers: vec![TENANT.to_owned()], ..Grants::default() };
        let gate = Gate::new(keys.clone(), grants, link, profiles, store, pool, clock);
        Self { gate, keys, rules: door_rules(&claims), now, settings: database, _dir: dir }
    }

    /// Runs the first two stages on a token.
    async fn verify(&self, token: &str) -> Result<Claims, Refusal> {
        let bearer: Bearer = parse(token)?;
        claims(&bearer, &self.rules, &self.keys, self.now).await
    }

    /// The door's time, in seconds since 1970.
    fn seconds(&self) -> i64 {
        self.now.as_second()
    }
}
