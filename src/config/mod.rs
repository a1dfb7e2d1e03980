//! The configuration: the only reader of the environment.
//!
//! Owns where settings come from (embedded defaults, `<profile>.toml`, `VESTIBULE_…`, flags), the order in which they win,
//! and the contradictions between modules. Each module owns its `Settings`; this one composes them. Uses the modules'
//! `Settings` only. Never opens anything but configuration and secret files.
//!
//! Two forms: the [layers](Report::entries) as written, and the [typed settings](Config). All mistakes are reported at
//! once, each with its key, its source and the fix.

mod sources;
mod layers;
mod resolve;
mod secret_file;
mod validate;
mod diagnostic;

pub use diagnostic::{ConfigError, Diagnostic};
pub use layers::{Entry, Origin, is_secret};
pub use sources::{Sources, variable};

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::api::{DoorSettings, HttpSettings};
use crate::auth::ClaimsSettings;
use crate::auth0::Settings as Auth0Settings;
use crate::deploy::{ForgeSettings, TargetSettings};
use crate::pool::Settings as PoolSettings;
use crate::scope::Roles;
use crate::script::Settings as ScriptSettings;
use crate::store::{LinkSettings, Settings as StoreSettings};
use crate::telemetry::{Secret, Settings as LogSettings};
use crate::tenant::Settings as TenantSettings;

/// The one profile that may trust an http or localhost issuer. All others have production's rules, so that a mistyped
/// name never relaxes them.
pub const DEVELOPMENT: &str = "development";

/// The default profile of `vestibule serve`.
pub const PRODUCTION: &str = "production";

/// Typed settings without contradictions.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The profile's name.
    #[serde(skip)]
    pub profile: String,
    /// The tenant we trust.
    pub auth0: Auth0Settings,
    /// The door for frontends.
    pub public: DoorSettings,
    /// The door for machines and staff.
    pub internal: DoorSettings,
    /// How tokens are verified.
    pub claims: ClaimsSettings,
    /// The permissions each role gives.
    pub roles: Roles,
    /// How a new identity is linked to an existing user.
    pub link: LinkSettings,
    /// The database.
    pub store: StoreSettings,
    /// The bounded pool.
    pub pool: PoolSettings,
    /// Limits of HTTP connections.
    pub http: HttpSettings,
    /// Limits of scripts.
    pub script: ScriptSettings,
    /// The embedded dev tenant.
    pub tenant: TenantSettings,
    /// The tenants to deploy to, by name.
    pub targets: BTreeMap<String, TargetSettings>,
    /// The repository that pushes deploy from.
    pub forge: ForgeSettings,
    /// The log.
    pub log: LogSettings,
}

/// The keys as written, and the settings if they are valid.
#[derive(Debug)]
pub struct Report {
    /// The profile's name.
    pub profile: String,
    /// Every key in force, in the order of `default.toml`'s sections, with the source of its value.
    pub entries: Vec<Entry>,
    /// The settings, or all mistakes.
    pub outcome: Result<Config, ConfigError>,
    /// Every value as JSON, by its key.
    values: BTreeMap<String, Secret>,
}

impl Report {
    /// The keys whose values differ from those of an earlier report, in order; also secrets read from the same file.
    pub fn changed_since<'a>(&'a self, earlier: &'a Self) -> Vec<&'a str> {
        let keys = self.values.keys().chain(earlier.values.keys()).map(String::as_str);
        let keys: BTreeSet<&str> =
            keys.filter(|key| self.values.get(*key) != earlier.values.get(*key)).collect();
        keys.into_iter().collect()
    }
}

/// Reads and validates the configuration. An error lists all mistakes.
pub fn load(sources: Sources) -> Result<Config, ConfigError> {
    read(sources).outcome
}

/// Like [`load`], for display: the entries are there even when the configuration is invalid.
pub fn read(sources: Sources) -> Report {
    let profile = sources.profile();
    let lenient = profile == DEVELOPMENT;
    let with_tenant = sources.tenant || lenient;

    let mut layers = sources.merge(&profile);
    secret_file::resolve(&mut layers, sources.credentials.as_deref());
    let config = resolve::resolve(&mut layers);
    if let Some(config) = &config {
        validate::validate(config, &validate::Rules { lenient, with_tenant }, &mut layers);
    }
    validate::placeholders(&mut layers);
    let mut problems = std::mem::take(&mut layers.diagnostics);
    if profile == PRODUCTION && sources.named().is_none() {
        resolve::suggest_development(&mut problems);
    }
    let outcome = match config {
        Some(config) if problems.is_empty() => Ok(Config { profile: profile.clone(), ..config }),
        _ => Err(ConfigError { profile: profile.clone(), problems }),
    };
    let value = |value| Secret::new(serde_json::to_string(value).unwrap_or_default());
    let values = layers.settings.iter().map(|(key, setting)| (key.clone(), value(&setting.value))).collect();
    Report { profile, entries: layers.into_entries(), outcome, values }
}

#[cfg(test)]
mod tests;
