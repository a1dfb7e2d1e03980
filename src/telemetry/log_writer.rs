//! Writes log lines to standard error, many at once.
//!
//! A line waits at most [`DELAY`], so that the log of a busy server takes fifty system calls a second, not one for each request.
//! A warning or an error is written at once, after the lines before it.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{mem, thread};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait. A process that is killed loses the lines of this time.
const DELAY: Duration = Duration::from_millis(20);
/// With more bytes than this, the thread that logs writes them itself: a slow reader slows the server down, but its lines neither
/// get lost nor take more memory.
const BATCH_MAX: usize = 64 * 1024;

/// The lines that wait. One batch, as there is one standard error.
static BATCH: Batch = Batch { lines: Mutex::new(Vec::new()), begun: Condvar::new() };

struct Batch {
    lines: Mutex<Vec<u8>>,
    /// Notified of the first line.
    begun: Condvar,
}

/// Makes the writer of each line.
#[derive(Debug)]
pub(super) struct LogWriter {
    /// Whether a thread writes the batches.
    batches: bool,
}

/// Writes one line.
pub(super) struct LineWriter {
    waits: bool,
}

impl LogWriter {
    /// Starts the thread that writes the batches. Without one, each line is written at once.
    pub(super) fn start() -> Self {
        let write_batches = || loop {
            drop(BATCH.begun.wait_while(BATCH.lines(), |lines| lines.is_empty()));
            thread::park_timeout(DELAY);
            // Without standard error there is nowhere to report it.
            drop(flush());
        };
        Self { batches: thread::Builder::new().name("log".to_owned()).spawn(write_batches).is_ok() }
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = LineWriter;

    fn make_writer(&'a self) -> LineWriter {
        LineWriter { waits: false }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> LineWriter {
        LineWriter { waits: self.batches && *meta.level() > Level::WARN }
    }
}

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.waits { BATCH.add(line) } else { BATCH.write_with(line) }.map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        flush()
    }
}

/// Writes the lines that wait.
pub(super) fn flush() -> io::Result<()> {
    BATCH.write_with(&[])
}

impl Batch {
    fn lines(&self) -> MutexGuard<'_, Vec<u8>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) -> io::Result<()> {
        let mut lines = self.lines();
        let is_first = lines.is_empty();
        lines.extend_from_slice(line);
        let is_full = lines.len() > BATCH_MAX;
        drop(lines);
        if is_first {
            self.begun.notify_one();
        }
        if is_full { flush() } else { Ok(()) }
    }

    /// Writes the lines that wait and one more. Locks standard error first, so that lines stay in order.
    fn write_with(&self, line: &[u8]) -> io::Result<()> {
        let mut stderr = io::stderr().lock();
        let mut lines = mem::take(&mut *self.lines());
        lines.extend_from_slice(line);
        stderr.write_all(&lines)
    }
}
