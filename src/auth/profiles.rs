//! Step 3 of the caller stage: a profile from Auth0, stored; fetched anew when it has grown old; or only looked at. One
//! fetch per subject however many requests wait for it, and none while Auth0 is known to be away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::Refusal;
use super::breaker::Breaker;
use super::caller::{busy, refuse};
use super::looks::Looks;
use crate::auth0::{Auth0, Auth0Error, Profile};
use crate::clock::Clock;
use crate::pool::Pool;
use crate::store::{Actor, LinkEmail, NewIdentity, Store, StoreError};
use crate::user::{Auth0Id, Person, Status, User};

/// How long it is remembered that Auth0 knows no such user, or that what it says of one can not be used.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);
const REMEMBERED_MAX: usize = 10_000;
/// How long a user whose profile could not be fetched anew is left alone. They are served from their row meanwhile.
const STALE_FOR: Duration = Duration::from_secs(600);
/// Old profiles that are fetched anew at once: nobody waits for them, and newcomers shall not wait behind them.
const YOUNG_MAX: usize = 1;

/// A handle. Cheap to clone.
#[derive(Clone)]
pub struct Profiles(Arc<Inner>);

struct Inner {
    auth0: Auth0,
    store: Store,
    /// Of calls to Auth0 alone: while it hangs, nobody else has to wait for a thread.
    calls: Pool,
    clock: Clock,
    link: LinkEmail,
    /// How old a stored profile may be; `None`: as old as it likes.
    max_age: Option<Duration>,
    looks: Looks,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Fetches under way, with where their outcome will stand.
    flights: HashMap<Auth0Id, Flight>,
    /// Until when each subject is known to be unknown, on the monotonic clock.
    unknown: HashMap<Auth0Id, Duration>,
    /// Until when each known user's old profile has to do.
    stale: HashMap<Auth0Id, Duration>,
    /// Until when each subject is known to have a profile that can not be used.
    unusable: HashMap<Auth0Id, Duration>,
    /// How many of the flights are for [`Wanted::Young`].
    young: usize,
    breaker: Breaker,
}

type Flight = watch::Receiver<Option<Result<Landed, Refusal>>>;

/// What a flight brought.
#[derive(Clone)]
struct Landed {
    /// Whom it was for, unless it only looked.
    user: Option<Arc<User>>,
    /// What Auth0 gave, if it had to be asked.
    profile: Option<Arc<Profile>>,
}

impl Profiles {
    /// Calls nobody. `calls` is the pool that calls to Auth0 have to themselves.
    pub fn new(auth0: Auth0, store: Store, calls: Pool, clock: Clock, link: LinkEmail) -> Self {
        let max_age = Some(auth0.profile_max_age()).filter(|age| !age.is_zero());
        let looks = Looks::new(max_age.unwrap_or_default());
        Self(Arc::new(Inner { auth0, store, calls, clock, link, max_age, looks, state: Mutex::default() }))
    }

    /// The user that the profile of `id` belongs to: found by id, linked by verified email, or inserted.
    ///
    /// # Errors
    /// [`Refusal::ProfileUnavailable`] (nothing was inserted), [`Refusal::NoSuchUser`], [`Refusal::EmailConflict`],
    /// [`Refusal::Busy`].
    pub async fn provision(&self, id: &Auth0Id) -> Result<Arc<User>, Refusal> {
        self.bring(id, Wanted::Somebody, |landed| landed.user).await
    }

    /// Has the profile of a user who is here now fetched anew if it is too old. Waits for nothing; a failure is logged
    /// and costs the user nothing.
    pub(super) fn refresh_if_stale(&self, user: &User) {
        if let Some(own) = &user.auth0_id
            && self.0.is_old(user)
            && !self.0.is_stale(own)
        {
            // The flight goes on by itself. A breaker that rests, or another in the air, mean: later.
            drop(self.join(own, Wanted::Young));
        }
    }

