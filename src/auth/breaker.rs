//! A circuit breaker for calls to Auth0: after a failure it lets one call at a time through, at growing intervals.

use std::time::Duration;

/// The pause after a failure. Doubles with each failure up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(8);

#[derive(Default)]
pub(super) struct Breaker {
    failures: u32,
    /// When the next call may begin, on the monotonic clock.
    open_until: Duration,
    /// Whether the one call after a failure is under way.
    probing: bool,
}

/// Permission for one call, with the number of failures before it. Its holder reports how the call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt(u32);

impl Breaker {
    /// Returns whether a call may begin; as the error, when to try again.
    pub(super) fn check(&self, now: Duration) -> Result<(), Duration> {
        let pause = self.open_until.saturating_sub(now);
        if pause.is_zero() && !self.probing { Ok(()) } else { Err(pause.max(PAUSE_MIN)) }
    }

    /// Begins a call; as the error, when to try again. After a failure only one call may be under way.
    pub(super) fn begin(&mut self, now: Duration) -> Result<Attempt, Duration> {
        self.check(now)?;
        self.probing = self.failures > 0;
        Ok(Attempt(self.failures))
    }

    /// Reports that Auth0 answered, whatever the answer was.
    pub(super) fn answered(&mut self) {
        *self = Self::default();
    }

    /// Reports a failure that other calls would meet too. `retry_after` is the pause that Auth0 asks for, if it does.
    /// Returns the time until the next attempt.
    pub(super) fn failed(
        &mut self,
        Attempt(failures_before): Attempt,
        now: Duration,
        retry_after: Option<Duration>,
    ) -> Duration {
        self.probing = false;
        // Concurrent calls fail together; that counts as one failure.
        let pause = if failures_before == self.failures {
            self.failures += 1;
            (PAUSE_MIN * 2_u32.pow(failures_before.min(3))).min(PAUSE_MAX)
        } else {
            Duration::ZERO
        };
        self.open_until = self.open_until.max(now + retry_after.unwrap_or(pause).max(PAUSE_MIN));
        self.open_until.saturating_sub(now)
    }

    /// Reports that a call ended without a result.
    pub(super) fn abandoned(&mut self) {
        self.probing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_call_at_a_time_may_begin_at_growing_intervals() {
        let mut breaker = Breaker::default();
        let mut attempt = breaker.begin(seconds(0)).unwrap();
        for (now, pause) in [(5, 1), (100, 2), (200, 4), (300, 8), (400, 8)] {
            assert_eq!(breaker.failed(attempt, seconds(now), None), seconds(pause));
            assert_eq!(breaker.begin(seconds(now)), Err(seconds(pause)));
            attempt = breaker.begin(seconds(now + pause)).unwrap();
            assert_eq!(breaker.begin(seconds(now + pause + 50)), Err(seconds(1)), "a call is under way");
        }
        breaker.answered();
        assert!(breaker.begin(seconds(451)).is_ok() && breaker.begin(seconds(451)).is_ok());
    }

    #[test]
    fn concurrent_failures_count_once() {
        let mut breaker = Breaker::default();
        let attempts = [(); 4].map(|()| breaker.begin(seconds(0)).unwrap());
        assert_eq!(attempts.map(|attempt| breaker.failed(attempt, seconds(5), None)), [seconds(1); 4]);
        assert!(breaker.begin(seconds(6)).is_ok());
    }

    #[test]
    fn a_breaker_waits_as_long_as_auth0_asks() {
        let mut breaker = Breaker::default();
        let (first, second) = (breaker.begin(seconds(0)).unwrap(), breaker.begin(seconds(0)).unwrap());
        assert_eq!(breaker.failed(first, seconds(0), Some(seconds(40))), seconds(40));
        assert_eq!(breaker.failed(second, seconds(0), None), seconds(40), "the longest counts");
        assert_eq!(breaker.begin(seconds(10)), Err(seconds(30)));
        let third = breaker.begin(seconds(40)).unwrap();
        assert_eq!(breaker.failed(third, seconds(40), Some(seconds(0))), seconds(1), "never without a pause");
    }

    #[test]
    fn an_abandoned_call_does_not_block_the_next() {
        let mut breaker = Breaker::default();
        let attempt = breaker.begin(seconds(0)).unwrap();
        breaker.failed(attempt, seconds(0), None);
        breaker.begin(seconds(1)).unwrap();
        breaker.abandoned();
        assert!(breaker.begin(seconds(1)).is_ok());
    }
}
