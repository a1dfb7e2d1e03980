//! Ids that are remembered for a time.

use std::time::Duration;

use quick_cache::sync::Cache;

use crate::user::Auth0Id;

/// The most ids in one memory. Over it, ids are forgotten before their time.
const IDS_MAX: usize = 10_000;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_remembered_for_their_time_and_in_bounded_memory() {
        let remembered = Remembered::default();
        let id = |text: &str| text.parse::<Auth0Id>().unwrap();
        let (ada, minute) = (id("auth0|ada"), Duration::from_secs(60));
        remembered.insert(&ada, "why", minute);
        let nearly = minute - Duration::from_millis(1);
        assert_eq!((remembered.get(&ada, nearly), remembered.get(&ada, minute)), (Some("why"), None));
        assert_eq!(remembered.left(&ada, nearly), Some(Duration::from_millis(1)));
        assert_eq!((remembered.left(&ada, minute), remembered.left(&id("auth0|bob"), nearly)), (None, None));
        for i in 0..3 * IDS_MAX {
            remembered.insert(&id(&format!("auth0|{i}")), "why", minute);
        }
        assert!(remembered.0.len() <= IDS_MAX, "{}", remembered.0.len());
    }
}
