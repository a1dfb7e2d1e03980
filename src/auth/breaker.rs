//! Keeps failing calls from being repeated: while Auth0 is away it is left alone, but for one try at a time at growing
//! distances.

use std::time::Duration;

/// After a failure Auth0 is left alone this long, twice as long each time, up to [`REST_MAX`].
const REST_MIN: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(8);

/// Whether Auth0 may be called.
#[derive(Default)]
pub(super) struct Breaker {
    failures: u32,
    rests_until: Duration,
    /// Whether the one try is under way.
    trying: bool,
}

/// Permission for one call. Whoever has it tells how the call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pass {
    /// What was known when the call began.
    failures: u32,
}

impl Breaker {
    /// Whether a call might begin; else when to ask again.
    pub(super) fn look(&self, now: Duration) -> Result<(), Duration> {
        let rest = self.rests_until.saturating_sub(now);
        if rest.is_zero() && !self.trying { Ok(()) } else { Err(rest.max(REST_MIN)) }
    }

    /// Lets a call begin, or tells when to ask again. After a failure it is one call, and no other until it has ended.
    pub(super) fn begin(&mut self, now: Duration) -> Result<Pass, Duration> {
        self.look(now)?;
        self.trying = self.failures > 0;
        Ok(Pass { failures: self.failures })
    }

    /// Auth0 answered, whatever it said.
    pub(super) fn answered(&mut self) {
        *self = Self::default();
    }

    /// A call failed, for a reason that others would meet too. `asked` is how long Auth0 wants to be left alone, if it
    /// says. Gives the time until the next try.
    pub(super) fn failed(&mut self, pass: Pass, now: Duration, asked: Option<Duration>) -> Duration {
        self.trying = false;
        // Calls that were under way together fail together, which is one failure.
        let rest = if pass.failures == self.failures {
            self.failures += 1;
            (REST_MIN * 2_u32.pow(pass.failures.min(3))).min(REST_MAX)
        } else {
            Duration::ZERO
        };
        self.rests_until = self.rests_until.max(now + asked.unwrap_or(rest).max(REST_MIN));
        self.rests_until.saturating_sub(now)
    }

    /// A call ended without telling anything.
    pub(super) fn given_up(&mut self) {
        self.trying = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_try_at_a_time_is_let_through_at_growing_distances_until_it_has_ended() {
        let mut breaker = Breaker::default();
        let mut pass = breaker.begin(seconds(0)).unwrap();
        for (now, rest) in [(5, 1), (100, 2), (200, 4), (300, 8), (400, 8)] {
            assert_eq!(breaker.failed(pass, seconds(now), None), seconds(rest));
            assert_eq!(breaker.begin(seconds(now)), Err(seconds(rest)));
            pass = breaker.begin(seconds(now + rest)).unwrap();
            assert_eq!(breaker.begin(seconds(now + rest + 50)), Err(seconds(1)), "the try is under way");
        }
        breaker.answered();
        assert!(breaker.begin(seconds(451)).is_ok() && breaker.begin(seconds(451)).is_ok());
    }

    #[test]
    fn calls_that_fail_together_are_one_failure() {
        let mut breaker = Breaker::default();
        let passes = [(); 4].map(|()| breaker.begin(seconds(0)).unwrap());
        assert_eq!(passes.map(|pass| breaker.failed(pass, seconds(5), None)), [seconds(1); 4]);
        assert!(breaker.begin(seconds(6)).is_ok());
    }

    #[test]
    fn a_breaker_waits_as_long_as_it_is_asked_to() {
        let mut breaker = Breaker::default();
        let (first, second) = (breaker.begin(seconds(0)).unwrap(), breaker.begin(seconds(0)).unwrap());
        assert_eq!(breaker.failed(first, seconds(0), Some(seconds(40))), seconds(40));
        assert_eq!(breaker.failed(second, seconds(0), None), seconds(40), "the longest counts");
        assert_eq!(breaker.begin(seconds(10)), Err(seconds(30)));
        assert!(breaker.begin(seconds(40)).is_ok());
    }

    #[test]
    fn a_try_that_told_nothing_is_no_reason_to_wait_for_it() {
        let mut breaker = Breaker::default();
        let pass = breaker.begin(seconds(0)).unwrap();
        breaker.failed(pass, seconds(0), None);
        breaker.begin(seconds(1)).unwrap();
        breaker.given_up();
        assert!(breaker.begin(seconds(1)).is_ok());
    }
}
