//! `[tenant]` in the configuration.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The settings of the dev tenant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address it listens on; loopback only. 127.0.0.1 and `[::1]` mean both, as `localhost` does.
    pub http: SocketAddr,
    /// The address of the https listener. Absent: the port after that of `http`, or a free one.
    #[serde(default, deserialize_with = "optional_address")]
    pub https: Option<SocketAddr>,
    /// Its issuer: `http` or `https`, a loopback name, the port of that listener. Absent: `http://localhost:PORT/`.
    pub issuer: Option<String>,
    /// The bundle it serves: a folder in a layout of Auth0's deploy CLI, or its `tenant.yaml`.
    pub bundle: PathBuf,
    /// Whether what the doors and a login need and the bundle does not have is added to it.
    pub supply: bool,
    /// Whether logins run the bundle's rules and actions.
    pub scripts: bool,
    /// Its SQLite file: signing key, users' metadata, codes.
    pub data: PathBuf,
    /// Origins that scripts may fetch from, besides the tenant's own and our Internal API's.
    pub allow_fetch: Vec<String>,
    /// The values of `@@KEY@@` and `##KEY##` in the bundle. A text that is a JSON array or object counts as that value.
    #[serde(default, deserialize_with = "crate::bundle::deserialize_keywords")]
    pub keywords: BTreeMap<String, Value>,
}

impl Settings {
    /// The default issuer for an address of the http listener. Its name is that of frontends' development servers: only on
    /// the same name do browsers send the session's cookie to a frame of theirs.
    pub fn default_issuer(http: &str) -> String {
        format!("http://localhost:{}/", http.rsplit_once(':').map_or(http, |(_, port)| port))
    }

    /// The file of the https listener's certificate authority, beside the tenant's database.
    pub fn ca_file(data: &Path) -> PathBuf {
        data.with_extension("ca.pem")
    }

    /// Where the https listener is wanted: as set, or at the port after that of http. Port 0 is a free one.
    pub fn https_address(&self) -> SocketAddr {
        let next = if self.http.port() == 0 { 0 } else { self.http.port().saturating_add(1) };
        self.https.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, next).into())
    }

    /// The issuer of listeners at these ports. A set issuer keeps its scheme and name.
    pub fn issuer_at(&self, http: u16, https: u16) -> String {
        let mut url = self.issuer.as_deref().and_then(|issuer| url::Url::parse(issuer).ok());
        if let Some(url) = &mut url {
            let port = if url.scheme() == "https" { https } else { http };
            if url.set_port(Some(port)).is_ok() {
                return url.to_string();
            }
        }
        Self::default_issuer(&format!(":{http}"))
    }
}

/// An address; an empty text is none.
fn optional_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}
