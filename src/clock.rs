//! The only clock. A handle, so that tests can move it.
//!
//! Owns both kinds of time: the wall clock for tokens and rows, and a monotonic clock for intervals. Imports no other module
//! of ours. Never sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A handle to a clock. Cheap to clone; clones of a manual clock move together.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System { started: Instant },
    Manual { started: Timestamp, elapsed_millis: Arc<AtomicU64> },
}

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn system() -> Self {
        Self(Kind::System { started: Instant::now() })
    }

    /// A clock that shows `now` until it is [advanced](Clock::advance).
    pub fn manual(now: Timestamp) -> Self {
        Self(Kind::Manual { started: now, elapsed_millis: Arc::default() })
    }

    /// The wall clock.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System { .. } => Timestamp::now(),
            Kind::Manual { started, .. } => started.saturating_add(self.elapsed()).unwrap_or(*started),
        }
    }

    /// Time since the clock was created. Never goes back, even when the wall clock does.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Kind::System { started } => Instant::now().saturating_duration_since(*started),
            Kind::Manual { elapsed_millis, .. } => {
                Duration::from_millis(elapsed_millis.load(Ordering::SeqCst))
            }
        }
    }

    /// Moves a manual clock forward by whole milliseconds. Does nothing to the machine's clock.
    pub fn advance(&self, by: Duration) {
        if let Kind::Manual { elapsed_millis, .. } = &self.0 {
            let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
            elapsed_millis.fetch_add(millis, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_manual_clock_move_together() {
        let clock = Clock::manual(Timestamp::from_second(1_700_000_000).unwrap());
        let other = clock.clone();
        clock.advance(Duration::from_millis(1500));
        assert_eq!(other.now().as_millisecond(), 1_700_000_001_500);
        assert_eq!(other.elapsed(), Duration::from_millis(1500));
    }
}
