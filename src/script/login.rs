//! The input and output of a login's rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::trace::Trace;

/// The objects that the rules of one login get.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoginInput {
    /// The rules' `user`: an object with at least a `user_id`.
    pub user: Value,
    /// The rules' `context`.
    pub context: Value,
    /// The rules' `auth0`.
    pub auth0: Auth0Global,
    /// The rules' `configuration`. Its values are secrets: they are redacted from everything the scripts output.
    pub configuration: BTreeMap<String, String>,
}

/// The data of the rules' `auth0` object.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Auth0Global {
    /// `auth0.domain`: the tenant's host, with its port if it has one.
    pub domain: String,
    /// `auth0.baseUrl`: the Management API, without a final slash.
    pub base_url: String,
    /// `auth0.accessToken`, for the Management API; `None` leaves it undefined. It is redacted like a secret.
    pub access_token: Option<String>,
}

impl std::fmt::Debug for Auth0Global {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth0Global").field("domain", &self.domain).finish_non_exhaustive()
    }
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

impl MetadataKind {
    /// The member of a user that has it.
    pub fn member(self) -> &'static str {
        match self {
            Self::App => "app_metadata",
            Self::User => "user_metadata",
        }
    }
}

/// The result of a login whose rules all called back cleanly.
#[derive(Debug, Clone)]
pub struct LoginOutput {
    /// The last rule's `user`. Its `user_id` is unchanged.
    pub user: Value,
    /// The last rule's `context`, with custom claims, `redirect` and `multifactor`.
    pub context: Value,
    /// What the rules did.
    pub trace: Trace,
}

/// The scripts failed, or a rule denied the login.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {message}", source_of_denial(.script))]
pub struct Denied {
    /// The script that denied it; empty when none had started.
    pub script: String,
    /// Why, for machines.
    pub reason: DenyReason,
    /// Why, for the team: with the error's kind and line, and with secrets redacted.
    pub message: String,
    /// A thrown error's own text, when `message` says more.
    pub error_text: Option<String>,
    /// What the scripts had done.
    pub trace: Box<Trace>,
}

impl Denied {
    /// A denial with an empty trace.
    pub fn new(script: impl Into<String>, reason: DenyReason, message: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            reason,
            message: message.into(),
            error_text: None,
            trace: Box::default(),
        }
    }

    /// What Auth0 sends to the application as `error_description`: the error's own text.
    pub fn description(&self) -> &str {
        self.error_text.as_deref().unwrap_or(&self.message)
    }
}

/// Why a login was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DenyReason {
    /// A rule called back with an `UnauthorizedError` (Auth0: `error=unauthorized`).
    Unauthorized,
    /// A rule called back with a `ValidationError`.
    Validation,
    /// A script threw, or a rule called back with another error or not cleanly (Auth0: `error=access_denied`).
    Failed,
    /// The scripts took longer than `script.time`.
    TimedOut,
    /// The scripts needed more than `script.memory_mib`.
    OutOfMemory,
    /// The worker process died or failed to start.
    Crashed,
    /// All workers are busy with other logins; no script has run. Worth a retry.
    Busy,
    /// The server is stopping. Worth a retry.
    Stopped,
}

/// A rule's function as an expression: what is compiled and parsed. The parentheses add no line.
pub(super) fn rule_expression(script: &str) -> String {
    format!("({}\n)", script.trim_end().trim_end_matches(';'))
}

fn source_of_denial(script: &str) -> String {
    if script.is_empty() {
        "the login's scripts did not run".to_owned()
    } else {
        format!("the script \"{script}\" denied the login")
    }
}
