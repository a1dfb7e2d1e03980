//! Hashes of the secrets that were deployed: Auth0 never returns their values, so these alone show whether one changes.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;

use super::error::DeployError;
use super::settings::TargetSettings;
use super::state::ObjectKind;
use crate::store::Store;
use crate::telemetry::Secret;

/// The hashes of a tenant's secrets. Their key is the client's secret of the target, which is not in the database: with the
/// database alone no guess of a value can be confirmed. After that secret changed, all values count as changed.
pub(super) struct SecretHashes {
    key: hmac::Key,
    known: BTreeMap<(String, String), String>,
}

impl SecretHashes {
    pub(super) fn read(store: &Store, settings: &TargetSettings) -> Result<Self, DeployError> {
        let key = settings.client_secret.as_ref().map(Secret::expose).unwrap_or_default();
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        Ok(Self { key, known: store.deployed_secrets(&settings.url())? })
    }

    /// Whether the value was deployed last; `None` if no value is known.
    pub(super) fn compare(&self, kind: ObjectKind, script: &str, name: &str, value: &Secret) -> Option<bool> {
        let known = self.known.get(&(holder(kind, script), name.to_owned()))?;
        Some(*known == self.hash(kind, script, name, value))
    }

    pub(super) fn hash(&self, kind: ObjectKind, script: &str, name: &str, value: &Secret) -> String {
        // Names have no line breaks.
        let text = format!("{}\n{name}\n{}", holder(kind, script), value.expose());
        HEXLOWER.encode(hmac::sign(&self.key, text.as_bytes()).as_ref())
    }
}

/// What the database calls the holder of secrets: `actions/NAME`.
pub(super) fn holder(kind: ObjectKind, name: &str) -> String {
    format!("{}/{name}", kind.as_str())
}
