//! `[store]` and `[link]` in the configuration.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sqlite::DatabaseSettings;

/// Where the database is and how it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The database file, created with mode 0600 if it is absent.
    pub path: PathBuf,
    /// How many connections can scan at once: lists, counts, exports. Reads by key have as many again; writes have one.
    pub readers: usize,
    /// How long to wait for a lock that another process holds.
    #[serde(with = "humantime_serde")]
    pub busy_timeout: Duration,
    /// Whether blocking and unblocking a user also does so at Auth0.
    pub block_at_auth0: bool,
    /// Users that `dev` and `demo` add to the database: a JSON list.
    #[serde(default)]
    pub seed: Option<PathBuf>,
}

impl Settings {
    /// How the file is opened. For a file of your own, replace `path`.
    pub fn database(&self) -> DatabaseSettings {
        let Self { path, readers, busy_timeout, .. } = self;
        DatabaseSettings { path: path.clone(), readers: *readers, busy_timeout: *busy_timeout }
    }
}

/// How a new identity finds an existing user.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSettings {
    /// By which emails.
    pub email: LinkEmail,
    /// Whether a user with roles is found by an email too.
    pub privileged: bool,
    /// The connections at Auth0 whose verified emails count, by name; all if empty.
    pub connections: Vec<String>,
}

/// The settings that decide whether an identity may be linked to a row that its verified email found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `LinkSettings`")]
pub struct LinkRules {
    pub email: LinkEmail,
    pub privileged: bool,
}

impl From<&LinkSettings> for LinkRules {
    fn from(settings: &LinkSettings) -> Self {
        Self { email: settings.email, privileged: settings.privileged }
    }
}

/// Without users who have roles.
impl From<LinkEmail> for LinkRules {
    fn from(email: LinkEmail) -> Self {
        Self { email, privileged: false }
    }
}

/// By which emails a new identity is linked to a user who has one. A pre-provisioned row is claimed in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkEmail {
    /// Emails verified on both sides.
    Verified,
    /// By none: the login is refused with `EMAIL_CONFLICT`.
    Never,
}
