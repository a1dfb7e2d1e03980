//! Signing keys by issuer and `kid`: fetched in the background, waited for only when a token names an unknown one.
//!
//! One task per issuer does all its fetches, so there is never more than one under way. A set is replaced as a
//! whole or not at all, and the last good one is kept in the store for a cold start without the tenant.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use super::Refusal;
use super::key_set::{Key, KeySet};
use super::unknown_keys::Unknown;
use crate::auth0::{Auth0, Issuer};
use crate::clock::Clock;
use crate::pool::Pool;
use crate::store::Store;
use crate::telemetry::Counter;

/// A good set is asked for again after this long: 80 % of the ten minutes that Auth0's own SDKs keep one.
const REFRESH: Duration = Duration::from_secs(480);
/// After a failure: this long at first, twice as long each time, up to [`RETRY_MAX`]. Counted from the beginning of the
/// fetch that failed: a tenant that hangs was waited for already.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// Without any set every second counts.
const RETRY_EMPTY_MAX: Duration = Duration::from_secs(2);
/// How long a request waits for a key it is the first to name.
const WAIT: Duration = Duration::from_secs(2);
/// How many requests of an issuer may wait so.
const WAITING_MAX: usize = 64;

/// A handle to the keys of every trusted issuer. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    issuers: Vec<OfIssuer>,
    algorithms: Vec<(&'static str, Algorithm)>,
    max_age: Duration,
    auth0: Auth0,
    store: Store,
    pool: Pool,
    clock: Clock,
    fetches: Counter,
    tasks: Mutex<JoinSet<()>>,
}

struct OfIssuer {
    issuer: Issuer,
    held: ArcSwapOption<Held>,
    /// Wakes the task before its time.
    wake: Notify,
    /// Whether the task rests as one does that has a good set.
    at_ease: AtomicBool,
    fetches: watch::Sender<Fetches>,
    /// Places for requests that wait for a fetch.
    waiting: Semaphore,
    unknown: Mutex<Unknown>,
}

/// How many fetches of an issuer's keys began and how many of them ended, well or badly.
#[derive(Default)]
struct Fetches {
    begun: u64,
    ended: u64,
}

struct Held {
    text: String,
    set: KeySet,
    fetched_at: Timestamp,
    /// Another number with every set that differs from the one before.
    generation: u64,
}

/// A key, and the set it was found in by its number.
#[derive(Debug)]
pub struct PublishedKey {
    /// The key.
    pub key: Arc<Key>,
    /// [`Keys::generation`] at that moment.
    pub generation: u64,
}

