//! Reads that end early: because they take too long, or because their caller has gone.
//!
//! SQLite calls a handler at intervals (<https://sqlite.org/c3ref/progress_handler.html>). It does not during one long
//! step: `SELECT count(*)` without a condition is one, so our counts have a condition.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::DatabaseError;
use crate::clock::Clock;

/// Steps of SQLite's virtual machine between two calls of the handler: some ten microseconds.
const STEPS: i32 = 1000;

/// Bounds the reads of the handles that were made with it. Dropped, it ends those that run, and those that have not begun.
#[derive(Debug)]
pub struct Interrupt(pub(super) Bounds);

/// What a handle keeps of its [`Interrupt`].
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    time: Duration,
    clock: Clock,
    cancelled: Arc<AtomicBool>,
}

impl Interrupt {
    /// Ends each read that takes longer than `time`.
    pub fn after(time: Duration, clock: Clock) -> Self {
        Self(Bounds { time, clock, cancelled: Arc::default() })
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }
}

impl Bounds {
    /// Runs `query` within the bounds, and removes them from the connection afterwards.
    pub(super) fn apply<T, E: From<DatabaseError>>(
        &self,
        connection: &mut Connection,
        query: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(DatabaseError::Interrupted.into());
        }
        let (cancelled, clock) = (Arc::clone(&self.cancelled), self.clock.clone());
        let deadline = clock.elapsed().saturating_add(self.time);
        let is_over = move || cancelled.load(Ordering::Relaxed) || clock.elapsed() >= deadline;
        connection.progress_handler(STEPS, Some(is_over)).map_err(DatabaseError::from)?;
        query(Bounded(connection).0)
    }
}

/// A connection with a handler, which is removed on drop, also after a panic.
struct Bounded<'a>(&'a mut Connection);

impl Drop for Bounded<'_> {
    fn drop(&mut self) {
        // Removing a handler cannot fail; only keeping one can.
        drop(self.0.progress_handler(0, None::<fn() -> bool>));
    }
}
