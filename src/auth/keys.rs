//! Signing keys by issuer and `kid`: fetched in the background, awaited only for an unknown `kid`.
//!
//! One task per issuer makes all its fetches, so at most one is under way. A fetched set replaces the whole set before it or
//! nothing. The last good set is saved in the store, for a start while the tenant is unreachable.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use serde::Serialize;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use super::Refusal;
use super::early_tokens::EarlyTokens;
use super::jwk::Key;
use super::key_set::{KeySet, KeySetError};
use super::outage::Outage;
use super::refetch_limiter::RefetchLimiter;
use crate::auth0::{Auth0, Issuer};
use crate::clock::Clock;
use crate::pool::Pool;
use crate::store::Store;

/// When a good set is fetched again: after 80 % of the ten minutes that Auth0's own SDKs keep one.
const REFRESH: Duration = Duration::from_secs(480);
/// The first pause after a failed fetch, counted from its beginning. Doubles with each failure up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// The longest pause while there is no usable set.
const RETRY_EMPTY_MAX: Duration = Duration::from_secs(2);
/// How long a request waits for an unknown key.
const WAIT: Duration = Duration::from_secs(2);
/// How many requests per issuer may wait.
const WAITING_MAX: usize = 64;

/// A handle to the keys of all trusted issuers. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    issuers: Vec<IssuerKeys>,
    algorithms: Vec<(&'static str, Algorithm)>,
    max_age: Duration,
    auth0: Auth0,
    store: Store,
    pool: Pool,
    clock: Clock,
    tasks: Mutex<JoinSet<()>>,
    early_tokens: EarlyTokens,
}

struct IssuerKeys {
    issuer: Issuer,
    cached: ArcSwapOption<CachedJwks>,
    /// Why the last fetch failed, if it did.
    failure: ArcSwapOption<Failure>,
    /// Makes the task fetch now.
    wake: Notify,
    /// Whether the task is in the long pause after a good fetch.
    idle: AtomicBool,
    fetches: watch::Sender<FetchCount>,
    /// Permits for requests that wait for a fetch.
    waiting: Semaphore,
    limiter: Mutex<RefetchLimiter>,
}

struct Failure {
    /// The error with its causes.
    text: String,
    /// Whether it is about what the issuer publishes, not about our network.
    is_public: bool,
}

/// How many fetches of an issuer's keys have begun and how many have ended.
#[derive(Clone, Copy, Default)]
struct FetchCount {
    begun: u64,
    ended: u64,
}

struct CachedJwks {
    text: String,
    set: KeySet,
    fetched_at: Timestamp,
    /// Changes whenever the keys change.
    generation: u64,
}

/// What is known of the keys of one issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssuerState<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// Whether its tokens can be verified.
    pub ready: bool,
    /// Why the last fetch failed, and which of its keys cannot be used. Without details of the network.
    pub problems: Vec<String>,
}

/// A key, with the generation of the set it is from.
#[derive(Debug, Clone)]
pub struct PublishedKey {
    /// The key.
    pub key: Arc<Key>,
    /// [`Keys::generation`] at that moment.
    pub generation: u64,
}

