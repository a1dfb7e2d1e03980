//! Limits for the fetches that unknown `kid`s cause, so that forged tokens cannot make us flood a tenant.
//!
//! Pure: the time and the numbers of fetches are arguments.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// Unknown keys cause at most one useless fetch in this time …
const COOLDOWN: Duration = Duration::from_secs(30);
/// … and at most this many in [`WINDOW`].
const FETCHES_MAX: usize = 10;
const WINDOW: Duration = Duration::from_secs(600);
/// How long an unknown `kid` causes no second fetch.
const KID_TTL: Duration = Duration::from_secs(300);
const KIDS_MAX: usize = 1024;

/// The limits for one issuer.
#[derive(Default)]
pub(super) struct RefetchLimiter {
    /// Time and number of each fetch that brought no new key, or has not ended.
    fetches: VecDeque<(Duration, u64)>,
    /// The number of the last fetch that an unknown `kid` caused.
    last: u64,
    /// Until when each `kid` causes no fetch.
    kids: HashMap<String, Duration>,
}

/// The fetch to wait for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// Its number, counted from 1.
    pub(super) fetch: u64,
    /// Whether the holder must start it.
    pub(super) starts: bool,
}

impl RefetchLimiter {
    /// The fetch that will show whether `kid` exists: one that is under way, else a new one within the limits. `now` is on
    /// the monotonic clock; `begun` and `ended` are the numbers of fetches so far.
    pub(super) fn ticket(&mut self, kid: &str, now: Duration, begun: u64, ended: u64) -> Option<Ticket> {
        self.kids.retain(|_, until| *until > now);
        while self.fetches.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= WINDOW) {
            self.fetches.pop_front();
        }
        if self.last > ended {
            self.remember(kid, now);
            return Some(Ticket { fetch: self.last, starts: false });
        }
        let cooling = self.fetches.back().is_some_and(|(at, _)| now.saturating_sub(*at) < COOLDOWN);
        if cooling || self.fetches.len() >= FETCHES_MAX || self.kids.contains_key(kid) {
            return None;
        }
        self.remember(kid, now);
        // A fetch that has begun may have been answered before the key was published.
        self.last = begun + 1;
        self.fetches.push_back((now, self.last));
        Some(Ticket { fetch: self.last, starts: true })
    }

    /// Does not count a fetch that found its key: tenants may rotate keys as often as they like, and others cannot cause
    /// such a fetch.
    pub(super) fn refund(&mut self, kid: &str, fetch: u64) {
        self.fetches.retain(|(_, number)| *number != fetch);
        self.kids.remove(kid);
    }

    fn remember(&mut self, kid: &str, now: Duration) {
        if self.kids.len() < KIDS_MAX {
            self.kids.insert(kid.to_owned(), now + KID_TTL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tenant whose fetches end at once and find nothing.
    #[derive(Default)]
    struct Tenant {
        limiter: RefetchLimiter,
        now: Duration,
        fetches: u64,
    }

    impl Tenant {
        /// Presents a token with `kid`; returns whether it caused a fetch.
        fn present(&mut self, kid: &str) -> bool {
            let ticket = self.limiter.ticket(kid, self.now, self.fetches, self.fetches);
            self.fetches += u64::from(ticket.as_ref().is_some_and(|ticket| ticket.starts));
            ticket.is_some()
        }

        fn wait(&mut self, time: Duration) {
            self.now += time;
        }
    }

    /// V26: 10,000 tokens with as many unknown keys within a minute.
    #[test]
    fn a_flood_of_unknown_keys_causes_one_fetch_in_30_seconds_and_ten_in_10_minutes() {
        let mut tenant = Tenant::default();
        for i in 0..10_000 {
            tenant.present(&format!("minute-{i}"));
            tenant.wait(Duration::from_millis(6));
        }
        assert_eq!(tenant.fetches, 2);
        for i in 0..10_000 {
            tenant.present(&format!("hour-{i}"));
            tenant.wait(Duration::from_millis(360));
        }
        assert!((50..=62).contains(&tenant.fetches), "{}", tenant.fetches);
        assert!(tenant.limiter.kids.len() <= KIDS_MAX);
    }

    #[test]
    fn an_unknown_kid_causes_no_second_fetch_for_five_minutes() {
        let mut tenant = Tenant::default();
        assert!(tenant.present("a"));
        for _ in 0..4 {
            tenant.wait(Duration::from_secs(60));
            assert!(!tenant.present("a"));
        }
        assert!(tenant.present("b"), "another kid may cause one");
        tenant.wait(Duration::from_secs(61));
        assert!(tenant.present("a"));
    }

    #[test]
    fn a_second_unknown_kid_waits_for_the_fetch_under_way_and_is_remembered() {
        let mut limiter = RefetchLimiter::default();
        let now = Duration::ZERO;
        // One fetch is under way and may have been answered already: the next one decides.
        assert_eq!(limiter.ticket("a", now, 1, 0), Some(Ticket { fetch: 2, starts: true }));
        assert_eq!(limiter.ticket("b", now, 2, 1), Some(Ticket { fetch: 2, starts: false }));
        assert_eq!(limiter.ticket("b", now + COOLDOWN, 2, 2), None);
        assert!(limiter.ticket("c", now + COOLDOWN, 2, 2).is_some_and(|ticket| ticket.starts));
    }

    #[test]
    fn a_fetch_that_found_its_key_does_not_count() {
        let mut tenant = Tenant::default();
        for i in 0..100 {
            let kid = format!("rotated-{i}");
            assert!(tenant.present(&kid), "{i}");
            tenant.limiter.refund(&kid, tenant.fetches);
        }
        assert!(tenant.present("rotated-0"), "a key that comes back is fetched at once");
    }
}
