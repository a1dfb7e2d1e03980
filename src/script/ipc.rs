//! The messages between host and worker: frames of JSON, each after its length in four bytes, big-endian.
//!
//! Both ends are this binary. The host still does not trust a worker: a script may have broken out of its engine.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::action_cache::ActionCache;
use super::action_run::ActionsInput;
use super::login::{DenyReason, LoginInput, MetadataUpdate};
use super::redact::Redactor;
use super::trace::{ConsoleLevel, ScriptKind};
use crate::bundle::Rule;

/// The longest frame a worker may send: a user and a context of [`RESULT_LIMIT`] each, or a fetch with its body.
pub(super) const FROM_WORKER_LIMIT: usize = 2 * 1024 * 1024;
/// The longest frame the host sends: a response of 1 MiB whose every byte takes six in JSON.
pub(super) const TO_WORKER_LIMIT: usize = 8 * 1024 * 1024;
/// The longest `user` or `context` a rule may call back with, in bytes of JSON. `prelude/rules.js` checks it first.
pub(super) const RESULT_LIMIT: usize = 256 * 1024;
/// The most pending calls of a login, timers included.
pub(super) const CALLS_AT_ONCE: usize = 256;
/// The most calls of `api` that change something, in one run.
pub(super) const API_CALLS: usize = 1000;
/// The most lines of `console` kept of a login.
pub(super) const CONSOLE_LINES: usize = 200;
/// The most characters kept of a console line or an error's text.
pub(super) const TEXT_LIMIT: usize = 1000;

/// A message of the host to its worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToWorker {
    /// The first frame.
    Start(WorkerLimits),
    /// Scripts to run.
    Run(Box<Run>),
    /// The reply to the [`FromWorker::Call`] with this id.
    Reply(u64, Result<Value, CallError>),
}

/// The limits of a worker's whole life.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct WorkerLimits {
    pub(super) heap_bytes: u64,
    pub(super) cpu_seconds: u64,
}

/// Scripts for a worker, with their input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) scripts: Scripts,
    /// The time limit.
    pub(super) millis: u64,
    /// Whether it sees nothing of an earlier run.
    pub(super) is_fresh: bool,
    /// Whether it reports what scripts read and change.
    pub(super) is_traced: bool,
}

/// The scripts of a run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Scripts {
    /// A login's rules, in order.
    Rules { rules: Vec<Rule>, input: LoginInput },
    /// A trigger's actions.
    Actions { input: Box<ActionsInput>, cache: ActionCache },
}

impl Scripts {
    pub(super) fn kind(&self) -> ScriptKind {
        match self {
            Self::Rules { .. } => ScriptKind::Rule,
            Self::Actions { .. } => ScriptKind::Action,
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Rules { rules, .. } => rules.iter().map(|rule| rule.name.clone()).collect(),
            Self::Actions { input, .. } => input.actions.iter().map(|action| action.name.clone()).collect(),
        }
    }

    /// Identifies the scripts with their configuration or secrets.
    pub(super) fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Rules { rules, input } => (rules, &input.configuration).hash(&mut hasher),
            Self::Actions { input, .. } => (input.trigger, &input.actions).hash(&mut hasher),
        }
        hasher.finish()
    }

    /// Redacts the scripts' secrets.
    pub(super) fn redactor(&self) -> Redactor {
        match self {
            Self::Rules { input, .. } => {
                let token =
                    input.auth0.access_token.iter().map(|token| ("accessToken".to_owned(), token.clone()));
                Redactor::new([("configuration", &input.configuration), ("auth0", &token.collect())])
            }
            Self::Actions { input, .. } => Redactor::new(input.actions.iter().flat_map(|action| {
                let modules = action.modules.iter().map(|module| ("actions.secrets", &module.secrets));
                modules.chain([("secrets", &action.secrets)])
            })),
        }
    }
}

/// Why a call failed; the script gets an `Error` with this `code`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CallError {
    pub(super) code: String,
    pub(super) message: String,
}

/// A message of a worker to its host.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromWorker {
    /// The limits are set; the worker accepts runs.
    Ready,
    /// The script at this index starts.
    ScriptStarted(usize),
    /// A line of the running script is reached. In tests only.
    Reached(u32),
    /// The running script has read a member of `event`, `user` or `context`. Of traced runs only.
    Read(Vec<String>),
    /// The running rule has changed a member, whose JSON follows; empty when it is gone. Of traced runs only.
    Changed(Vec<String>, String),
    /// A line for the console.
    Console(ConsoleLevel, String),
    /// An action's call of a member of `api` that changes something.
    Api(String, Vec<Value>),
    /// A script's call. A worker never uses an id twice.
    Call(u64, Call),
    /// The run has ended.
    Finished(Verdict),
}

