//! Profiles from Auth0: fetched for new users, and again when they are stale. One fetch per user however many requests wait
//! for it, and none while Auth0 is known to be unavailable.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::Refusal;
use super::breaker::Breaker;
use super::identity::{new_identity, store_profile};
use super::outage::Outage;
use super::reads::Reads;
use super::remembered::Remembered;
use crate::auth0::{Auth0, Auth0Error, Profile};
use crate::clock::Clock;
use crate::pool::Pool;
use crate::store::{Actor, LinkSettings, Store, StoreError};
use crate::telemetry::RequestId;
use crate::user::{Auth0Id, Status, User};

/// How long a profile is not fetched again for a subject that was refused by it, or that has none.
const MISSING_FOR: Duration = Duration::from_secs(60);
/// How long a stale profile is not fetched again after a failure. Its user is served from the row meanwhile.
const RETRY_STALE_AFTER: Duration = Duration::from_secs(600);

/// A handle. Cheap to clone.
#[derive(Clone)]
pub struct Profiles(Arc<Inner>);

struct Inner {
    auth0: Auth0,
    store: Store,
    /// For calls to Auth0 only, so that a hanging Auth0 takes no thread from other jobs.
    auth0_pool: Pool,
    clock: Clock,
    link: Arc<LinkSettings>,
    /// How old a stored profile may be; `None` for no limit.
    max_age: Option<Duration>,
    reads: Reads,
    /// Subjects that are refused by what Auth0 answered: unknown or blocked there, or with the email of another user.
    refused: Remembered<Refusal>,
    /// Subjects whose profile at Auth0 cannot be used.
    unusable: Remembered,
    /// Known users whose stale profile could not be fetched.
    failed_refreshes: Remembered,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Fetches under way.
    fetches: HashMap<Auth0Id, Fetch>,
    /// Whether one of them is a [`Purpose::Refresh`]. At most one is, so that new users need not wait behind them.
    refreshing: bool,
    breaker: Breaker,
    outage: Outage,
}

/// What a fetch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The user of a subject: found, linked or inserted, as part of the request that began it.
    Provision(Option<RequestId>),
    /// A known user, with a profile that is not stale.
    Refresh,
    /// The current profile, without storing it.
    Read,
}

/// The end of a fetch: `None` until then.
type Fetch = watch::Receiver<Option<Result<FetchResult, Refusal>>>;

#[derive(Clone)]
struct FetchResult {
    /// The stored user; `None` for [`Purpose::Read`].
    user: Option<Arc<User>>,
    /// The profile, if a call was needed.
    profile: Option<Arc<Profile>>,
}

impl Profiles {
    /// Creates the handle without a call. `auth0_pool` must be used for calls to Auth0 only.
    pub fn new(auth0: Auth0, store: Store, auth0_pool: Pool, clock: Clock, link: Arc<LinkSettings>) -> Self {
        let max_age = Some(auth0.profile_max_age()).filter(|age| !age.is_zero());
        Self(Arc::new(Inner {
            auth0,
            store,
            auth0_pool,
            clock,
            link,
            max_age,
            reads: Reads::default(),
            refused: Remembered::default(),
            unusable: Remembered::default(),
            failed_refreshes: Remembered::default(),
            state: Mutex::default(),
        }))
    }

    /// The user whose profile `id` is: found by id, linked by verified email, or inserted.
    pub(super) async fn provision(
        &self,
        id: &Auth0Id,
        request: Option<RequestId>,
    ) -> Result<Arc<User>, Refusal> {
        self.fetch_for(id, Purpose::Provision(request), |result| result.user).await
    }

    /// The profile of `id` as Auth0 has it now, or had it ten seconds ago, without storing it.
    ///
    /// # Errors
    /// [`Refusal::ProfileUnavailable`], also when new users need what is left of the tenant's quota; [`Refusal::NoSuchUser`],
    /// [`Refusal::Busy`].
    pub async fn fetch(&self, id: &Auth0Id) -> Result<Arc<Profile>, Refusal> {
        let Inner { reads, clock, auth0, .. } = &*self.0;
        if let Some(profile) = reads.fresh(id, clock.elapsed()) {
            return Ok(profile);
        }
        let _turn = reads.turn().await;
        let now = clock.elapsed();
        // Another request may have fetched it meanwhile.
        if let Some(profile) = reads.fresh(id, now) {
            return Ok(profile);
        }
        reads.allow(auth0.quota(), now).map_err(unavailable)?;
        let profile = self.fetch_for(id, Purpose::Read, |result| result.profile).await?;
        reads.keep(id, &profile, clock.elapsed());
        Ok(profile)
    }

