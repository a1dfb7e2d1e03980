//! `[tenant]` in the configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// The dev tenant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where it listens; loopback only.
    pub http: SocketAddr,
    /// The bundle it serves: a folder in the layout of Auth0's deploy CLI.
    pub bundle: PathBuf,
    /// Its own state: keys, people's metadata, codes. A file of its own.
    pub data: PathBuf,
    /// Origins that scripts may fetch from, besides the tenant's own and our Internal API's.
    pub allow_fetch: Vec<String>,
    /// What `@@KEY@@` and `##KEY##` in the bundle stand for.
    #[serde(default)]
    pub keywords: BTreeMap<String, String>,
}
