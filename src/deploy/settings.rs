//! `[targets.NAME]` in the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::auth0;
use crate::telemetry::Secret;

/// Time limit for connecting to a tenant.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit for a call of a tenant's Management API.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A tenant to deploy to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetSettings {
    /// The tenant's domain, such as `staging.eu.auth0.com`; in development also a URL with a loopback host.
    pub domain: String,
    /// The machine client that may call the Management API.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<Secret>,
    /// The branch that is deployed to it.
    pub branch: Option<String>,
    /// A PEM file with the certificate authorities to trust instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// The values of `@@KEY@@` and `##KEY##` in the bundle. A text that is a JSON array or object counts as that value.
    #[serde(deserialize_with = "crate::bundle::deserialize_keywords")]
    pub keywords: BTreeMap<String, Value>,
}

impl TargetSettings {
    /// The tenant's URL, with its final slash.
    pub fn url(&self) -> String {
        let url = if self.domain.contains("://") {
            self.domain.clone()
        } else {
            format!("https://{}", self.domain)
        };
        if url.ends_with('/') { url } else { url + "/" }
    }

    /// The settings of a client of the tenant.
    pub(super) fn client(&self) -> auth0::Settings {
        auth0::Settings {
            issuer: self.url(),
            jwks_uri: None,
            also: Vec::new(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            ca_file: self.ca_file.clone(),
            connect_timeout: CONNECT_TIMEOUT,
            timeout: TIMEOUT,
            calls: 1,
            profile_max_age: Duration::ZERO,
        }
    }
}
