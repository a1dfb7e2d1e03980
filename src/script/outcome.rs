//! What goes into a login's scripts, and what comes out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What the rules of one login work on.
#[derive(Debug, Clone)]
pub struct LoginInput {
    /// The rules' `user`: an object with at least a `user_id`.
    pub user: Value,
    /// The rules' `context`. Its `request.hostname` is what rules see as `auth0.domain`.
    pub context: Value,
    /// The rules' `configuration`. Its values are secrets: they are blotted out of what scripts say.
    pub configuration: BTreeMap<String, String>,
}

/// Applies a metadata update that a script asked for. Blocking; runs on the pool. An error's text goes to the script.
pub type MetadataWriter = Arc<dyn Fn(MetadataUpdate) -> Result<(), String> + Send + Sync>;

/// `auth0.users.updateAppMetadata(user_id, metadata)`, or `updateUserMetadata`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetadataUpdate {
    /// Whose metadata.
    pub user_id: String,
    /// Which of the two.
    pub kind: MetadataKind,
    /// Merged at the first level; a `null` deletes its key (as `PATCH /api/v2/users/{id}` does).
    pub metadata: Map<String, Value>,
}

/// Auth0's two kinds of metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetadataKind {
    /// `app_metadata`: the team's.
    App,
    /// `user_metadata`: the person's own.
    User,
}

/// Every rule called back cleanly.
#[derive(Debug, Clone)]
pub struct LoginOutput {
    /// The last rule's `user`. Its `user_id` is the one that came in.
    pub user: Value,
    /// The last rule's `context`, custom claims included.
    pub context: Value,
    /// What the rules wrote to `console`.
    pub console: Vec<ConsoleLine>,
    /// What they fetched.
    pub fetches: Vec<FetchRecord>,
}

/// The login is denied.
#[derive(Debug, Clone, thiserror::Error)]
pub struct Denied {
    /// The rule that denied it; empty when none had begun.
    pub rule: String,
    /// Why, for machines.
    pub reason: DenyReason,
    /// Why, for people: an error's own text, secrets blotted out. Auth0 sends it as `error_description`.
    pub message: String,
    /// What the rules had written to `console` by then.
    pub console: Vec<ConsoleLine>,
    /// What they had fetched by then.
    pub fetches: Vec<FetchRecord>,
}

/// Why a login was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DenyReason {
    /// A rule answered with an `UnauthorizedError` (Auth0: `error=unauthorized`).
    Unauthorized,
    /// A rule answered with a `ValidationError`.
    Validation,
    /// A rule answered with another error, threw, or did not call back as it must (Auth0: `error=access_denied`).
    Failed,
    /// The rules took longer than `script.time`.
    TimedOut,
    /// The rules needed more than `script.memory_mib`.
    OutOfMemory,
    /// The worker process died or could not be started.
    Crashed,
    /// All workers are busy with other logins; no rule has run. Worth trying again.
    Busy,
    /// The server is stopping. Worth trying again.
    Stopped,
}

/// A line that a script wrote to `console`. At most 200 a login, 1,000 characters each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleLine {
    /// The rule that wrote it.
    pub script: String,
    /// How loud.
    pub level: ConsoleLevel,
    /// The text, secrets blotted out.
    pub text: String,
}

/// `console`'s methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsoleLevel {
    /// `console.debug`
    Debug,
    /// `console.log`
    Log,
    /// `console.info`
    Info,
    /// `console.warn`
    Warn,
    /// `console.error`
    Error,
}

/// A request that went out for a script. Those that were refused did not go out and are not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRecord {
    /// The rule that asked for it.
    pub script: String,
    /// The HTTP method.
    pub method: String,
    /// The URL without query and fragment, secrets blotted out.
    pub url: String,
    /// The answer's status; `None` when there was no answer, or none before the login ended.
    pub status: Option<u16>,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rule.is_empty() {
            write!(f, "the login's rules did not run: {}", self.message)
        } else {
            write!(f, "the rule \"{}\" denied the login: {}", self.rule, self.message)
        }
    }
}

impl fmt::Display for ConsoleLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debug => "debug",
            Self::Log => "log",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        })
    }
}
