//! What the log says of a tenant that is away: when it goes, at growing intervals, and when it is back.

use std::time::Duration;

/// The time from the first line to the second. Doubles with each line up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_secs(60);
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// The calls of one kind that fail now. Times are on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Outage(Option<Current>);

#[derive(Debug)]
struct Current {
    since: Duration,
    next_line: Duration,
    pause: Duration,
}

impl Outage {
    /// Records a failed call. Returns how long the outage lasts if it is to be logged.
    pub(super) fn failed(&mut self, now: Duration) -> Option<Duration> {
        let begin = Current { since: now, next_line: now, pause: PAUSE_MIN };
        let current = self.0.get_or_insert(begin);
        if now < current.next_line {
            return None;
        }
        current.next_line = now + current.pause;
        current.pause = (current.pause * 2).min(PAUSE_MAX);
        Some(now.saturating_sub(current.since))
    }

    /// Records a call that succeeded. Returns how long the outage lasted that it ends.
    pub(super) fn ended(&mut self, now: Duration) -> Option<Duration> {
        self.0.take().map(|current| now.saturating_sub(current.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_logged_at_its_begin_at_growing_intervals_and_at_its_end() {
        let (mut outage, seconds) = (Outage::default(), Duration::from_secs);
        assert_eq!(outage.ended(seconds(5)), None);
        let logged: Vec<u64> = (10..20_000).filter(|&now| outage.failed(seconds(now)).is_some()).collect();
        assert_eq!(logged, [10, 70, 190, 430, 910, 1870, 3790, 7390, 10990, 14590, 18190]);
        assert_eq!(outage.ended(seconds(20_000)), Some(seconds(19_990)));
        assert_eq!(outage.failed(seconds(20_001)), Some(Duration::ZERO), "the next one begins anew");
    }
}