impl Keys {
    /// Loads what the store has and starts the background tasks. Fetches nothing itself, waits for nothing.
    pub fn start(
        issuers: Vec<Issuer>,
        algorithms: Vec<(&'static str, Algorithm)>,
        max_age: Duration,
        (auth0, store, pool, clock): (Auth0, Store, Pool, Clock),
    ) -> Self {
        let of_issuer = |issuer: Issuer| {
            let saved = store.load_keys(&issuer.issuer).unwrap_or_else(|error| {
                tracing::warn!(%error, "the signing keys of the last run can not be read");
                None
            });
            let held = saved.and_then(|saved| {
                let set = KeySet::parse(&saved.jwks, &algorithms).ok()?;
                Some(Arc::new(Held { text: saved.jwks, set, fetched_at: saved.fetched_at, generation: 0 }))
            });
            OfIssuer {
                issuer,
                held: ArcSwapOption::new(held),
                wake: Notify::new(),
                at_ease: AtomicBool::new(false),
                fetches: watch::Sender::new(Fetches::default()),
                waiting: Semaphore::new(WAITING_MAX),
                unknown: Mutex::default(),
            }
        };
        let issuers: Vec<_> = issuers.into_iter().map(of_issuer).collect();
        let count = issuers.len();
        let (fetches, tasks) = (Counter::default(), Mutex::default());
        let keys =
            Self(Arc::new(Inner { issuers, algorithms, max_age, auth0, store, pool, clock, fetches, tasks }));
        let mut tasks = keys.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for at in 0..count {
            tasks.spawn(keep_fresh(Arc::clone(&keys.0), at));
        }
        drop(tasks);
        keys
    }

    /// The key that `issuer` calls `kid`. Waits, at most two seconds, only for a key that is named for the first time.
    ///
    /// # Errors
    /// [`Refusal::WrongIssuer`], [`Refusal::KeysUnavailable`], [`Refusal::UnknownKey`].
    pub async fn key(&self, issuer: &str, kid: Option<&str>) -> Result<PublishedKey, Refusal> {
        let of_issuer =
            self.0.issuers.iter().find(|of| of.issuer.issuer == issuer).ok_or(Refusal::WrongIssuer)?;
        if let Some(found) = self.0.find(of_issuer, kid)? {
            return Ok(found);
        }
        // A token without a `kid` fits when there is one key; another fetch will not tell which of several it means.
        let Some(kid) = kid else { return Err(Refusal::UnknownKey) };
        let Some(fetch) = self.0.fetch_to_wait_for(of_issuer, kid) else { return Err(Refusal::UnknownKey) };
        let Ok(_place) = of_issuer.waiting.try_acquire() else { return Err(Refusal::UnknownKey) };
        let mut fetches = of_issuer.fetches.subscribe();
        drop(tokio::time::timeout(WAIT, fetches.wait_for(|seen| seen.ended >= fetch)).await);
        let found = self.0.find(of_issuer, Some(kid))?.ok_or(Refusal::UnknownKey)?;
        of_issuer.unknown().forgive(kid, fetch);
        Ok(found)
    }

    /// Waits until tokens of every trusted issuer can be decided on, at most `time`. Says whether they can.
    pub async fn wait_until_ready(&self, time: Duration) -> bool {
        let known = async {
            for of_issuer in &self.0.issuers {
                let mut fetches = of_issuer.fetches.subscribe();
                // An error means that nobody fetches any more.
                drop(fetches.wait_for(|_| self.0.usable(of_issuer).is_some()).await);
            }
        };
        tokio::time::timeout(time, known).await.is_ok() && self.ready()
    }

    /// The number of the set in force for `issuer`; another one after every change of its keys. `None` when there is no
    /// usable set.
    pub fn generation(&self, issuer: &str) -> Option<u64> {
        let of_issuer = self.0.issuers.iter().find(|of| of.issuer.issuer == issuer)?;
        Some(self.0.usable(of_issuer)?.generation)
    }

    /// Whether `key` is still one of `issuer`'s. It is while nothing can be decided: an outage puts nobody out.
    pub fn hold(&self, issuer: &str, key: &Key) -> bool {
        let of_issuer = self.0.issuers.iter().find(|of| of.issuer.issuer == issuer);
        of_issuer.is_some_and(|of| self.0.usable(of).is_none_or(|held| held.set.holds(key)))
    }

    /// Whether tokens of every trusted issuer can be decided on.
    pub fn ready(&self) -> bool {
        self.0.issuers.iter().all(|of_issuer| self.0.usable(of_issuer).is_some())
    }

    /// The trusted issuers.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.0.issuers.iter().map(|of_issuer| of_issuer.issuer.issuer.as_str())
    }

    /// How many fetches were made so far.
    pub fn fetches(&self) -> u64 {
        self.0.fetches.get()
    }

    /// Asks every issuer now.
    pub fn refresh(&self) {
        for of_issuer in &self.0.issuers {
            of_issuer.wake.notify_one();
        }
    }

    /// Ends the background tasks.
    pub async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
    }
}

