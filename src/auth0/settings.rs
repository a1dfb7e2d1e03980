//! `[auth0]` in the configuration.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::telemetry::Secret;

/// The trusted tenant, and how to call its Management API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The tenant's issuer, with its final slash, byte for byte as tokens carry it.
    pub issuer: String,
    /// The URL of its signing keys. Default: from the discovery document.
    pub jwks_uri: Option<String>,
    /// More trusted issuers. Profiles are fetched from `issuer` only.
    #[serde(default)]
    pub also: Vec<Issuer>,
    /// The machine client that may call the Management API.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<Secret>,
    /// A PEM file with the certificate authorities to trust instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// Time limit for connecting.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Time limit for a whole call.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Concurrent calls to the tenant. They have threads of their own.
    pub calls: usize,
    /// How old a stored profile may be before a request causes it to be fetched again, in the background. Zero: never.
    #[serde(with = "humantime_serde")]
    pub profile_max_age: Duration,
}

/// One trusted issuer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// With its final slash, byte for byte as tokens carry it.
    pub issuer: String,
    /// The URL of its signing keys. Default: from the discovery document.
    pub jwks_uri: Option<String>,
    /// Whether it is another domain of the first issuer's tenant (Auth0: "Custom Domains"), so that its `sub` names the same
    /// users. Of any other tenant only machines are accepted: it assigns its ids independently.
    #[serde(default)]
    pub same_users: bool,
}
