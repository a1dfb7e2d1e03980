//! Access for the fuzz target `token`. Exists under `cfg(fuzzing)`, and in tests so that it keeps compiling.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::claims::{Payload, validate};
use super::header::{decode, header};
use super::{Policy, parse};

/// A token that passed every check before its signature.
#[derive(Debug)]
pub struct Reading {
    /// Its header.
    pub header: Map<String, Value>,
    /// Its payload.
    pub payload: Map<String, Value>,
    /// Whether its claims would be accepted if its signature were valid.
    pub accepted: bool,
}

/// Reads a token as the bearer and claims stages do, without a key. `None` when they refuse it.
pub fn read(token: &str, policy: &Policy, now: Timestamp) -> Option<Reading> {
    let bearer = parse(token).ok()?;
    header(bearer.header(), &policy.algorithms, policy.profile).ok()?;
    let payload = Payload::decode(bearer.payload()).ok()?;
    let (header, claims) = (decode(bearer.header()).ok()?, payload.claims().into());
    Some(Reading { header, payload: claims, accepted: validate(payload, policy, now).is_ok() })
}