impl Keys {
    /// Loads the saved sets and starts the background tasks. Does not wait for a fetch.
    pub fn start(
        issuers: Vec<Issuer>,
        algorithms: Vec<(&'static str, Algorithm)>,
        max_age: Duration,
        (auth0, store, pool, clock): (Auth0, Store, Pool, Clock),
    ) -> Self {
        let with_saved_keys = |issuer: Issuer| {
            let saved = store.load_keys(&issuer.issuer).unwrap_or_else(|error| {
                tracing::warn!(%error, "the saved signing keys cannot be read");
                None
            });
            let cached = saved.and_then(|saved| {
                let set = KeySet::parse(&saved.jwks, &algorithms).ok()?;
                let fetched_at = saved.fetched_at;
                Some(Arc::new(CachedJwks { text: saved.jwks, set, fetched_at, generation: 0 }))
            });
            IssuerKeys {
                issuer,
                cached: ArcSwapOption::new(cached),
                failure: ArcSwapOption::empty(),
                wake: Notify::new(),
                idle: AtomicBool::new(false),
                fetches: watch::Sender::new(FetchCount::default()),
                waiting: Semaphore::new(WAITING_MAX),
                limiter: Mutex::default(),
            }
        };
        let issuers: Vec<_> = issuers.into_iter().map(with_saved_keys).collect();
        let tasks = Mutex::default();
        let early_tokens = EarlyTokens::default();
        let inner = Inner { issuers, algorithms, max_age, auth0, store, pool, clock, tasks, early_tokens };
        let keys = Self(Arc::new(inner));
        let mut tasks = lock(&keys.0.tasks);
        for index in 0..keys.0.issuers.len() {
            tasks.spawn(keep_fresh(Arc::clone(&keys.0), index));
        }
        drop(tasks);
        keys
    }

    /// Tokens that these keys verified before their `iat`, at any door.
    pub(super) fn early_tokens(&self) -> &EarlyTokens {
        &self.0.early_tokens
    }

    /// The key that `issuer` publishes as `kid`. Waits, at most two seconds, only for an unknown `kid`.
    ///
    /// # Errors
    /// [`Refusal::WrongIssuer`], [`Refusal::KeysUnavailable`], [`Refusal::UnknownKey`].
    pub async fn key(&self, issuer: &str, kid: Option<&str>) -> Result<PublishedKey, Refusal> {
        let cached = self.cached_key(issuer, kid);
        // Without a `kid` another fetch would not show which of several keys is meant.
        let (Err(Refusal::UnknownKey), Some(kid)) = (&cached, kid) else { return cached };
        let issuer_keys = self.0.of(issuer).ok_or(Refusal::WrongIssuer)?;
        let fetch = self.0.request_fetch(issuer_keys, kid).ok_or(Refusal::UnknownKey)?;
        let Ok(_permit) = issuer_keys.waiting.try_acquire() else { return Err(Refusal::UnknownKey) };
        let mut fetches = issuer_keys.fetches.subscribe();
        drop(tokio::time::timeout(WAIT, fetches.wait_for(|count| count.ended >= fetch)).await);
        let key = self.cached_key(issuer, Some(kid))?;
        lock(&issuer_keys.limiter).refund(kid, fetch);
        Ok(key)
    }

    /// Like [`Keys::key`], without fetching or waiting.
    pub(super) fn cached_key(&self, issuer: &str, kid: Option<&str>) -> Result<PublishedKey, Refusal> {
        let issuer_keys = self.0.of(issuer).ok_or(Refusal::WrongIssuer)?;
        let cached = self.0.usable(issuer_keys).ok_or(Refusal::KeysUnavailable)?;
        let key = cached.set.find(kid).ok_or(Refusal::UnknownKey)?;
        Ok(PublishedKey { key: Arc::clone(key), generation: cached.generation })
    }

    /// Waits, at most `time`, until the keys of the tenant are known, those of the first issuer. Returns whether they are.
    pub async fn wait_until_ready(&self, time: Duration) -> bool {
        match self.issuers().next() {
            Some(main) => self.wait_for(main, time).await,
            None => false,
        }
    }

    /// Waits, at most `time`, until the keys of `issuer` are known. Returns whether they are; at once if it is not trusted.
    pub async fn wait_for(&self, issuer: &str, time: Duration) -> bool {
        let Some(issuer) = self.0.of(issuer) else { return false };
        let mut fetches = issuer.fetches.subscribe();
        // An error means that the task has ended.
        drop(tokio::time::timeout(time, fetches.wait_for(|_| self.0.usable(issuer).is_some())).await);
        self.0.usable(issuer).is_some()
    }

    /// The generation of the set in use for `issuer`; changes with its keys. `None` without a usable set.
    pub fn generation(&self, issuer: &str) -> Option<u64> {
        Some(self.0.usable(self.0.of(issuer)?)?.generation)
    }

    /// Whether `issuer` still publishes `key`. True while no usable set is known: an outage ends no session.
    pub fn contains(&self, issuer: &str, key: &Key) -> bool {
        let issuer = self.0.of(issuer);
        issuer.is_some_and(|issuer| self.0.usable(issuer).is_none_or(|cached| cached.set.contains(key)))
    }

    /// What is known of the keys of each trusted issuer. The tenant's own is the first.
    pub fn states(&self) -> impl Iterator<Item = IssuerState<'_>> {
        self.0.issuers.iter().map(|keys| {
            let usable = self.0.usable(keys);
            let unusable = usable.iter().flat_map(|cached| cached.set.unusable()).map(ToString::to_string);
            let failure = keys.failure.load_full().map(|failure| match failure.is_public {
                true => failure.text.clone(),
                false => "the signing keys could not be fetched; the log has the reason".to_owned(),
            });
            let problems = failure.into_iter().chain(unusable).collect();
            IssuerState { issuer: &keys.issuer.issuer, ready: usable.is_some(), problems }
        })
    }

    /// Why no key is published as `kid`, as far as it is known, for explanations.
    pub(super) fn why_unknown(&self, issuer: &str, kid: Option<&str>) -> Option<String> {
        let keys = self.0.of(issuer)?;
        let Some(cached) = self.0.usable(keys) else {
            return keys.failure.load_full().map(|failure| failure.text.clone());
        };
        cached.set.why_unusable(kid?).map(str::to_owned)
    }

    /// The trusted issuers.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.0.issuers.iter().map(|keys| keys.issuer.issuer.as_str())
    }

    /// How many fetches were made so far.
    pub fn fetches(&self) -> u64 {
        self.0.issuers.iter().map(|keys| keys.fetches.borrow().begun).sum()
    }

    /// Makes the background tasks fetch now.
    pub fn refresh(&self) {
        for issuer in &self.0.issuers {
            issuer.wake.notify_one();
        }
    }

    /// Ends the background tasks.
    pub async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *lock(&self.0.tasks));
        tasks.shutdown().await;
    }
}

impl Inner {
    fn of(&self, issuer: &str) -> Option<&IssuerKeys> {
        self.issuers.iter().find(|keys| keys.issuer.issuer == issuer)
    }

