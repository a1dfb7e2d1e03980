//! `[tenant]` in the configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// The settings of the dev tenant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address it listens on; loopback only.
    pub http: SocketAddr,
    /// The bundle it serves: a folder in the layout of Auth0's deploy CLI.
    pub bundle: PathBuf,
    /// Its SQLite file: signing key, users' metadata, codes.
    pub data: PathBuf,
    /// Origins that scripts may fetch from, besides the tenant's own and our Internal API's.
    pub allow_fetch: Vec<String>,
    /// The values of `@@KEY@@` and `##KEY##` in the bundle.
    #[serde(default)]
    pub keywords: BTreeMap<String, String>,
}
