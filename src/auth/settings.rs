//! `[claims]` in the configuration.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};

/// How tokens are judged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimsSettings {
    /// What our custom claims begin with: `<namespace>user`, `<namespace>roles`, `<namespace>email`,
    /// `<namespace>email_verified`.
    pub namespace: String,
    /// Algorithms a token may be signed with: `RS256`, `PS256`, `ES256`, `EdDSA` and their longer kin.
    pub algorithms: Vec<String>,
    /// How far clocks may be apart; at most 60 s.
    #[serde(with = "humantime_serde")]
    pub leeway: Duration,
    /// How far in the future a token may expire.
    #[serde(with = "humantime_serde")]
    pub max_lifetime: Duration,
    /// How long the last good signing keys serve while the tenant does not answer.
    #[serde(with = "humantime_serde")]
    pub keys_max_age: Duration,
    /// Which token dialects are accepted.
    pub profile: TokenProfile,
}

/// The token dialects of Auth0's APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenProfile {
    /// Auth0's own, and RFC 9068 too.
    Auth0,
    /// RFC 9068 alone: `typ` must be `at+jwt`.
    Rfc9068,
}

impl ClaimsSettings {
    /// The algorithms that can be configured, by the names of RFC 7518 §3.1: asymmetric ones alone.
    pub const ALGORITHMS: [(&'static str, Algorithm); 9] = [
        ("RS256", Algorithm::RS256),
        ("RS384", Algorithm::RS384),
        ("RS512", Algorithm::RS512),
        ("PS256", Algorithm::PS256),
        ("PS384", Algorithm::PS384),
        ("PS512", Algorithm::PS512),
        ("ES256", Algorithm::ES256),
        ("ES384", Algorithm::ES384),
        ("EdDSA", Algorithm::EdDSA),
    ];

    /// The configured algorithms, in their order. What names none of [`ClaimsSettings::ALGORITHMS`] is left out.
    pub fn allowed(&self) -> Vec<(&'static str, Algorithm)> {
        let known = |name: &String| Self::ALGORITHMS.into_iter().find(|(known, _)| known == name);
        self.algorithms.iter().filter_map(known).collect()
    }
}