    /// Like [`Profiles::refresh_if_stale`] for a user who was found without a query: their row is looked at now and then, after
    /// this returns. A failure is no more than a look that was not had.
    pub(super) fn refresh_payload_user(&self, id: &Auth0Id) {
        if self.0.max_age.is_none() {
            return;
        }
        let Some(look) = self.0.looks.begin(id, self.0.clock.elapsed()) else { return };
        let (profiles, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
            let store = profiles.0.store.in_background();
            let user = store.user_by_auth0_id(&id);
            drop(look);
            match user {
                Ok(Some(user)) if user.status == Status::Active => profiles.refresh_if_stale(&user),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a row could not be looked at");
                }
                Ok(_) => {}
            }
        });
    }

    /// Only looks: the profile of `id` as Auth0 has it now, which is not stored.
    ///
    /// # Errors
    /// [`Refusal::ProfileUnavailable`], [`Refusal::NoSuchUser`], [`Refusal::Busy`].
    pub async fn fetch(&self, id: &Auth0Id) -> Result<Arc<Profile>, Refusal> {
        self.bring(id, Wanted::Look, |landed| landed.profile).await
    }

    /// A flight that began for another reason may land without what is wanted here; then the next one is for us.
    async fn bring<T>(
        &self,
        id: &Auth0Id,
        wanted: Wanted,
        brought: fn(Landed) -> Option<T>,
    ) -> Result<T, Refusal> {
        loop {
            if let Some(wanted) = brought(land(self.join(id, wanted)?).await?) {
                return Ok(wanted);
            }
        }
    }

    /// The flight for `id`: the one under way, else a new one.
    fn join(&self, id: &Auth0Id, wanted: Wanted) -> Result<Flight, Refusal> {
        let now = self.0.clock.elapsed();
        let mut state = self.0.state();
        if let Some(flight) = state.flights.get(id) {
            return Ok(flight.clone());
        }
        let is_known_unknown = state.unknown.get(id).is_some_and(|until| *until > now);
        if is_known_unknown && matches!(wanted, Wanted::Somebody | Wanted::Look) {
            return Err(Refusal::NoSuchUser);
        }
        if let Some(until) = state.unusable.get(id).filter(|until| **until > now) {
            return Err(Refusal::ProfileUnavailable { retry_after: *until - now });
        }
        let is_young = wanted == Wanted::Young;
        if is_young && state.young >= YOUNG_MAX {
            return Err(Refusal::Busy);
        }
        // Only to answer at once: the flight asks anew.
        state.breaker.look(now).map_err(unavailable)?;
        state.young += usize::from(is_young);
        let (tell, flight) = watch::channel(None);
        state.flights.insert(id.clone(), flight.clone());
        drop(state);
        // A task of its own: whoever came first may go away, the others still wait.
        let (inner, id) = (Arc::clone(&self.0), id.clone());
        tokio::spawn(async move {
            let outcome = inner.fetch(&id, wanted).await;
            let mut state = inner.state();
            state.flights.remove(&id);
            state.young -= usize::from(is_young);
            drop(state);
            tell.send_replace(Some(outcome));
        });
        Ok(flight)
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the profile of a row has to be fetched anew.
    fn is_old(&self, user: &User) -> bool {
        let (Some(max_age), Some(fetched_at)) = (self.max_age, user.profile_fetched_at) else { return false };
        Duration::try_from(self.clock.now().duration_since(fetched_at)).is_ok_and(|age| age >= max_age)
    }

    fn is_stale(&self, id: &Auth0Id) -> bool {
        let now = self.clock.elapsed();
        self.state().stale.get(id).is_some_and(|until| *until > now)
    }

    /// Fetches and stores. The fetch holds no transaction, and the transaction decides anew.
    async fn fetch(self: &Arc<Self>, id: &Auth0Id, wanted: Wanted) -> Result<Landed, Refusal> {
        let (inner, subject) = (Arc::clone(self), id.clone());
        let job = move || inner.fly(subject, wanted);
        let outcome = self.calls.run(job).await;
        let mut state = self.state();
        let now = self.clock.elapsed();
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                state.breaker.given_up();
                return Err(busy(error));
            }
        };
        if wanted == Wanted::Young && matches!(outcome, Err(Failed::Away(_) | Failed::Unusable)) {
            remember(&mut state.stale, id, now, STALE_FOR);
        }
        match outcome {
            Ok(landed) => Ok(landed),
            Err(Failed::Refused(refusal)) => Err(refusal),
            Err(Failed::Unknown) => {
                remember(&mut state.unknown, id, now, UNKNOWN_FOR);
                Err(Refusal::NoSuchUser)
            }
            Err(Failed::Unusable) => {
                remember(&mut state.unusable, id, now, UNKNOWN_FOR);
                Err(unavailable(UNKNOWN_FOR))
            }
            Err(Failed::Away(rest)) => Err(unavailable(rest)),
        }
    }

    /// Asks Auth0, unless it is known by now to be away: a flight may have waited for its thread.
    fn ask(&self, id: &Auth0Id) -> Result<Option<Profile>, Failed> {
        let pass = self.state().breaker.begin(self.clock.elapsed());
        let pass = pass.map_err(|rest| Failed::Refused(unavailable(rest)))?;
        let error = match self.auth0.profile(id) {
            Ok(profile) => {
                self.state().breaker.answered();
                return Ok(profile);
            }
            Err(error) => error,
        };
        tracing::warn!(error = &error as &dyn std::error::Error, "a profile could not be fetched");
        let mut state = self.state();
        if error.concerns_one_user() {
            state.breaker.answered();
            return Err(Failed::Unusable);
        }
        let asked = match error {
            Auth0Error::RateLimited { wait, .. } => wait,
            _ => None,
        };
        Err(Failed::Away(state.breaker.failed(pass, self.clock.elapsed(), asked)))
    }

    /// Blocking: the job of a flight.
    fn fly(&self, subject: Auth0Id, wanted: Wanted) -> Result<Landed, Failed> {
        if wanted == Wanted::Look {
            let profile = self.ask(&subject)?.ok_or(Failed::Unknown)?;
            return Ok(Landed { user: None, profile: Some(Arc::new(profile)) });
        }
        let refused = |error| Failed::Refused(refuse(error));
        let known = self.store.user_by_auth0_id(&subject).map_err(refused)?;
        if let Some(user) = &known {
            // A flight that just landed may have stored the user, or a young profile, after this request looked.
            let is_wanted = match wanted {
                Wanted::Somebody => true,
                Wanted::Young => !self.is_old(user),
                Wanted::Look => false,
            };
            if is_wanted || user.status == Status::Erased {
                return Ok(Landed { user: known.map(Arc::new), profile: None });
            }
        }
        // The profile of a row is that of its own identity.
        let own = known.as_ref().and_then(|user| user.auth0_id.clone()).unwrap_or_else(|| subject.clone());
        let profile = self.ask(&own)?;
        let user = match (known, &profile) {
            (Some(user), profile) => {
                store_profile(&self.store, &user, profile.as_ref(), &Actor::Gate).map_err(refused)?
            }
            (None, Some(profile)) => {
                let arrival = arrival(own.clone(), profile);
                self.store.provision(&arrival, self.link, &Actor::Gate).map_err(refused)?.into_user()
            }
            (None, None) => return Err(Failed::Unknown),
        };
        // Of another identity than the one that was asked for, it is not what somebody who looks wants.
        let profile = profile.filter(|_| own == subject).map(Arc::new);
        Ok(Landed { user: Some(Arc::new(user)), profile })
    }
}

