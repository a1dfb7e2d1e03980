//! What the fuzz target for tokens reaches into. Only `cargo fuzz` uses this; tests build it too, so that
//! it does not fall behind.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::claims::validate;
use super::header::{decode, header};
use super::{Policy, parse};

/// A token that got through all that is read before its signature is looked at.
#[derive(Debug)]
pub struct Reading {
    /// Its header.
    pub header: Map<String, Value>,
    /// Its payload.
    pub payload: Map<String, Value>,
    /// Whether its claims would be accepted if its signature were good.
    pub accepted: bool,
}

/// Reads a token as the bearer and the claims stage do, without a key. `None` when they refuse it.
pub fn read(token: &str, policy: &Policy, now: Timestamp) -> Option<Reading> {
    let bearer = parse(token).ok()?;
    header(bearer.header(), &policy.algorithms, policy.profile).ok()?;
    let payload = decode(bearer.payload()).ok()?;
    let accepted = validate(payload.clone(), policy, now).is_ok();
    Some(Reading { header: decode(bearer.header()).ok()?, payload, accepted })
}