/// A script's call to the host.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Call {
    /// An HTTP request.
    Fetch(FetchCall),
    /// A metadata update.
    Metadata(MetadataUpdate),
    /// A timer, in milliseconds.
    Sleep(u64),
    /// A file of an npm package. The worker waits for the reply.
    Module(ModuleRequest),
}

/// A specifier of `require` or `import`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ModuleRequest {
    /// The file that requires it, as scripts see it; empty for a script.
    pub(super) from: String,
    pub(super) name: String,
    /// Whether `import` asks.
    pub(super) is_import: bool,
}

/// A file of an npm package.
#[derive(Debug, Clone)]
pub(super) struct ModuleFile {
    /// As scripts see it.
    pub(super) path: String,
    /// `commonjs`, `module` or `json`.
    pub(super) kind: String,
    pub(super) source: String,
}

/// An HTTP request of a script.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FetchCall {
    pub(super) url: String,
    pub(super) method: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<Body>,
    /// The script's own timeout; it can only shorten ours.
    pub(super) timeout_millis: Option<u64>,
}

/// The response to a script's request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FetchResponse {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
}

/// The body of a request or response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Body {
    /// UTF-8.
    Text(String),
    /// Any bytes, in base64.
    Base64(String),
}

impl Body {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes)
            .map_or_else(|error| Self::Base64(STANDARD.encode(error.as_bytes())), Self::Text)
    }

    /// `None` when it is not base64.
    pub(super) fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.into_bytes()),
            Self::Base64(text) => STANDARD.decode(text).ok(),
        }
    }
}

/// How a run ended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Verdict {
    /// Every rule called back cleanly.
    Done { user: Value, context: Value },
    /// Every action ended without an error, or one denied or suspended the run.
    Settled,
    /// The script at `index` failed, or a rule denied the login.
    Denied {
        index: usize,
        reason: DenyReason,
        message: String,
        /// The error's own text, when the message says more.
        error_text: Option<String>,
    },
}

impl DenyReason {
    /// Whether the worker's engine may be damaged, so that the worker must not run again.
    pub(super) fn spends_worker(self) -> bool {
        matches!(self, Self::TimedOut | Self::OutOfMemory | Self::Crashed)
    }
}

impl CallError {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

/// Encodes a frame.
pub(super) fn frame(message: &impl Serialize, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - 4;
    let short = u32::try_from(length).ok().filter(|_| length <= limit);
    let prefix = short.ok_or_else(|| too_long(length))?.to_be_bytes();
    if let Some(start) = bytes.first_chunk_mut() {
        *start = prefix;
    }
    Ok(bytes)
}

/// Writes one frame.
pub(super) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&frame(message, FROM_WORKER_LIMIT)?)?;
    to.flush()
}

/// Reads one frame; `None` when the other end closed the pipe between frames.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut prefix = [0; 4];
    match from.read_exact(&mut prefix) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut bytes = vec![0; length(prefix, TO_WORKER_LIMIT)?];
    from.read_exact(&mut bytes)?;
    Ok(Some(serde_json::from_slice(&bytes)?))
}

/// Reads one frame of a worker.
pub(super) async fn read_async<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let mut prefix = [0; 4];
    from.read_exact(&mut prefix).await?;
    let mut bytes = vec![0; length(prefix, FROM_WORKER_LIMIT)?];
    from.read_exact(&mut bytes).await?;
    Ok(serde_json::from_slice(&bytes)?)
}

fn length(prefix: [u8; 4], limit: usize) -> io::Result<usize> {
    let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if length <= limit { Ok(length) } else { Err(too_long(length)) }
}

fn too_long(length: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_reads_back_and_a_close_between_frames_is_not_an_error() {
        let mut bytes = Vec::new();
        write(&mut bytes, &FromWorker::ScriptStarted(7)).unwrap();
        assert!(matches!(read_async(&mut bytes.as_slice()).await.unwrap(), FromWorker::ScriptStarted(7)));
        let mut rest = bytes.as_slice();
        assert!(matches!(read(&mut rest).unwrap(), Some(FromWorker::ScriptStarted(7))));
        assert!(read::<FromWorker>(&mut rest).unwrap().is_none());
    }

    #[test]
    fn an_end_that_cannot_be_read_is_not_taken_for_closed() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::PermissionDenied.into())
            }
        }
        assert_eq!(read::<FromWorker>(&mut Broken).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[tokio::test]
    async fn a_frame_over_the_limit_is_refused_before_it_is_read() {
        let mut claim = &u32::MAX.to_be_bytes()[..];
        let error = read_async::<FromWorker>(&mut claim).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(frame(&"x".repeat(100), 50).is_err());
    }
}
