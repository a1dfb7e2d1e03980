//! Users who come by payload are not looked up, so nobody would see that their profile has grown old. Whose row is looked
//! at beside a request: one at a time, each user's now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;

use crate::user::Auth0Id;

/// How long a user's row is not looked at again.
const EVERY: Duration = Duration::from_secs(600);
/// The most users that this is remembered of. Who is forgotten is looked at again sooner.
const REMEMBERED_MAX: usize = 10_000;

/// Who was looked at, and whether somebody is.
pub(super) struct Looks {
    /// Until when each is left alone, on the monotonic clock.
    until: Cache<Auth0Id, Duration>,
    looking: Arc<AtomicBool>,
    every: Duration,
}

/// Permission to look at one user. Another is given when it is dropped.
pub(super) struct Look(Arc<AtomicBool>);

impl Looks {
    /// For profiles that may be as old as `max_age`.
    pub(super) fn new(max_age: Duration) -> Self {
        let until = Cache::new(REMEMBERED_MAX);
        Self { until, looking: Arc::default(), every: EVERY.min(max_age) }
    }

    /// A look at `id`, if it is time for one and no other is under way. For all the others it costs a hash.
    pub(super) fn begin(&self, id: &Auth0Id, now: Duration) -> Option<Look> {
        if !self.is_due(id, now) || self.looking.swap(true, Ordering::Acquire) {
            return None;
        }
        let look = Look(Arc::clone(&self.looking));
        // Again, because a look at the same user may just have ended.
        if !self.is_due(id, now) {
            return None;
        }
        self.until.insert(id.clone(), now + self.every);
        Some(look)
    }

    fn is_due(&self, id: &Auth0Id, now: Duration) -> bool {
        self.until.get(id).is_none_or(|until| until <= now)
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Auth0Id {
        text.parse().unwrap()
    }

    #[test]
    fn one_user_is_looked_at_at_a_time_and_each_now_and_then() {
        let looks = Looks::new(Duration::from_secs(86_400));
        let (ada, grace) = (id("auth0|ada"), id("auth0|grace"));
        let look = looks.begin(&ada, Duration::ZERO);
        assert!(look.is_some());
        assert!(looks.begin(&grace, Duration::ZERO).is_none(), "somebody else is looked at");
        drop(look);
        assert!(looks.begin(&grace, Duration::ZERO).is_some(), "and has not lost her turn");
        assert!(looks.begin(&ada, EVERY - Duration::from_millis(1)).is_none());
        assert!(looks.begin(&ada, EVERY).is_some());
    }

    #[test]
    fn many_at_once_are_one_look_and_what_is_remembered_is_bounded() {
        let looks = Looks::new(Duration::from_secs(60));
        let ada = id("auth0|ada");
        let count: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..16).map(|_| scope.spawn(|| looks.begin(&ada, Duration::ZERO).is_some())).collect();
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
        });
        assert_eq!(count, 1);
        assert!(looks.begin(&ada, Duration::from_secs(60)).is_some(), "a short age asks for more looks");
        for i in 0..3 * REMEMBERED_MAX {
            looks.begin(&id(&format!("auth0|{i}")), Duration::ZERO);
        }
        assert!(looks.until.len() <= REMEMBERED_MAX, "{}", looks.until.len());
    }
}
