//! `[tenant]` in the configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The settings of the dev tenant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address it listens on; loopback only.
    pub http: SocketAddr,
    /// The bundle it serves: a folder in a layout of Auth0's deploy CLI, or its `tenant.yaml`.
    pub bundle: PathBuf,
    /// Its SQLite file: signing key, users' metadata, codes.
    pub data: PathBuf,
    /// Origins that scripts may fetch from, besides the tenant's own and our Internal API's.
    pub allow_fetch: Vec<String>,
    /// The values of `@@KEY@@` and `##KEY##` in the bundle. A text that is a JSON array or object counts as that value.
    #[serde(default, deserialize_with = "keywords")]
    pub keywords: BTreeMap<String, Value>,
}

fn keywords<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Value>, D::Error> {
    let mut keywords = BTreeMap::<String, Value>::deserialize(deserializer)?;
    for value in keywords.values_mut() {
        let json = value.as_str().filter(|text| text.starts_with(['[', '{']));
        if let Some(json) = json.and_then(|text| serde_json::from_str(text).ok()) {
            *value = json;
        }
    }
    Ok(keywords)
}
