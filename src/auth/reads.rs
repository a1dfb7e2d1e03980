//! Profiles that staff look at: kept for ten seconds, fetched one at a time, and never with the calls that new users need.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::auth0::{Profile, Quota};
use crate::user::Auth0Id;

/// How long a fetched profile is not fetched again.
const FRESH: Duration = Duration::from_secs(10);
/// The most memory of fetched profiles, in bytes of their JSON. One may have a MiB.
const BYTES: u64 = 8 * 1024 * 1024;
const PROFILES: usize = 1024;
/// The calls in [`WINDOW`] to a tenant that does not report its quota: half of what the smallest plan of Auth0 allows.
const CALLS: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);

pub(super) struct Reads {
    fresh: Cache<Auth0Id, Kept, ByBytes>,
    one: Semaphore,
    /// The beginning of the window, and the calls in it.
    window: Mutex<(Duration, u32)>,
}

/// A profile, when it was fetched, and its bytes.
#[derive(Clone)]
struct Kept(Arc<Profile>, Duration, u64);

#[derive(Clone)]
struct ByBytes;

impl Weighter<Auth0Id, Kept> for ByBytes {
    fn weight(&self, _: &Auth0Id, Kept(_, _, bytes): &Kept) -> u64 {
        *bytes
    }
}

impl Reads {
    /// The profile of `id`, if it was fetched a moment ago. `now` is on the monotonic clock.
    pub(super) fn fresh(&self, id: &Auth0Id, now: Duration) -> Option<Arc<Profile>> {
        self.fresh
            .get(id)
            .filter(|Kept(_, at, _)| now.saturating_sub(*at) < FRESH)
            .map(|Kept(profile, ..)| profile)
    }

    pub(super) fn keep(&self, id: &Auth0Id, profile: &Arc<Profile>, now: Duration) {
        let bytes = (profile.whole.to_string().len() as u64).max(BYTES / PROFILES as u64);
        self.fresh.insert(id.clone(), Kept(Arc::clone(profile), now, bytes));
    }

    /// The turn to fetch. One at a time, so that each call knows what the one before has left of the quota.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Never closed.
        self.one.acquire().await.ok()
    }

    /// Whether a call may be made; as the error, when to try again. Half of the quota is for new users.
    pub(super) fn allow(&self, quota: Option<Quota>, now: Duration) -> Result<(), Duration> {
        let wait = match quota.filter(|quota| quota.resets_at > now) {
            Some(quota) if quota.remaining * 2 > quota.limit => return Ok(()),
            Some(quota) => quota.resets_at.saturating_sub(now),
            None => {
                let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
                if now.saturating_sub(window.0) >= WINDOW {
                    *window = (now, 0);
                }
                if window.1 < CALLS {
                    window.1 += 1;
                    return Ok(());
                }
                (window.0 + WINDOW).saturating_sub(now)
            }
        };
        Err(wait.max(Duration::from_secs(1)))
    }
}

impl Default for Reads {
    fn default() -> Self {
        let fresh = Cache::with_weighter(PROFILES, BYTES, ByBytes);
        Self { fresh, one: Semaphore::new(1), window: Mutex::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn half_of_a_reported_quota_is_for_new_users() {
        let reads = Reads::default();
        let allow = |remaining, now| {
            reads.allow(Some(Quota { limit: 10, remaining, resets_at: seconds(60) }), seconds(now))
        };
        assert_eq!(
            [10, 6, 5, 0].map(|remaining| allow(remaining, 50)),
            [Ok(()), Ok(()), Err(seconds(10)), Err(seconds(10))]
        );
        assert_eq!(allow(0, 60), Ok(()), "the quota is full again");
    }

    #[test]
    fn a_tenant_without_quota_gets_ten_calls_in_ten_seconds() {
        let reads = Reads::default();
        let allowed = |now| (0..20).filter(|_| reads.allow(None, seconds(now)).is_ok()).count();
        assert_eq!([allowed(100), allowed(105), allowed(110)], [10, 0, 10]);
        assert_eq!(reads.allow(None, seconds(113)), Err(seconds(7)));
    }

    #[test]
    fn profiles_are_kept_for_ten_seconds_in_bounded_memory() {
        let reads = Reads::default();
        let id = |i: usize| format!("auth0|{i}").parse::<Auth0Id>().unwrap();
        let profile =
            |text: String| Arc::new(Profile::read(json!({"user_id": "auth0|1", "text": text})).unwrap());
        reads.keep(&id(0), &profile(String::new()), seconds(5));
        assert!(reads.fresh(&id(0), seconds(14)).is_some() && reads.fresh(&id(0), seconds(15)).is_none());
        let large = profile("x".repeat(100_000));
        for i in 0..300 {
            reads.keep(&id(i), &large, seconds(5));
        }
        assert!((1..=84).contains(&reads.fresh.len()), "{}", reads.fresh.len());
        let small = profile(String::new());
        for i in 0..5_000 {
            reads.keep(&id(i), &small, seconds(5));
        }
        assert!(reads.fresh.len() <= PROFILES, "{}", reads.fresh.len());
    }
}
