//! Log set-up, request ids, counters, secrets.
//!
//! Imports no other module of ours. Never logs a token, the value of a claim or a secret: callers pass codes and ids only.

mod log_writer;
mod text_line;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};
use uuid::{Builder, Uuid};

use log_writer::LogWriter;
use text_line::TextLine;

/// `[log]` in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A filter for `tracing-subscriber`: `info`, `vestibule=debug`, …
    pub filter: String,
    /// The format of a line.
    pub format: Format,
    /// Whether every request gets a line. Refused and failed ones always do.
    pub requests: bool,
}

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Replaces control characters, so that a name or a script's output can neither control the terminal nor start a new line,
/// and bidirectional ones, which would reorder the line.
pub fn plain(text: &str) -> String {
    let is_unsafe = |c: char| {
        let reorders = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        reorders || c.is_control()
    };
    text.chars().map(|c| if is_unsafe(c) { '\u{fffd}' } else { c }).collect()
}

/// Starts logging to standard error, with colours on a terminal that has them, unless `NO_COLOR` is set. Only the first call
/// has an effect. The error says why the filter is malformed.
pub fn init(settings: &Settings) -> Result<LogFilter, String> {
    let (filter, handle) = reload::Layer::new(parse_filter(&settings.filter)?);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(console::colors_enabled_stderr())
        .with_writer(LogWriter::start());
    let lines = match settings.format {
        Format::Text => lines.event_format(TextLine::default()).boxed(),
        Format::Json => lines.json().boxed(),
    };
    drop(tracing_subscriber::registry().with(filter).with(lines).try_init());
    Ok(LogFilter(handle))
}

/// Writes the log lines that wait to be written, for the end of the process.
pub fn flush() {
    // If standard error is closed, there is nowhere to report it.
    drop(log_writer::flush());
}

fn parse_filter(filter: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(filter).map_err(|error| error.to_string())
}

/// The filter of the log, which can be changed while the log is written.
#[derive(Debug)]
pub struct LogFilter(reload::Handle<EnvFilter, Registry>);

impl LogFilter {
    /// Replaces the filter. The error says why it is malformed; the filter is then unchanged.
    pub fn set(&self, filter: &str) -> Result<(), String> {
        self.0.reload(parse_filter(filter)?).map_err(|error| error.to_string())
    }
}

/// Whether requests are logged, and the pseudonyms of their callers.
#[derive(Debug, Default)]
pub struct RequestLog {
    enabled: AtomicBool,
    /// SipHash with a random key of this process, which is written nowhere.
    pseudonyms: RandomState,
}

impl RequestLog {
    /// A log of every request, or of refused and failed ones only.
    pub fn new(enabled: bool) -> Self {
        Self { enabled: enabled.into(), ..Self::default() }
    }

    /// Whether every request is logged.
    pub fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// Sets whether every request is logged.
    pub fn enable(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Relaxed);
    }

    /// A pseudonym of an id, the same until the process ends. The id cannot be recovered from it.
    pub fn pseudonym(&self, id: impl std::hash::Hash) -> u64 {
        self.pseudonyms.hash_one(id)
    }
}

/// How many ids the random bits are fetched for at once, in each thread.
const IDS_AT_ONCE: usize = 64;

/// The id of a request, in its response and in the log.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new id: a UUIDv7 with 74 random bits (RFC 9562). They are the system's, taken for many ids at once, as each call to
    /// it costs a microsecond.
    pub fn fresh() -> Self {
        thread_local! {
            static RANDOM: RefCell<Vec<[u8; 10]>> = const { RefCell::new(Vec::new()) };
        }
        let random = RANDOM.with_borrow_mut(|left| {
            if left.is_empty() {
                let mut block = [0; IDS_AT_ONCE * 10];
                aws_lc_rs::rand::fill(&mut block).ok()?;
                left.extend_from_slice(block.as_chunks().0);
            }
            left.pop()
        });
        let (seconds, nanos) = uuid::Timestamp::now(uuid::NoContext).to_unix();
        let millis = seconds.saturating_mul(1000).saturating_add(u64::from(nanos / 1_000_000));
        let id = |random| Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        Self(random.map_or_else(Uuid::now_v7, id))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts by two labels, such as door and code. Takes a lock: for rare events.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<(&'static str, &'static str), u64>>);

impl Tally {
    /// Adds one.
    pub fn count(&self, first: &'static str, second: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry((first, second)).or_default() += 1;
    }

    /// All counts so far, in order of their labels.
    pub fn all(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A secret: `Debug` prints dots, and it is never serialized.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself. Pass it only to the code that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    #[test]
    fn request_ids_are_uuids_of_now_and_all_different() {
        let begun = uuid::Timestamp::now(uuid::NoContext).to_unix().0;
        let some = || (0..3 * IDS_AT_ONCE).map(|_| RequestId::fresh().0).collect::<Vec<_>>();
        let ids = thread::scope(|scope| {
            [scope.spawn(some), scope.spawn(some)].map(|thread| thread.join().unwrap())
        });
        let ids = ids.concat();
        assert_eq!(HashSet::<&Uuid>::from_iter(&ids).len(), 6 * IDS_AT_ONCE);
        for id in ids {
            assert_eq!(id.get_version(), Some(uuid::Version::SortRand));
            assert!((begun..=begun + 60).contains(&id.get_timestamp().unwrap().to_unix().0), "{id}");
        }
    }
}
