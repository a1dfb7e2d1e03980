//! Reads that end before they are done: because they take too long, or because nobody waits for them any more.
//!
//! SQLite asks now and then whether it is to go on (<https://sqlite.org/c3ref/progress_handler.html>). A statement that
//! is one long step is not asked about: `SELECT count(*)` without a condition is one, so ours have one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::{Store, StoreError};
use crate::clock::Clock;

/// How many steps of its virtual machine SQLite takes from one question to the next: some ten microseconds.
const STEPS: i32 = 1000;

/// Bounds the reads through the handles it was given to. Dropped, it ends those that are under way, and those that
/// have not begun.
#[derive(Debug)]
pub struct Interrupt(Bounds);

/// What a handle knows of its [`Interrupt`].
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    time: Duration,
    over: Arc<AtomicBool>,
}

impl Interrupt {
    /// Ends each read that takes longer than `time`.
    pub fn after(time: Duration) -> Self {
        Self(Bounds { time, over: Arc::default() })
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

impl Store {
    /// The same database; a read through this handle that `interrupt` ends is [`StoreError::Interrupted`]. Changes are
    /// made whole or not at all, and are never interrupted.
    #[must_use]
    pub fn interruptible(&self, interrupt: &Interrupt) -> Self {
        Self { bounds: Some(interrupt.0.clone()), ..self.clone() }
    }
}

impl Bounds {
    /// Runs `query` within the bounds, and leaves the connection without any.
    pub(super) fn hold<T>(
        &self,
        connection: &mut Connection,
        clock: &Clock,
        query: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (over, clock) = (Arc::clone(&self.over), clock.clone());
        let until = clock.elapsed().saturating_add(self.time);
        let ends = move || over.load(Ordering::Relaxed) || clock.elapsed() >= until;
        // A read that nobody waits for does not begin.
        if self.over.load(Ordering::Relaxed) {
            return Err(StoreError::Interrupted);
        }
        connection.progress_handler(STEPS, Some(ends))?;
        query(Bounded(connection).0)
    }
}

/// A connection that is asked about. Dropped, also by a panic, it is not any more.
struct Bounded<'a>(&'a mut Connection);

impl Drop for Bounded<'_> {
    fn drop(&mut self) {
        // It fails only where a handler could not be kept, and this one is none.
        drop(self.0.progress_handler(0, None::<fn() -> bool>));
    }
}