    /// The cached set, unless it is too old. An old set of an idle task wakes it: while a machine sleeps its wall clock goes
    /// on, and the task's timer does not.
    fn usable(&self, issuer: &IssuerKeys) -> Option<Arc<CachedJwks>> {
        let cached = issuer.cached.load_full()?;
        let age = self.clock.now().duration_since(cached.fetched_at);
        // A negative age means that the clock was set back.
        let too_old = Duration::try_from(age).is_ok_and(|age| age > self.max_age);
        if too_old && issuer.idle.swap(false, Ordering::Relaxed) {
            issuer.wake.notify_one();
        }
        (!too_old).then_some(cached)
    }

    /// The number of the fetch that will show whether `kid` exists, if the limits allow one.
    fn request_fetch(&self, issuer: &IssuerKeys, kid: &str) -> Option<u64> {
        let mut limiter = lock(&issuer.limiter);
        let FetchCount { begun, ended } = *issuer.fetches.borrow();
        let ticket = limiter.ticket(kid, self.clock.elapsed(), begun, ended)?;
        if ticket.starts {
            issuer.wake.notify_one();
        }
        Some(ticket.fetch)
    }

    /// Makes one fetch. Only a good answer replaces the cached set.
    async fn fetch(&self, keys: &IssuerKeys) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (auth0, issuer) = (self.auth0.clone(), keys.issuer.clone());
        let text = self.pool.run(move || auth0.signing_keys(&issuer)).await??;
        let set = KeySet::parse(&text, &self.algorithms)?;
        let fetched_at = self.clock.now();
        let before = keys.cached.load_full();
        let changed = before.as_ref().is_none_or(|cached| cached.text != text);
        if changed {
            for key in set.unusable() {
                tracing::warn!(issuer = keys.issuer.issuer, %key, "a published signing key cannot be used");
            }
        }
        let generation = before.map_or(0, |cached| cached.generation + u64::from(changed));
        keys.cached.store(Some(Arc::new(CachedJwks { text: text.clone(), set, fetched_at, generation })));
        let (store, name) = (self.store.clone(), keys.issuer.issuer.clone());
        let saved = self.pool.run(move || store.save_keys(&name, &text, fetched_at)).await;
        if !matches!(saved, Ok(Ok(()))) {
            tracing::warn!("the signing keys could not be saved for the next start");
        }
        Ok(())
    }
}

/// Keeps the keys of one issuer fresh until the task is aborted.
async fn keep_fresh(inner: Arc<Inner>, index: usize) {
    let Some(keys) = inner.issuers.get(index) else { return };
    let (mut failures, mut outage) = (0, Outage::default());
    loop {
        keys.fetches.send_modify(|fetches| fetches.begun += 1);
        let began = inner.clock.elapsed();
        let pause = match inner.fetch(keys).await {
            Ok(()) => {
                keys.failure.store(None);
                failures = 0;
                if let Some(lasted) = outage.ended(inner.clock.elapsed()) {
                    let (issuer, seconds) = (&keys.issuer.issuer, lasted.as_secs());
                    tracing::info!(issuer, seconds, "the signing keys can be fetched again");
                }
                REFRESH
            }
            Err(error) => {
                let (issuer, is_public) = (&keys.issuer.issuer, error.is::<KeySetError>());
                let error = &*error as &dyn Error;
                let causes =
                    std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string);
                let text = causes.collect::<Vec<_>>().join(": ");
                keys.failure.store(Some(Arc::new(Failure { text, is_public })));
                match outage.failed(inner.clock.elapsed()).map(|lasts| lasts.as_secs()) {
                    Some(0) => tracing::warn!(issuer, error, "the signing keys cannot be fetched"),
                    Some(seconds) => {
                        tracing::warn!(issuer, error, seconds, "the signing keys still cannot be fetched");
                    }
                    None => tracing::debug!(issuer, error, "the signing keys could not be fetched"),
                }
                let pause = pause_after(failures, inner.usable(keys).is_some());
                failures += 1;
                pause.saturating_sub(inner.clock.elapsed().saturating_sub(began))
            }
        };
        keys.idle.store(pause > RETRY_EMPTY_MAX, Ordering::Relaxed);
        keys.fetches.send_modify(|fetches| fetches.ended = fetches.begun);
        drop(tokio::time::timeout(pause, keys.wake.notified()).await);
    }
}

/// The pause after a failed fetch with so many failures before it.
fn pause_after(failures: u32, has_keys: bool) -> Duration {
    let longest = if has_keys { RETRY_MAX } else { RETRY_EMPTY_MAX };
    (RETRY_MIN * 2_u32.saturating_pow(failures.min(16))).min(longest)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("fetches", &self.fetches()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_with_each_failure_and_stays_short_without_keys() {
        let pauses =
            |has_keys| (0..8).map(|failures| pause_after(failures, has_keys).as_secs()).collect::<Vec<_>>();
        assert_eq!(pauses(true), [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(pauses(false), [1, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!(pause_after(u32::MAX, true), RETRY_MAX);
    }
}
