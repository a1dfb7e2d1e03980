//! Reads that end early: because they take too long, or because their caller has gone.
//!
//! SQLite calls a handler at intervals (<https://sqlite.org/c3ref/progress_handler.html>). It does not during one long
//! step: `SELECT count(*)` without a condition is one, so our counts have a condition.

use std::sync::{Arc, Weak};
use std::time::Duration;

use rusqlite::Connection;

use super::DatabaseError;
use crate::clock::Clock;

/// Steps of SQLite's virtual machine between two calls of the handler: some ten microseconds.
const STEPS: i32 = 1000;

/// As [`STEPS`], of a read that runs inline: a few rows, because each may wait for the disk.
const INLINE_STEPS: i32 = 200;

/// The time that a read may take inline, on a thread that serves other requests. It takes a hundredth of this when the disk
/// need not be read; valgrind, which counts instructions in the benches, is fifty times slower.
const INLINE_TIME: Duration = Duration::from_millis(20);

/// Bounds the reads of the handles that were made with it. Dropped, it ends those that run, and those that have not begun.
#[derive(Debug)]
pub struct Interrupt(pub(super) Arc<Bounds>);

#[derive(Debug, Clone)]
pub(super) struct Bounds {
    time: Duration,
    clock: Clock,
    /// Whether the reads run inline, so that they must not wait for a scan.
    pub(super) is_inline: bool,
}

impl Interrupt {
    /// Ends each read that takes longer than `time`.
    pub fn after(time: Duration, clock: Clock) -> Self {
        Self(Arc::new(Bounds { time, clock, is_inline: false }))
    }

    /// Ends each read that takes too long to run inline, and lets it wait for no scan.
    pub fn inline(clock: Clock) -> Self {
        Self(Arc::new(Bounds { time: INLINE_TIME, clock, is_inline: true }))
    }
}

/// Runs `query` until the [`Interrupt`] behind `bounds` ends it.
pub(super) fn bounded<T, E: From<DatabaseError>>(
    bounds: &Weak<Bounds>,
    connection: &mut Connection,
    query: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    // A copy: the strong count must fall to zero while the query runs.
    let Bounds { time, clock, is_inline } =
        bounds.upgrade().ok_or(DatabaseError::Interrupted)?.as_ref().clone();
    let (bounds, deadline) = (Weak::clone(bounds), clock.elapsed().saturating_add(time));
    let is_over = move || bounds.strong_count() == 0 || clock.elapsed() >= deadline;
    let steps = if is_inline { INLINE_STEPS } else { STEPS };
    connection.progress_handler(steps, Some(is_over)).map_err(DatabaseError::from)?;
    query(Bounded(connection).0)
}

/// A connection with a handler, which is removed on drop, also after a panic.
struct Bounded<'a>(&'a mut Connection);

impl Drop for Bounded<'_> {
    fn drop(&mut self) {
        // Removing a handler cannot fail; only keeping one can.
        drop(self.0.progress_handler(0, None::<fn() -> bool>));
    }
}
