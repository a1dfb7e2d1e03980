//! What the scripts of one run did: console lines, requests, calls of `api`, and how long each script took.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The record of a run, also of one that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// The scripts that started, in order.
    pub scripts: Vec<ScriptRun>,
    /// The lines the scripts wrote to `console`, and notices about them.
    pub console: Vec<ConsoleLine>,
    /// The requests the scripts made or tried to make.
    pub fetches: Vec<FetchRecord>,
    /// The lines of instrumented scripts that were reached.
    pub reached: BTreeSet<u32>,
    /// What the actions asked of `api`, in order.
    pub calls: Vec<ApiCall>,
}

/// A script that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptRun {
    /// Its name.
    pub name: String,
    /// A rule or an action.
    pub kind: ScriptKind,
    /// How long it ran, its calls included. Of a script that was killed: until then.
    pub duration: Duration,
    /// Of a traced run: the members of `event`, `user` and `context` that it read, such as `event.user.email`; `event.*` when
    /// it read all of them. At most 30.
    pub reads: Vec<String>,
    /// Of a traced run: the members of `user` and `context` that a rule changed.
    pub changes: Vec<Change>,
}

/// A member that a rule changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The member, such as `context.idToken.plan`.
    pub member: String,
    /// Its new value as JSON, with secrets redacted; cut at 1,000 characters. Empty when the rule removed it.
    pub value: String,
}

/// The two kinds of scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the field's words")]
pub enum ScriptKind {
    Rule,
    Action,
}

/// A call of `api` that an action made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiCall {
    /// The action that made it.
    pub script: String,
    /// The member, such as `accessToken.setCustomClaim`.
    pub member: String,
    /// Its arguments as a JSON array, with secrets redacted; cut at 1,000 characters.
    pub arguments: String,
}

/// A line that a script wrote to `console`. At most 200 a login, 1,000 characters each (Auth0 keeps 256 of all lines).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleLine {
    /// The script that wrote it.
    pub script: String,
    /// The method of `console` it called.
    pub level: ConsoleLevel,
    /// The text with its line breaks, with secrets redacted.
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

/// A request that a script made, or that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRecord {
    /// The script that made it.
    pub script: String,
    /// The HTTP method.
    pub method: String,
    /// The URL without query and fragment, with secrets redacted. Of a URL that cannot be parsed: its text.
    pub url: String,
    /// The response's status; `None` when there was none before the run ended.
    pub status: Option<u16>,
    /// Why it was not sent, and the setting that allows it; `None` when it was sent.
    pub refused: Option<String>,
}
