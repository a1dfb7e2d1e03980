//! The configuration: the only reader of the environment.
//!
//! Owns where settings come from (embedded defaults, `<profile>.toml`, `VESTIBULE_…`, flags), the order they win
//! in, and the contradictions between rooms. Each room owns its own `Settings`; this one composes them.
//! Leans on the rooms' `Settings` only. Never opens anything but configuration and secret files.
//!
//! Two forms: what was [written](Report::entries), and what it [means](Config). Whatever is wrong is told at
//! once, each problem with its key, its source and the fix.

mod sources;

mod written;

mod meaning;

mod secret_file;

mod judge;

mod problem;

pub use problem::{ConfigError, Diagnostic};
pub use sources::Sources;
pub use written::{Entry, Origin};

use serde::Deserialize;

use crate::api::{DoorSettings, HttpSettings};
use crate::auth::ClaimsSettings;
use crate::auth0::Settings as Auth0Settings;
use crate::pool::Settings as PoolSettings;
use crate::scope::Roles;
use crate::script::Settings as ScriptSettings;
use crate::store::{LinkSettings, Settings as StoreSettings};
use crate::telemetry::Settings as LogSettings;
use crate::tenant::Settings as TenantSettings;

/// The one profile that may trust an http or localhost issuer. Every other is judged as production, so that a
/// mistyped name is never the lenient one.
pub const DEVELOPMENT: &str = "development";

/// The profile of `vestibule serve`, unless told.
pub const PRODUCTION: &str = "production";

/// What was written, understood and found free of contradictions.
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
    /// How tokens are judged.
    pub claims: ClaimsSettings,
    /// The permissions each role gives.
    pub roles: Roles,
    /// How a new identity finds a user who is already here.
    pub link: LinkSettings,
    /// The database.
    pub store: StoreSettings,
    /// The bounded pool.
    pub pool: PoolSettings,
    /// How connections are held.
    pub http: HttpSettings,
    /// What scripts may use.
    pub script: ScriptSettings,
    /// The embedded dev tenant.
    pub tenant: TenantSettings,
    /// The log.
    pub log: LogSettings,
}

/// What was written, and what it means if it can be taken.
#[derive(Debug)]
pub struct Report {
    /// The profile's name.
    pub profile: String,
    /// Every key in force, in the order of `default.toml`'s sections, with where its value comes from.
    pub entries: Vec<Entry>,
    /// The configuration, or everything that is wrong with it.
    pub outcome: Result<Config, ConfigError>,
}

/// Reads and judges the configuration.
///
/// # Errors
/// When anything is wrong with it: all of it, at once.
pub fn load(sources: Sources) -> Result<Config, ConfigError> {
    read(sources).outcome
}

/// Like [`load`], for showing: what was written is there even when it is refused.
pub fn read(sources: Sources) -> Report {
    let profile = sources.profile();
    let lenient = profile == DEVELOPMENT;
    let with_tenant = sources.tenant || lenient;

    // 1  What was written: the layers, one over the other.
    let (mut written, mut problems) = sources.write(&profile);
    // 2  Values that stand in files of their own.
    secret_file::resolve(&mut written, sources.credentials.as_deref(), &mut problems);
    // 3  What it means: names and types.
    let understood = meaning::understand(&mut written, &mut problems);
    // 4  What can not be meant: contradictions.
    if let Some(config) = &understood {
        judge::judge(config, &judge::Setting { lenient, with_tenant }, &written, &mut problems);
    }

    if profile == PRODUCTION && sources.named().is_none() {
        hint_at_development(&mut problems);
    }

    let entries = written.entries();
    let outcome = match understood {
        Some(config) if problems.is_empty() => Ok(Config { profile: profile.clone(), ..config }),
        _ => Err(ConfigError { profile: profile.clone(), problems }),
    };
    Report { profile, entries, outcome }
}

/// Whoever chose no profile and has set up no production either has most likely just run `vestibule dev`.
fn hint_at_development(problems: &mut [Diagnostic]) {
    if let Some(unset) = problems.iter_mut().find(|problem| problem.is_unset("auth0.issuer")) {
        unset.fix.push_str("; for what `vestibule dev` made on this machine, add `--profile development`");
    }
}

#[cfg(test)]
mod tests;