impl OfIssuer {
    fn unknown(&self) -> MutexGuard<'_, Unknown> {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The held set, unless it is too old to be trusted. Whoever finds it too old wakes the task: while a machine sleeps its
    /// wall clock goes on, and the timer that the task rests by does not.
    fn usable(&self, of_issuer: &OfIssuer) -> Option<Arc<Held>> {
        let held = of_issuer.held.load_full()?;
        let age = self.clock.now().duration_since(held.fetched_at);
        // A negative age is a clock that was set back: the set is not too old then.
        let too_old = Duration::try_from(age).is_ok_and(|age| age > self.max_age);
        if too_old && of_issuer.at_ease.swap(false, Ordering::Relaxed) {
            of_issuer.wake.notify_one();
        }
        (!too_old).then_some(held)
    }

    fn find(&self, of_issuer: &OfIssuer, kid: Option<&str>) -> Result<Option<PublishedKey>, Refusal> {
        let held = self.usable(of_issuer).ok_or(Refusal::KeysUnavailable)?;
        Ok(held.set.find(kid).map(|key| PublishedKey { key: Arc::clone(key), generation: held.generation }))
    }

    /// The fetch that will tell about an unknown `kid`, by its number, if the limits allow one.
    fn fetch_to_wait_for(&self, of_issuer: &OfIssuer, kid: &str) -> Option<u64> {
        let mut unknown = of_issuer.unknown();
        let (begun, ended) = {
            let fetches = of_issuer.fetches.borrow();
            (fetches.begun, fetches.ended)
        };
        let awaited = unknown.fetch_for(kid, self.clock.elapsed(), begun, ended)?;
        if awaited.cause {
            of_issuer.wake.notify_one();
        }
        Some(awaited.fetch)
    }

    /// One fetch. Replaces the held set if the answer is good, and only then.
    async fn fetch(&self, of_issuer: &OfIssuer) -> Result<(), String> {
        self.fetches.count();
        let (auth0, issuer) = (self.auth0.clone(), of_issuer.issuer.clone());
        let text = self
            .pool
            .run(move || auth0.signing_keys(&issuer).map_err(|error| describe(&error)))
            .await
            .map_err(|error| error.to_string())??;
        let set = KeySet::parse(&text, &self.algorithms).map_err(|error| error.to_string())?;
        let fetched_at = self.clock.now();
        let before = of_issuer.held.load_full();
        let generation = match &before {
            Some(held) if held.text == text => held.generation,
            Some(held) => held.generation + 1,
            None => 0,
        };
        of_issuer.held.store(Some(Arc::new(Held { text: text.clone(), set, fetched_at, generation })));
        let (store, name) = (self.store.clone(), of_issuer.issuer.issuer.clone());
        let saved = self.pool.run(move || store.save_keys(&name, &text, fetched_at)).await;
        if !matches!(saved, Ok(Ok(()))) {
            tracing::warn!("the signing keys could not be saved for the next start");
        }
        Ok(())
    }
}

/// Keeps the keys of one issuer fresh until it is aborted.
async fn keep_fresh(keys: Arc<Inner>, at: usize) {
    let Some(of_issuer) = keys.issuers.get(at) else { return };
    let mut retry = RETRY_MIN;
    loop {
        of_issuer.fetches.send_modify(|fetches| fetches.begun += 1);
        let began = keys.clock.elapsed();
        let pause = match keys.fetch(of_issuer).await {
            Ok(()) => {
                retry = RETRY_MIN;
                REFRESH
            }
            Err(why) => {
                tracing::warn!(
                    issuer = of_issuer.issuer.issuer,
                    why,
                    "the signing keys could not be fetched"
                );
                let pause =
                    retry.min(if keys.usable(of_issuer).is_some() { RETRY_MAX } else { RETRY_EMPTY_MAX });
                retry = (retry * 2).min(RETRY_MAX);
                pause.saturating_sub(keys.clock.elapsed().saturating_sub(began))
            }
        };
        of_issuer.at_ease.store(pause > RETRY_EMPTY_MAX, Ordering::Relaxed);
        of_issuer.fetches.send_modify(|fetches| fetches.ended = fetches.begun);
        drop(tokio::time::timeout(pause, of_issuer.wake.notified()).await);
    }
}

fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("fetches", &self.fetches()).finish_non_exhaustive()
    }
}
