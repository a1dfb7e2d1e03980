//! What is remembered of keys that no set has: tokens that name unknown keys must not make us flood a tenant.
//!
//! An unknown `kid` may cause a fetch, within limits that hold whatever the traffic. Pure: time and the count of fetches
//! come in as numbers.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// Unknown keys cause at most one fetch in vain in this time …
const COOLDOWN: Duration = Duration::from_secs(30);
/// … and at most this many in [`BURST_TIME`].
const BURST: usize = 10;
const BURST_TIME: Duration = Duration::from_secs(600);
/// How long a `kid` that was asked for in vain is not asked for again.
const REMEMBERED: Duration = Duration::from_secs(300);
const REMEMBERED_MAX: usize = 1024;

/// The unknown keys of one issuer.
#[derive(Default)]
pub(super) struct Unknown {
    /// When fetches were caused that brought nothing, or have not yet, with their numbers.
    caused: VecDeque<(Duration, u64)>,
    /// The last fetch that was caused, by its number.
    last: u64,
    /// Until when each `kid` is not asked for.
    names: HashMap<String, Duration>,
}

/// The fetch that will tell about a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Awaited {
    /// Its number: the how-manieth it is.
    pub(super) fetch: u64,
    /// Whether nobody has caused it yet.
    pub(super) cause: bool,
}

impl Unknown {
    /// The fetch that will tell about `kid`: a new one if the limits allow it, else one that another `kid` caused and that
    /// has not ended. `now` is of the monotonic clock; `begun` and `ended` say how many fetches did.
    pub(super) fn fetch_for(&mut self, kid: &str, now: Duration, begun: u64, ended: u64) -> Option<Awaited> {
        self.names.retain(|_, until| *until > now);
        while self.caused.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= BURST_TIME) {
            self.caused.pop_front();
        }
        if self.last > ended {
            self.remember(kid, now);
            return Some(Awaited { fetch: self.last, cause: false });
        }
        let cooling = self.caused.back().is_some_and(|(at, _)| now.saturating_sub(*at) < COOLDOWN);
        if cooling || self.caused.len() >= BURST || self.names.contains_key(kid) {
            return None;
        }
        self.remember(kid, now);
        // A fetch that has begun may have been answered before the key was published.
        self.last = begun + 1;
        self.caused.push_back((now, self.last));
        Some(Awaited { fetch: self.last, cause: true })
    }

    /// A fetch that brought the key it was for is not held against the next one: keys are the tenant's to rotate as often
    /// as it likes, and nobody else can make such a fetch happen.
    pub(super) fn forgive(&mut self, kid: &str, fetch: u64) {
        self.caused.retain(|(_, number)| *number != fetch);
        self.names.remove(kid);
    }

    fn remember(&mut self, kid: &str, now: Duration) {
        if self.names.len() < REMEMBERED_MAX {
            self.names.insert(kid.to_owned(), now + REMEMBERED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fetches that end at once and in vain, and the time.
    #[derive(Default)]
    struct World {
        unknown: Unknown,
        now: Duration,
        fetches: u64,
    }

    impl World {
        /// A token with `kid` comes; says whether it caused a fetch.
        fn meets(&mut self, kid: &str) -> bool {
            let awaited = self.unknown.fetch_for(kid, self.now, self.fetches, self.fetches);
            self.fetches += u64::from(awaited.as_ref().is_some_and(|awaited| awaited.cause));
            awaited.is_some()
        }

        fn passes(&mut self, time: Duration) {
            self.now += time;
        }
    }

    /// V26: 10,000 tokens with as many unknown keys within a minute.
    #[test]
    fn a_flood_of_unknown_keys_causes_a_fetch_every_half_minute_and_ten_in_ten_minutes() {
        let mut world = World::default();
        for i in 0..10_000 {
            world.meets(&format!("minute-{i}"));
            world.passes(Duration::from_millis(6));
        }
        assert_eq!(world.fetches, 2);
        for i in 0..10_000 {
            world.meets(&format!("hour-{i}"));
            world.passes(Duration::from_millis(360));
        }
        assert!((50..=62).contains(&world.fetches), "{}", world.fetches);
        assert!(world.unknown.names.len() <= REMEMBERED_MAX);
    }

    #[test]
    fn a_key_asked_for_in_vain_is_not_asked_for_again_for_five_minutes() {
        let mut world = World::default();
        assert!(world.meets("a"));
        for _ in 0..4 {
            world.passes(Duration::from_secs(60));
            assert!(!world.meets("a"));
        }
        assert!(world.meets("b"), "another one may be asked for");
        world.passes(Duration::from_secs(61));
        assert!(world.meets("a"));
    }

    #[test]
    fn who_comes_while_a_fetch_is_under_way_waits_for_it_and_is_remembered_too() {
        let mut unknown = Unknown::default();
        let now = Duration::ZERO;
        // One fetch runs already and may have been answered: the next is the one that tells.
        assert_eq!(unknown.fetch_for("a", now, 1, 0), Some(Awaited { fetch: 2, cause: true }));
        assert_eq!(unknown.fetch_for("b", now, 2, 1), Some(Awaited { fetch: 2, cause: false }));
        assert_eq!(unknown.fetch_for("b", now + COOLDOWN, 2, 2), None);
        assert!(unknown.fetch_for("c", now + COOLDOWN, 2, 2).is_some_and(|awaited| awaited.cause));
    }

    #[test]
    fn a_fetch_that_brought_its_key_is_forgiven() {
        let mut world = World::default();
        for i in 0..100 {
            let kid = format!("rotated-{i}");
            assert!(world.meets(&kid), "{i}");
            world.unknown.forgive(&kid, world.fetches);
        }
    }
}
