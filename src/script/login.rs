//! The input and output of a login's scripts.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The objects that the rules of one login get.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoginInput {
    /// The rules' `user`: an object with at least a `user_id`.
    pub user: Value,
    /// The rules' `context`. Its `request.hostname` becomes `auth0.domain`.
    pub context: Value,
    /// The rules' `configuration`. Its values are secrets: they are redacted from everything the scripts output.
    pub configuration: BTreeMap<String, String>,
}

/// Applies a script's metadata update. Blocking; runs on the pool. The script gets the text of an error.
pub type MetadataWriter = Arc<dyn Fn(MetadataUpdate) -> Result<(), String> + Send + Sync>;

/// `auth0.users.updateAppMetadata(user_id, metadata)`, or `updateUserMetadata`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetadataUpdate {
    /// The user to update.
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
    /// `user_metadata`: the user's own.
    User,
}

/// The result of a login whose rules all called back cleanly.
#[derive(Debug, Clone)]
pub struct LoginOutput {
    /// The last rule's `user`. Its `user_id` is unchanged.
    pub user: Value,
    /// The last rule's `context`, custom claims included.
    pub context: Value,
    /// The lines the rules wrote to `console`.
    pub console: Vec<ConsoleLine>,
    /// The requests the rules made.
    pub fetches: Vec<FetchRecord>,
}

/// The login is denied.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {message}", source_of_denial(.rule))]
pub struct Denied {
    /// The rule that denied it; empty when no rule had started.
    pub rule: String,
    /// Why, for machines.
    pub reason: DenyReason,
    /// Why, for people: an error's own text, with secrets redacted. Auth0 sends it as `error_description`.
    pub message: String,
    /// The lines the rules had written to `console`.
    pub console: Vec<ConsoleLine>,
    /// The requests the rules had made.
    pub fetches: Vec<FetchRecord>,
}

impl Denied {
    /// Without console and fetches.
    pub(super) fn new(rule: String, reason: DenyReason, message: impl Into<String>) -> Self {
        Self { rule, reason, message: message.into(), console: Vec::new(), fetches: Vec::new() }
    }
}

/// Why a login was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DenyReason {
    /// A rule called back with an `UnauthorizedError` (Auth0: `error=unauthorized`).
    Unauthorized,
    /// A rule called back with a `ValidationError`.
    Validation,
    /// A rule called back with another error, threw, or did not call back cleanly (Auth0: `error=access_denied`).
    Failed,
    /// The rules took longer than `script.time`.
    TimedOut,
    /// The rules needed more than `script.memory_mib`.
    OutOfMemory,
    /// The worker process died or failed to start.
    Crashed,
    /// All workers are busy with other logins; no rule has run. Worth a retry.
    Busy,
    /// The server is stopping. Worth a retry.
    Stopped,
}

/// A line that a script wrote to `console`. At most 200 a login, 1,000 characters each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleLine {
    /// The rule that wrote it.
    pub script: String,
    /// The method of `console` it called.
    pub level: ConsoleLevel,
    /// The text, with secrets redacted.
    pub text: String,
}

/// `console`'s methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is the method of the same name")]
pub enum ConsoleLevel {
    Debug,
    Log,
    Info,
    Warn,
    Error,
}

/// A request that a script made. Refused requests were not sent and are not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRecord {
    /// The rule that made it.
    pub script: String,
    /// The HTTP method.
    pub method: String,
    /// The URL without query and fragment, with secrets redacted.
    pub url: String,
    /// The response's status; `None` when there was none before the login ended.
    pub status: Option<u16>,
}

fn source_of_denial(rule: &str) -> String {
    if rule.is_empty() {
        "the login's rules did not run".to_owned()
    } else {
        format!("the rule \"{rule}\" denied the login")
    }
}
