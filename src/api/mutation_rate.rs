//! How many mutations a person may make.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;

use super::settings::MutationSettings;
use crate::user::UserId;

/// The most people who are counted at once. Over it, those who were counted longest ago begin anew.
const PEOPLE_MAX: usize = 10_000;

/// Counts the mutations of each person, in a minute and in a day from their first one.
#[derive(Debug)]
pub(super) struct MutationRate {
    limits: [(Duration, AtomicU64); 2],
    people: Cache<UserId, Arc<Mutex<[Window; 2]>>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    begun_at: Duration,
    count: u64,
}

impl MutationRate {
    pub(super) fn new(settings: &MutationSettings) -> Self {
        let (minute, day) = (Duration::from_secs(60), Duration::from_secs(24 * 60 * 60));
        let limits = [(minute, settings.per_minute.into()), (day, settings.per_day.into())];
        Self { limits, people: Cache::new(PEOPLE_MAX) }
    }

    /// Sets other limits; what was counted stays.
    pub(super) fn set(&self, settings: &MutationSettings) {
        for ((_, limit), max) in self.limits.iter().zip([settings.per_minute, settings.per_day]) {
            limit.store(max, Ordering::Relaxed);
        }
    }

    /// Counts a mutation at `now` on the monotonic clock, or returns after what time the next one is allowed.
    pub(super) fn count(&self, person: UserId, now: Duration) -> Result<(), Duration> {
        let windows =
            self.people.get_or_insert_with(&person, || Ok::<_, ()>(Arc::default())).unwrap_or_default();
        let mut windows = windows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wait = None;
        for (window, (length, max)) in windows.iter_mut().zip(&self.limits) {
            let max = max.load(Ordering::Relaxed);
            let end = window.begun_at.saturating_add(*length);
            if now >= end || window.count == 0 {
                *window = Window { begun_at: now, count: 0 };
            } else if max > 0 && window.count >= max {
                wait = wait.max(Some(end.saturating_sub(now)));
            }
        }
        match wait {
            Some(wait) => Err(wait),
            None => {
                windows.iter_mut().for_each(|window| window.count = window.count.saturating_add(1));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(number: u128) -> UserId {
        UserId::from_bytes(number.to_be_bytes())
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_person_makes_so_many_mutations_a_minute_and_a_day() {
        let rate = MutationRate::new(&MutationSettings { per_minute: 3, per_day: 5 });
        for second in [100, 110, 120] {
            assert_eq!(rate.count(person(1), at(second)), Ok(()));
        }
        assert_eq!(rate.count(person(1), at(130)), Err(at(30)));
        assert_eq!(rate.count(person(2), at(130)), Ok(()), "each person for themselves");
        // What was refused does not count.
        assert_eq!(rate.count(person(1), at(160)), Ok(()));
        assert_eq!(rate.count(person(1), at(161)), Ok(()));
        assert_eq!(rate.count(person(1), at(162)), Err(at(86_400 - 62)));
        assert_eq!(rate.count(person(1), at(86_500)), Ok(()));
        let unlimited = MutationRate::new(&MutationSettings { per_minute: 0, per_day: 0 });
        assert!((0..10_000).all(|_| unlimited.count(person(1), at(1)).is_ok()));
    }

    #[test]
    fn the_memory_is_bounded() {
        let rate = MutationRate::new(&MutationSettings { per_minute: 1, per_day: 1 });
        for number in 0..3 * PEOPLE_MAX as u128 {
            assert_eq!(rate.count(person(number), at(1)), Ok(()));
        }
        assert!(rate.people.len() <= PEOPLE_MAX, "{}", rate.people.len());
    }
}
