//! [`Caller`] → [`Context`]: what resolvers are given.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::SignedDuration;

use super::{ApiError, Services, SharedState};
use crate::auth::{self, Caller, Gate, Principal, Refusal};
use crate::pool::{Pool, PoolError};
use crate::store::{AcceptedTerms, ActingUser, Actor, Interrupt, Store, StoreError};
use crate::telemetry::RequestId;
use crate::user::{CurrentUser, Status, User, UserId};

/// How long a profile that was just fetched is not fetched again.
const FRESH: SignedDuration = SignedDuration::from_secs(10);

/// What every resolver of a request shares.
#[derive(Debug, Clone)]
pub struct Context {
    caller: Caller,
    gate: Gate,
    store: Store,
    pool: Pool,
    state: SharedState,
    request: RequestId,
    /// How long each read may take.
    read_time: Duration,
    /// The caller's row, once somebody asked for more than their token tells.
    row: OnceLock<(Arc<User>, Vec<AcceptedTerms>)>,
}

impl Context {
    /// The context of one request, for an endpoint of your own; a door makes its own. Only the gate can make a `caller`.
    ///
    /// `time` limits the operation. A read gets nine tenths of it: a slow read then fails its own field and leaves the
    /// other fields their data.
    pub fn new(caller: Caller, services: &Services, request: RequestId, time: Duration) -> Self {
        let Services { gate, store, pool, state, .. } = services.clone();
        let read_time = time - time / 10;
        Self { caller, gate, store, pool, state, request, read_time, row: OnceLock::new() }
    }

    /// Who is calling.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Our database. Point reads may run inline; what scans or writes goes through the [pool](Self::pool).
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where blocking work goes.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// What a team's resolvers share, as [`Vestibule::state`](crate::app::Vestibule::state) opened it.
    ///
    /// # Errors
    /// [`ApiError::NoState`] when nothing was opened, or something of another type.
    pub fn state<T: 'static>(&self) -> Result<&T, ApiError> {
        self.state.get().ok_or(ApiError::NoState(std::any::type_name::<T>()))
    }

    /// The signing keys and the profiles at Auth0.
    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The request's name in its answer and in the log.
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// Asks for one more permission than the door did.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`], naming it.
    pub fn require(&self, permission: &str) -> Result<(), ApiError> {
        Ok(self.caller.require(permission)?)
    }

    /// The current user, for what only a person can do.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`] for a machine, [`Refusal::NoToken`] for an anonymous caller.
    pub fn current_user(&self) -> Result<&CurrentUser, ApiError> {
        match self.caller.principal() {
            Principal::User(user) => Ok(user),
            Principal::Machine(_) => Err(Refusal::NotPermitted { missing: Default::default() }.into()),
            Principal::Anonymous => Err(Refusal::NoToken.into()),
        }
    }

    /// Reads on the pool: lists, scans, whatever takes more than microseconds. A read through the handle that `job` gets
    /// ends, [`StoreError::Interrupted`], when it takes nine tenths of `limits.time`, and when nobody waits for it any
    /// more: the operation ran out of time, or its client has gone.
    ///
    /// # Errors
    /// Those of `job`, and [`ApiError::Pool`].
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        // Dropped with this future, whoever drops it.
        let interrupt = Interrupt::after(self.read_time);
        let store = self.store.interruptible(&interrupt);
        self.run(move || job(&store)).await
    }

    /// Makes a change as the caller, on the pool. Every transaction through the handle that `job` gets is audited as
    /// part of this request, and holds only if the caller was not blocked, erased or signed out, and kept their roles,
    /// until then. A machine has no row to lose: its permissions end with its token.
    ///
    /// # Errors
    /// Those of `job`; [`StoreError::Revoked`]; [`Refusal::NoToken`] for an anonymous caller; [`ApiError::Pool`].
    pub async fn change<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Store, &Actor) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = self.store.for_request(self.request);
        let (store, actor) = match self.caller.principal() {
            Principal::User(user) => {
                let acting_user = ActingUser { user: user.id(), issued_at: self.caller.issued_at() };
                (store.as_user(acting_user), Actor::User(user.id()))
            }
            Principal::Machine(client) => (store, Actor::Machine(client.to_string())),
            Principal::Anonymous => return Err(Refusal::NoToken.into()),
        };
        self.run(move || job(&store, &actor)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let outcome = self.pool.run(job).await;
        if matches!(outcome, Err(PoolError::Panicked)) {
            tracing::error!(request_id = %self.request, "a job of a resolver panicked");
        }
        Ok(outcome??)
    }

    /// A user with their profile fetched from Auth0 anew and stored, which is a [change](Self::change) as every other. One
    /// fetch for all who wait for it, none while Auth0 rests after a failure, and none for a profile that was fetched in
    /// the last ten seconds, so that nobody can use up the tenant's rate limit by asking again and again. A row that nobody
    /// claimed has no profile, and stays as it is.
    ///
    /// # Errors
    /// [`ApiError::NotFound`], the refusals of [`Profiles::fetch`](crate::auth::Profiles::fetch), and those of
    /// [`Context::change`].
    pub(super) async fn refresh(&self, id: UserId) -> Result<User, ApiError> {
        let row = self.store.user(id)?.ok_or(ApiError::NotFound("There is no such user."))?;
        let now = self.gate.clock().now();
        let fresh = row.profile_fetched_at.is_some_and(|at| now.duration_since(at) < FRESH);
        let own = row.auth0_id.clone().filter(|_| !fresh && row.status != Status::Erased);
        let Some(own) = own else { return Ok(row) };
        let fetched = match self.gate.profiles().fetch(&own).await {
            Ok(profile) => Some(profile),
            // Whoever is gone at Auth0 stays here.
            Err(Refusal::NoSuchUser) => None,
            Err(refusal) => return Err(refusal.into()),
        };
        self.change(move |store, actor| {
            let user = store.user(id)?.ok_or(StoreError::NotFound(id))?;
            // The profile of an identity that is the row's own no more is nobody's.
            if user.auth0_id.as_ref() == Some(&own) {
                auth::store_profile(store, &user, fetched.as_deref(), actor)
            } else {
                Ok(user)
            }
        })
        .await
    }

    /// The row of a current user: at most one query a request, and none if the gate already read it.
    ///
    /// # Errors
    /// When the database fails, or holds no such row though the token says so.
    pub fn row(&self, user: &CurrentUser) -> Result<Arc<User>, ApiError> {
        match user {
            CurrentUser::Row(row) => Ok(Arc::clone(row)),
            CurrentUser::Payload(_) => Ok(Arc::clone(&self.row_and_terms(user)?.0)),
        }
    }

    /// The terms a current user agreed to. Together with [`Context::row`] one query.
    ///
    /// # Errors
    /// As [`Context::row`].
    pub fn terms(&self, user: &CurrentUser) -> Result<Vec<AcceptedTerms>, ApiError> {
        match user {
            // Perhaps just read in this request's own change, which may have been to the terms.
            CurrentUser::Row(row) => Ok(self.store.accepted_terms(row.id)?),
            CurrentUser::Payload(_) => Ok(self.row_and_terms(user)?.1.clone()),
        }
    }

    fn row_and_terms(&self, user: &CurrentUser) -> Result<&(Arc<User>, Vec<AcceptedTerms>), ApiError> {
        if let Some(row) = self.row.get() {
            return Ok(row);
        }
        let row = self.store.user_with_terms(user.id())?;
        let row = row.ok_or(ApiError::NotFound("The user in the token is not in the database."))?;
        Ok(self.row.get_or_init(|| (Arc::new(row.0), row.1)))
    }
}

impl juniper::Context for Context {}
