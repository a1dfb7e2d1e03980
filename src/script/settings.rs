//! `[script]` in the configuration.

use std::time::Duration;

use serde::Deserialize;

/// What the scripts of one login may use.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Logins whose scripts run at once; each has a process of its own.
    pub workers: usize,
    /// How long all scripts of a login may take together, their fetches included.
    #[serde(with = "humantime_serde")]
    pub time: Duration,
    /// Memory of the JavaScript heap, in MiB.
    pub memory_mib: u64,
    /// How long one fetch of a script may take.
    #[serde(with = "humantime_serde")]
    pub fetch_timeout: Duration,
}
