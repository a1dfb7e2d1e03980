//! The only clock. A handle, so that tests can move it.
//!
//! Owns both kinds of time: the wall clock for tokens and rows, and a monotonic clock for intervals. Imports no other module
//! of ours. Never sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A handle to a clock. Cheap to clone; clones of a manual clock move together.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System { started: Instant },
    Manual { started: Timestamp, elapsed_millis: Arc<AtomicU64> },
    Shifted { base: Box<Clock>, seconds: Arc<AtomicI64> },
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

    /// A clock that shows `base`, moved by what [`shift`](Clock::shift) sets. Only its wall clock moves.
    pub fn shiftable(base: Self) -> Self {
        Self(Kind::Shifted { base: Box::new(base), seconds: Arc::default() })
    }

    /// Sets how many seconds a shiftable clock is ahead of its base; negative: behind. Does nothing to others.
    pub fn shift(&self, by: i64) {
        if let Kind::Shifted { seconds, .. } = &self.0 {
            seconds.store(by, Ordering::SeqCst);
        }
    }

    /// How many seconds the clock is ahead of its base.
    pub fn shifted_by(&self) -> i64 {
        if let Kind::Shifted { seconds, .. } = &self.0 { seconds.load(Ordering::SeqCst) } else { 0 }
    }

    /// The wall clock.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System { .. } => Timestamp::now(),
            Kind::Manual { started, .. } => started.saturating_add(self.elapsed()).unwrap_or(*started),
            Kind::Shifted { base, seconds } => {
                let now = base.now();
                let by = jiff::SignedDuration::from_secs(seconds.load(Ordering::SeqCst));
                now.saturating_add(by).unwrap_or(now)
            }
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
            Kind::Shifted { base, .. } => base.elapsed(),
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
        let shifted = Clock::shiftable(clock);
        shifted.clone().shift(-2);
        assert_eq!((shifted.now().as_millisecond(), shifted.shifted_by()), (1_699_999_999_500, -2));
        assert_eq!(shifted.elapsed(), other.elapsed());
    }
}