    /// Fetches the profile of a user in the background if it is stale. A failure is logged and does not affect the user.
    pub(super) fn refresh_if_stale(&self, user: &User) {
        let Some(own) = user.auth0_id.as_ref().filter(|_| self.0.is_stale(user)) else { return };
        if self.0.failed_refreshes.left(own, self.0.clock.elapsed()).is_none() {
            // The fetch continues by itself. It is refused while the breaker is open or another refresh is under way.
            drop(self.join(own, Purpose::Refresh));
        }
    }

    /// Fetches the profile of a user whom Auth0 had blocked, if the token was issued since the last fetch: Auth0 issues none
    /// to a user it blocks. Returns whether the profile was fetched. A token causes one call.
    pub(super) async fn recheck_block(&self, id: &Auth0Id, issued_at: Option<Timestamp>) -> bool {
        let Some(own) = self.due_recheck(id, issued_at).and_then(|user| user.auth0_id) else { return false };
        self.fetch_for(&own, Purpose::Refresh, |result| result.user).await.is_ok()
    }

    /// The user whose block [`recheck_block`](Self::recheck_block) would check now.
    pub(super) fn due_recheck(&self, id: &Auth0Id, issued_at: Option<Timestamp>) -> Option<User> {
        let user = self.0.store.user_by_auth0_id(id).ok()?.filter(|user| user.blocked_by_auth0)?;
        let is_newer =
            user.profile_fetched_at.is_none_or(|fetched| issued_at.is_some_and(|issued| issued > fetched));
        let is_due = is_newer || self.0.is_stale(&user);
        let has_failed = |own| self.0.failed_refreshes.left(own, self.0.clock.elapsed()).is_some();
        (is_due && !user.auth0_id.as_ref().is_none_or(has_failed)).then_some(user)
    }

    /// Waits for a fetch whose result has what is wanted. A fetch under way for another purpose may not; then the next one
    /// has.
    async fn fetch_for<T>(
        &self,
        id: &Auth0Id,
        purpose: Purpose,
        wanted: fn(FetchResult) -> Option<T>,
    ) -> Result<T, Refusal> {
        loop {
            let mut fetch = self.join(id, purpose)?;
            // The channel closes without a result only when the runtime stops.
            let result = fetch.wait_for(Option::is_some).await.ok().and_then(|result| result.clone());
            if let Some(wanted) = wanted(result.unwrap_or(Err(Refusal::Busy))?) {
                return Ok(wanted);
            }
        }
    }

