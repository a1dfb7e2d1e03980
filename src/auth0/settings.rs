//! `[auth0]` in the configuration.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::telemetry::Secret;

/// Which tenant we trust, and how we call its Management API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The tenant's issuer, with its final slash, byte for byte as tokens carry it.
    pub issuer: String,
    /// Where its signing keys are. By default the discovery document says.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// More issuers whose machines are trusted, and whose people are if they are said to be the same. Profiles are fetched
    /// from the first alone.
    #[serde(default)]
    pub also: Vec<Issuer>,
    /// The machine client that may call the Management API.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Its secret.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// A file with more certificate authorities to trust, in PEM.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How long connecting may take.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long a whole call may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Calls to the tenant that may be under way at once. They have threads of their own.
    pub calls: usize,
    /// How old a stored profile may be before a visit has it fetched anew, in the background. Zero: never.
    #[serde(with = "humantime_serde")]
    pub profile_max_age: Duration,
}

/// One trusted issuer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// With its final slash, byte for byte as tokens carry it.
    pub issuer: String,
    /// Where its signing keys are. By default the discovery document says.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// Whether its `sub` names the same people as the first issuer's: it is another domain of that tenant (Auth0: "Custom
    /// Domains"). A tenant of its own gives its ids out as it likes, so its people are nobody here.
    #[serde(default)]
    pub same_users: bool,
}
