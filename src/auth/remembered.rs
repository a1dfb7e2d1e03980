//! Ids that are remembered for a time, and the throttle for reading the rows of users from payloads.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::user::Auth0Id;

/// The most ids in one memory. Over it, ids are forgotten before their time.
const IDS_MAX: usize = 10_000;
/// How long the row of one user is not read again.
const INTERVAL: Duration = Duration::from_secs(600);

/// Ids with a value, each until a time on the monotonic clock.
pub(super) struct Remembered<T = ()>(Cache<Auth0Id, (Duration, T)>);

impl<T: Clone> Remembered<T> {
    /// The value of `id`, while it is remembered.
    pub(super) fn get(&self, id: &Auth0Id, now: Duration) -> Option<T> {
        self.0.get(id).filter(|(until, _)| *until > now).map(|(_, value)| value)
    }

    /// How long `id` is still remembered.
    pub(super) fn left(&self, id: &Auth0Id, now: Duration) -> Option<Duration> {
        self.0.get(id)?.0.checked_sub(now).filter(|left| !left.is_zero())
    }

    pub(super) fn insert(&self, id: &Auth0Id, value: T, until: Duration) {
        self.0.insert(id.clone(), (until, value));
    }
}

impl<T: Clone> Default for Remembered<T> {
    fn default() -> Self {
        Self(Cache::new(IDS_MAX))
    }
}

/// Limits how often the row of a user from a payload is read to see whether their profile is stale: one row at a time, and
/// each once per interval. Such users cause no other query.
pub(super) struct ReadThrottle {
    recent: Remembered,
    one: Arc<Semaphore>,
    interval: Duration,
}

impl ReadThrottle {
    /// A throttle for profiles that may be as old as `max_age`.
    pub(super) fn new(max_age: Duration) -> Self {
        let one = Arc::new(Semaphore::new(1));
        Self { recent: Remembered::default(), one, interval: INTERVAL.min(max_age) }
    }

    /// Permission to read the row of `id`, if it is due and no other row is being read.
    pub(super) fn begin(&self, id: &Auth0Id, now: Duration) -> Option<OwnedSemaphorePermit> {
        let is_recent = || self.recent.left(id, now).is_some();
        // Again with the permit, because a read for the same user may just have ended.
        let permit = if is_recent() { None } else { Arc::clone(&self.one).try_acquire_owned().ok() };
        let permit = permit.filter(|_| !is_recent())?;
        self.recent.insert(id, (), now + self.interval);
        Some(permit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Auth0Id {
        text.parse().unwrap()
    }

    #[test]
    fn one_row_is_read_at_a_time_and_each_once_per_interval() {
        let throttle = ReadThrottle::new(Duration::from_secs(86_400));
        let (ada, grace) = (id("auth0|ada"), id("auth0|grace"));
        let permit = throttle.begin(&ada, Duration::ZERO);
        assert!(permit.is_some());
        assert!(throttle.begin(&grace, Duration::ZERO).is_none(), "another row is being read");
        drop(permit);
        assert!(throttle.begin(&grace, Duration::ZERO).is_some(), "a refused user is still due");
        assert!(throttle.begin(&ada, INTERVAL - Duration::from_millis(1)).is_none());
        assert!(throttle.begin(&ada, INTERVAL).is_some());
    }

    #[test]
    fn concurrent_requests_cause_one_read_and_memory_is_bounded() {
        let throttle = ReadThrottle::new(Duration::from_secs(60));
        let ada = id("auth0|ada");
        let count: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..16).map(|_| scope.spawn(|| throttle.begin(&ada, Duration::ZERO).is_some())).collect();
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
        });
        assert_eq!(count, 1);
        assert!(
            throttle.begin(&ada, Duration::from_secs(60)).is_some(),
            "a short maximum age is the interval"
        );
        for i in 0..3 * IDS_MAX {
            throttle.begin(&id(&format!("auth0|{i}")), Duration::ZERO);
        }
        assert!(throttle.recent.0.len() <= IDS_MAX, "{}", throttle.recent.0.len());
    }
}
