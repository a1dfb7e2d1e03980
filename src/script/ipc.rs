//! What host and worker say to each other: frames of JSON, each behind its length in four bytes, big-endian.
//!
//! Both ends are this binary. The host still trusts nothing a worker says: a script may have broken out of its engine.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::outcome::{ConsoleLevel, DenyReason, MetadataUpdate};

/// The longest frame a worker may send: a user and a context of [`RESULT_LIMIT`] each, or a fetch with its body.
pub(super) const FROM_WORKER_LIMIT: usize = 2 * 1024 * 1024;
/// The longest frame the host sends: a fetch's answer of 1 MiB whose every byte takes six in JSON.
pub(super) const TO_WORKER_LIMIT: usize = 8 * 1024 * 1024;
/// The longest `user` or `context` a rule may hand on, in bytes of JSON. `prelude/run.js` says it to people.
pub(super) const RESULT_LIMIT: usize = 256 * 1024;
/// Calls of a login that may be under way at once, timers included.
pub(super) const CALLS_AT_ONCE: usize = 256;
/// Lines of `console` that are kept of a login.
pub(super) const CONSOLE_LINES: usize = 200;
/// Characters that are kept of a console line or an error's text.
pub(super) const TEXT_LIMIT: usize = 1000;

/// The host to its worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToWorker {
    /// The first frame.
    Start(Limits),
    /// A login.
    Run(Box<Run>),
    /// The answer to a call.
    Reply(Reply),
}

/// What the worker may use in all its life.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Limits {
    pub(super) heap_bytes: u64,
    pub(super) cpu_seconds: u64,
}

/// One login.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) rules: Vec<Source>,
    pub(super) user: Value,
    pub(super) context: Value,
    pub(super) configuration: BTreeMap<String, String>,
    pub(super) millis: u64,
}

/// A rule as the worker needs it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) script: String,
}

/// The answer to [`FromWorker::Call`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) id: u64,
    pub(super) result: Result<Value, CallError>,
}

/// Why a call failed: becomes an `Error` with a `code` in the script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CallError {
    pub(super) code: String,
    pub(super) message: String,
}

/// The worker to its host.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromWorker {
    /// The limits hold; logins may come.
    Ready,
    /// The rule at this index begins.
    Begin(usize),
    /// A line for the console.
    Say(ConsoleLevel, String),
    /// A script asks for something. Ids are never used twice in a worker's life.
    Call(u64, Call),
    /// The login is done.
    End(Verdict),
}

/// What a script can ask the host for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Call {
    /// An HTTP request.
    Fetch(FetchCall),
    /// A metadata update.
    Metadata(MetadataUpdate),
    /// A timer, in milliseconds.
    Sleep(u64),
}

/// The request of a fetch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FetchCall {
    pub(super) url: String,
    pub(super) method: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
    /// The script's own limit, if it is shorter than ours.
    pub(super) timeout_millis: Option<u64>,
}

/// The answer of a fetch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FetchAnswer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// As text; what is not UTF-8 in it is replaced.
    pub(super) body: String,
}

/// How a login ended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Verdict {
    /// Every rule called back cleanly.
    Done { user: Value, context: Value },
    /// The rule at `index` did not.
    Denied { index: usize, reason: DenyReason, message: String },
}

impl CallError {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

/// A frame ready to be written.
pub(super) fn frame(message: &impl Serialize, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - 4;
    let short = u32::try_from(length).ok().filter(|_| length <= limit);
    let prefix = short.ok_or_else(|| too_long(length))?.to_be_bytes();
    for (slot, byte) in bytes.iter_mut().zip(prefix) {
        *slot = byte;
    }
    Ok(bytes)
}

/// Writes one frame.
pub(super) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&frame(message, FROM_WORKER_LIMIT)?)?;
    to.flush()
}

/// Reads one frame; `None` when the other end has closed between frames.
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
    async fn a_frame_reads_back_and_an_end_between_frames_is_not_an_error() {
        let mut bytes = Vec::new();
        write(&mut bytes, &FromWorker::Begin(7)).unwrap();
        assert!(matches!(read_async(&mut bytes.as_slice()).await.unwrap(), FromWorker::Begin(7)));
        let mut rest = bytes.as_slice();
        assert!(matches!(read(&mut rest).unwrap(), Some(FromWorker::Begin(7))));
        assert!(read::<FromWorker>(&mut rest).unwrap().is_none());
    }

    #[tokio::test]
    async fn a_frame_longer_than_its_limit_is_refused_before_it_is_read() {
        let mut claim = &u32::MAX.to_be_bytes()[..];
        let error = read_async::<FromWorker>(&mut claim).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(frame(&"x".repeat(100), 50).is_err());
    }
}