    /// Single-flight: the fetch for `id` that is under way, else a new one.
    fn join(&self, id: &Auth0Id, purpose: Purpose) -> Result<Fetch, Refusal> {
        let now = self.0.clock.elapsed();
        let mut state = self.0.state();
        if let Some(fetch) = state.fetches.get(id) {
            return Ok(fetch.clone());
        }
        let is_refresh = purpose == Purpose::Refresh;
        if let Some(refusal) = self.0.refused.get(id, now)
            && (matches!(purpose, Purpose::Provision(_)) || !is_refresh && refusal == Refusal::NoSuchUser)
        {
            return Err(refusal);
        }
        if let Some(retry_after) = self.0.unusable.left(id, now) {
            return Err(Refusal::ProfileUnavailable { retry_after });
        }
        if is_refresh && state.refreshing {
            return Err(Refusal::Busy);
        }
        // Refuses at once; the fetch itself checks again before its call.
        state.breaker.check(now).map_err(unavailable)?;
        state.refreshing |= is_refresh;
        let (sender, fetch) = watch::channel(None);
        state.fetches.insert(id.clone(), fetch.clone());
        drop(state);
        // A task of its own: the first request may be dropped while others wait.
        let (inner, id) = (Arc::clone(&self.0), id.clone());
        tokio::spawn(async move {
            let (job, subject) = (Arc::clone(&inner), id.clone());
            let outcome = inner.auth0_pool.run(move || job.fetch_and_store(&subject, purpose)).await;
            let mut state = inner.state();
            let result = outcome.unwrap_or_else(|error| {
                state.breaker.abandoned();
                Err(error.into())
            });
            state.fetches.remove(&id);
            state.refreshing &= !is_refresh;
            drop(state);
            sender.send_replace(Some(result));
        });
        Ok(fetch)
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the stored profile is too old.
    fn is_stale(&self, user: &User) -> bool {
        let (Some(max_age), Some(fetched_at)) = (self.max_age, user.profile_fetched_at) else { return false };
        Duration::try_from(self.clock.now().duration_since(fetched_at)).is_ok_and(|age| age >= max_age)
    }

    /// The job of a fetch. Blocks. Holds no transaction during the call; the transaction after it decides anew.
    fn fetch_and_store(&self, subject: &Auth0Id, purpose: Purpose) -> Result<FetchResult, Refusal> {
        if purpose == Purpose::Read {
            let profile = self
                .call(subject, subject, purpose)?
                .ok_or_else(|| self.refuse(subject, Refusal::NoSuchUser))?;
            return Ok(FetchResult { user: None, profile: Some(Arc::new(profile)) });
        }
        let known = self.store.user_by_auth0_id(subject)?;
        if let Some(user) = &known {
            // An earlier fetch may have stored the user, or a fresh profile, after this request read the row.
            let is_done =
                matches!(purpose, Purpose::Provision(_)) || !self.is_stale(user) && !user.blocked_by_auth0;
            if is_done || user.status == Status::Erased {
                return Ok(FetchResult { user: known.map(Arc::new), profile: None });
            }
        }
        // The profile of a row is that of its own identity.
        let own = known.as_ref().and_then(|user| user.auth0_id.as_ref()).unwrap_or(subject);
        let profile = self.call(subject, own, purpose)?;
        let user = match (&known, &profile) {
            (Some(user), profile) => {
                store_profile(&self.store, user, profile.as_ref(), &self.link, &Actor::Gate)?
            }
            (None, Some(profile)) if profile.blocked => return Err(self.refuse(subject, Refusal::Blocked)),
            (None, Some(profile)) => {
                let identity = new_identity(own.clone(), profile, &self.link);
                let store = match purpose {
                    Purpose::Provision(Some(request)) => self.store.for_request(request),
                    _ => self.store.clone(),
                };
                match store.provision(&identity, &*self.link, &Actor::Gate) {
                    Ok(provisioned) => provisioned.into_user(),
                    Err(error) => return Err(self.conflict(subject, error)),
                }
            }
            (None, None) => return Err(self.refuse(subject, Refusal::NoSuchUser)),
        };
        // A request that reads the profile of `subject` must not get that of another identity.
        let profile = profile.filter(|_| own == subject).map(Arc::new);
        Ok(FetchResult { user: Some(Arc::new(user)), profile })
    }

    /// Calls Auth0 for the profile of `own`, unless it has become unavailable while the job waited for its thread.
    fn call(&self, subject: &Auth0Id, own: &Auth0Id, purpose: Purpose) -> Result<Option<Profile>, Refusal> {
        let attempt = self.state().breaker.begin(self.clock.elapsed());
        let attempt = attempt.map_err(unavailable)?;
        let error = match self.auth0.profile(own) {
            Ok(profile) => {
                self.answered();
                return Ok(profile);
            }
            Err(error) => error,
        };
        let now = self.clock.elapsed();
        if purpose == Purpose::Refresh {
            self.failed_refreshes.insert(subject, (), now + RETRY_STALE_AFTER);
        }
        let cause = &error as &dyn std::error::Error;
        if error.concerns_one_user() {
            tracing::warn!(error = cause, "a profile could not be fetched");
            self.answered();
            self.unusable.insert(subject, (), now + MISSING_FOR);
            return Err(unavailable(MISSING_FOR));
        }
        let retry_after = if let Auth0Error::RateLimited { wait, .. } = error { wait } else { None };
        let (pause, lasts) = {
            let mut state = self.state();
            (state.breaker.failed(attempt, now, retry_after), state.outage.failed(now))
        };
        match lasts.map(|lasts| lasts.as_secs()) {
            Some(0) => tracing::warn!(error = cause, "profiles cannot be fetched from the Management API"),
            Some(seconds) => {
                tracing::warn!(
                    error = cause,
                    seconds,
                    "profiles still cannot be fetched from the Management API"
                );
            }
            None => tracing::debug!(error = cause, "a profile could not be fetched"),
        }
        Err(unavailable(pause))
    }

    /// Records that Auth0 answered.
    fn answered(&self) {
        let ended = {
            let mut state = self.state();
            state.breaker.answered();
            state.outage.ended(self.clock.elapsed())
        };
        if let Some(seconds) = ended.map(|lasted| lasted.as_secs()) {
            tracing::info!(seconds, "profiles can be fetched from the Management API again");
        }
    }

    /// Records a login that must be linked by hand.
    fn conflict(&self, subject: &Auth0Id, error: StoreError) -> Refusal {
        if let StoreError::LinkByHand(id) = error
            && let Err(error) = self.store.note_unlinked_email(id, subject, &Actor::Gate)
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a refused login is not in the audit log"
            );
        }
        match Refusal::from(error) {
            Refusal::Busy => Refusal::Busy,
            refusal => self.refuse(subject, refusal),
        }
    }

    /// Remembers the refusal for a minute.
    fn refuse(&self, subject: &Auth0Id, refusal: Refusal) -> Refusal {
        self.refused.insert(subject, refusal.clone(), self.clock.elapsed() + MISSING_FOR);
        refusal
    }
}

fn unavailable(retry_after: Duration) -> Refusal {
    Refusal::ProfileUnavailable { retry_after }
}

impl std::fmt::Debug for Profiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profiles").finish_non_exhaustive()
    }
}