/// Stores what Auth0 now says of a user who is here; nothing, when it knows them no more. Gives the user as they then
/// are: what was changed here since the last fetch stands.
///
/// # Errors
/// As [`Store::refresh`].
pub fn store_profile(
    store: &Store,
    user: &User,
    fetched: Option<&Profile>,
    actor: &Actor,
) -> Result<User, StoreError> {
    // A row that nobody claimed has no profile.
    let Some(own) = &user.auth0_id else { return Ok(user.clone()) };
    let arrival = |profile: &Profile| arrival(own.clone(), profile);
    let before = user.profile.clone().and_then(Profile::read);
    let (before, fetched) = (before.as_ref().map(arrival), fetched.map(arrival));
    store.refresh(user.id, own, before.as_ref(), fetched.as_ref(), actor)
}

/// What a flight is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Whoever the subject is: known by now, or admitted.
    Somebody,
    /// A known user whose profile is not too old.
    Young,
    /// A profile of this moment, and nobody.
    Look,
}

async fn land(mut flight: Flight) -> Result<Landed, Refusal> {
    // An outcome is always sent; a closed channel can only mean that the runtime is going down.
    match flight.wait_for(Option::is_some).await {
        Ok(outcome) => outcome.clone().unwrap_or(Err(Refusal::Busy)),
        Err(_) => Err(Refusal::Busy),
    }
}

/// Bounded: what can not be remembered is asked again.
fn remember(ids: &mut HashMap<Auth0Id, Duration>, id: &Auth0Id, now: Duration, time: Duration) {
    ids.retain(|_, until| *until > now);
    if ids.len() < REMEMBERED_MAX {
        ids.insert(id.clone(), now + time);
    }
}

/// Why a flight brought nothing.
enum Failed {
    Refused(Refusal),
    /// Auth0 knows no such user, and neither do we.
    Unknown,
    /// What Auth0 says of this user can not be used; of others it may be.
    Unusable,
    /// Auth0 is away. When to ask again.
    Away(Duration),
}

fn unavailable(retry_after: Duration) -> Refusal {
    Refusal::ProfileUnavailable { retry_after }
}

fn arrival(auth0_id: Auth0Id, profile: &Profile) -> NewIdentity {
    // An email that is no address is no reason to keep its owner out; it is not stored, and finds nobody.
    let email = profile.email.as_deref().and_then(|email| email.parse().ok());
    NewIdentity {
        auth0_id,
        email_verified: email.is_some() && profile.email_verified,
        email,
        person: Person {
            name: profile.name.clone(),
            given_name: profile.given_name.clone(),
            family_name: profile.family_name.clone(),
            nickname: profile.nickname.clone(),
            picture: profile.picture.clone(),
            phone: profile.phone_number.clone(),
        }
        .cleaned(),
        profile: Some(profile.whole.clone()),
    }
}

impl std::fmt::Debug for Profiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profiles").finish_non_exhaustive()
    }
}
