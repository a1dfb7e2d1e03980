//! The addresses of the tenant, looked up once for many calls.
//!
//! ureq resolves the name for each call, also when it then uses an open connection, and starts a thread for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::{Authority, Scheme};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::clock::Clock;

/// How long an address is used without another look-up, and an idle connection kept for the next call.
pub(super) const MAX_AGE: Duration = Duration::from_secs(30);

/// Remembers the addresses of one host, the last.
#[derive(Debug)]
pub(super) struct CachingResolver<R> {
    resolver: R,
    last: Addresses,
    clock: Clock,
}

/// The addresses that were looked up last. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Addresses(Arc<Mutex<Option<Resolved>>>);

impl Addresses {
    /// After a call that could not be made: the next one looks them up again.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[derive(Debug)]
struct Resolved {
    host: Host,
    addresses: ResolvedSocketAddrs,
    /// On the monotonic clock.
    good_until: Duration,
}

type Host = (Option<Scheme>, Option<Authority>);

impl<R> CachingResolver<R> {
    pub(super) fn new(resolver: R, last: Addresses, clock: Clock) -> Self {
        Self { resolver, last, clock }
    }
}

impl<R: Resolver> Resolver for CachingResolver<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (host, now) = ((uri.scheme().cloned(), uri.authority().cloned()), self.clock.elapsed());
        let last = || self.last.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = &*last()
            && last.host == host
            && now < last.good_until
        {
            return Ok(last.addresses.clone());
        }
        let addresses = self.resolver.resolve(uri, config, timeout)?;
        *last() = Some(Resolved { host, addresses: addresses.clone(), good_until: now + MAX_AGE });
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU16, Ordering};

    use jiff::Timestamp;

    use super::*;

    /// Returns another port each time.
    #[derive(Debug, Default)]
    struct Ports(AtomicU16);

    impl Resolver for Ports {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut addresses = self.empty();
            addresses.push(([127, 0, 0, 1], self.0.fetch_add(1, Ordering::SeqCst)).into());
            Ok(addresses)
        }
    }

    #[test]
    fn a_host_is_looked_up_again_when_its_addresses_are_old_or_failed_or_another_was_asked_for() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let addresses = Addresses::default();
        let resolver = CachingResolver::new(Ports::default(), addresses.clone(), clock.clone());
        let port = |uri: &'static str| {
            let timeout = NextTimeout::default();
            resolver.resolve(&Uri::from_static(uri), &Config::default(), timeout).unwrap()[0].port()
        };
        assert_eq!((port("https://a.example/x"), port("https://a.example/y")), (0, 0));
        clock.advance(MAX_AGE);
        assert_eq!((port("https://a.example/x"), port("https://b.example/x")), (1, 2));
        assert_eq!((port("http://b.example/x"), port("http://b.example/x")), (3, 3));
        addresses.forget();
        assert_eq!(port("http://b.example/x"), 4);
    }
}
