//! The context of a request's resolvers: its [`Caller`], the database and the pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::Semaphore;

use super::budget::Budget;
use super::error::ApiError;
use super::fields::Fields;
use super::mutation_rate::MutationRate;
use super::paging::read_number;
use super::services::Services;
use crate::auth::{self, Caller, Gate, Principal, Refusal};
use crate::pool::{Pool, PoolError};
use crate::sqlite::rusqlite::{Connection, Transaction};
use crate::sqlite::{Database, DatabaseError, Interrupt};
use crate::store::{AcceptedTerms, ActingUser, Actor, Export, Store, StoreError};
use crate::telemetry::RequestId;
use crate::user::{CurrentUser, Status, User, UserId};

/// Jobs of one request on the pool at once.
const JOBS: usize = 2;
/// The bytes that could be made in the time that a page's read takes inline.
const PAGE: usize = 16 * 1024;
/// How long a fetched profile is not fetched again.
const FRESH: SignedDuration = SignedDuration::from_secs(10);

/// The kind of number at which exports go on.
pub(super) const EXPORT: &str = "export";

/// What all resolvers of a request share.
#[derive(Debug, Clone)]
pub struct Context {
    caller: Caller,
    services: Arc<Services>,
    request: RequestId,
    /// Time that each read may take.
    read_time: Duration,
    /// Which rate a person's changes have, if any.
    rate: Option<Arc<MutationRate>>,
    usage: Arc<Usage>,
    /// The fields that the operation selects, if they are known.
    fields: Option<Fields>,
}

/// What one request has used of what it may.
#[derive(Debug)]
struct Usage {
    /// Jobs that the request may have on the pool at once, so that others get threads too.
    jobs: Semaphore,
    budget: Budget,
    has_exported: AtomicBool,
    /// Whether a page took too long inline, so that this request reads no other so.
    is_disk_slow: AtomicBool,
}

impl Context {
    /// The context of one request, for an endpoint of your own; a door makes its own. Only the gate can make a `caller`.
    ///
    /// `time` limits the operation. A read gets nine tenths of it: a slow read then fails its own field and leaves the
    /// other fields their data.
    pub fn new(caller: Caller, services: &Arc<Services>, request: RequestId, time: Duration) -> Self {
        let (jobs, has_exported) = (Semaphore::new(JOBS), AtomicBool::new(false));
        Self {
            caller,
            services: Arc::clone(services),
            request,
            read_time: time - time / 10,
            rate: None,
            usage: Arc::new(Usage {
                jobs,
                budget: Budget::default(),
                has_exported,
                is_disk_slow: AtomicBool::new(false),
            }),
            fields: None,
        }
    }

    pub(super) fn with_rate(self, rate: Arc<MutationRate>) -> Self {
        Self { rate: Some(rate), ..self }
    }

    /// For an operation that selects these fields.
    pub(super) fn with_fields(self, fields: Option<Fields>) -> Self {
        Self { fields, ..self }
    }

    /// Whether the operation may select the column of this name.
    pub(super) fn selects(&self, column: &str) -> bool {
        self.fields.as_ref().is_none_or(|fields| fields.have_column(column))
    }

    /// The caller.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The users. Reads by key may run inline; use [`Context::read_store`] for scans and [`Context::change`] for writes.
    #[doc(hidden)]
    pub fn store(&self) -> &Store {
        &self.services.store
    }

    /// Threads for blocking work.
    pub fn pool(&self) -> &Pool {
        &self.services.pool
    }

    /// The value that [`Vestibule::state`](crate::app::Vestibule::state) opened for a team's resolvers.
    pub fn state<T: 'static>(&self) -> Result<&T, ApiError> {
        self.services.state.downcast_ref().ok_or(ApiError::NoState(std::any::type_name::<T>()))
    }

    /// The signing keys and the profiles at Auth0.
    pub(super) fn gate(&self) -> &Gate {
        &self.services.gate
    }

    /// The request's id, in its response and in the log.
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// Requires one more permission than the door does.
    pub fn require(&self, permission: &str) -> Result<(), ApiError> {
        Ok(self.caller.require(permission)?)
    }

    /// The current user, for fields that only a person can use: other callers are refused.
    pub fn current_user(&self) -> Result<&CurrentUser, ApiError> {
        match self.caller.principal() {
            Principal::User(user) => Ok(user),
            Principal::Machine(_) => Err(Refusal::NotPermitted { missing: Default::default() }.into()),
            Principal::Anonymous => Err(Refusal::NoToken.into()),
        }
    }

    /// Runs a read of the team's own tables, those of [`Vestibule::database`](crate::app::Vestibule::database), on the pool: a
    /// resolver never waits for SQLite on a thread that serves other requests. The read ends with
    /// [`DatabaseError::Interrupted`](crate::sqlite::DatabaseError::Interrupted) after nine tenths of `limits.time`, and
    /// when this future is dropped because the operation timed out or the client disconnected.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let interrupt = Interrupt::after(self.read_time, self.services.gate.clock().clone());
        let database = self.database()?.interruptible(&interrupt);
        self.run(move || database.read(query)).await
    }

    /// Runs one write transaction on the team's own tables, on the pool. It is rolled back when `steps` fails or panics, and
    /// never interrupted: a client that disconnects does not undo it.
    pub async fn write<T: Send + 'static>(
        &self,
        steps: impl FnOnce(&Transaction<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let database = self.database()?.clone();
        self.run(move || database.write(steps)).await
    }

    fn database(&self) -> Result<&Database, ApiError> {
        self.services.database.as_ref().ok_or(ApiError::NoState("Vestibule::database"))
    }

    /// Runs a read of the users, as [`Context::read`] does: a list, a scan, anything that takes more than microseconds.
    pub(super) async fn read_store<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        // Interrupts the read when this future is dropped.
        let interrupt = Interrupt::after(self.read_time, self.services.gate.clock().clone());
        let store = self.services.store.interruptible(&interrupt);
        self.run(move || job(&store)).await
    }

    /// Runs a read of one page of a list. Unless a filter may make it scan, it takes some ten microseconds: it runs inline, where
    /// handing it to a thread would cost as much again, and on the pool when the disk turns out to be slow.
    pub(super) async fn read_page<T: Send + 'static>(
        &self,
        is_filtered: bool,
        job: impl Fn(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        if !is_filtered && !self.usage.is_disk_slow.load(Ordering::Relaxed) {
            self.usage.budget.pace(PAGE).await;
            let interrupt = Interrupt::inline(self.services.gate.clock().clone());
            match job(&self.services.store.interruptible(&interrupt)) {
                Err(StoreError::Database(DatabaseError::Interrupted)) => {
                    self.usage.is_disk_slow.store(true, Ordering::Relaxed);
                }
                outcome => return Ok(outcome?),
            }
        }
        self.read_store(job).await
    }

    /// Runs a change as the caller, on the pool. Each transaction of `job` is audited as part of this request. For a user
    /// it is committed only if they weren't blocked, erased, signed out or given other roles in the meantime, and else fails
    /// with [`StoreError::Revoked`]. A machine has no row to check: its permissions end with its token. A person's changes
    /// beyond the rate of the door are [`ApiError::RateLimited`].
    #[doc(hidden)]
    pub async fn change<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Store, &Actor) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = self.services.store.for_request(self.request);
        let store = match self.caller.principal() {
            Principal::User(user) => {
                if let Some(rate) = &self.rate {
                    rate.count(user.id(), self.services.gate.clock().elapsed())
                        .map_err(ApiError::RateLimited)?;
                }
                store.as_user(ActingUser { user: user.id(), issued_at: self.caller.issued_at() })
            }
            _ => store,
        };
        let actor = actor(&self.caller)?;
        self.run(move || job(&store, &actor)).await
    }

    /// Exports all data about a user, or what follows `after`, where the last export ended. Once per request.
    pub(super) async fn export(&self, id: UserId, after: Option<String>) -> Result<Export, ApiError> {
        let after = after.map(|key| {
            read_number(EXPORT, &key)
                .ok_or(ApiError::BadInput("after must be the next of an earlier export."))
        });
        let after = after.transpose()?;
        if self.usage.has_exported.swap(true, Ordering::Relaxed) {
            return Err(ApiError::BadInput("A request can export once; send another one."));
        }
        self.change(move |store, actor| store.export(id, after, actor)).await
    }

    async fn run<T: Send + 'static, E: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, ApiError>
    where
        ApiError: From<E>,
    {
        // Never closed.
        let permit = self.usage.jobs.acquire().await;
        let outcome = self.services.pool.run(job).await;
        drop(permit);
        if matches!(outcome, Err(PoolError::Panicked)) {
            tracing::error!(request_id = %self.request, "a resolver's job panicked");
        }
        Ok(outcome??)
    }

    /// Fetches a user's profile from Auth0 and stores it as a [change](Self::change). Concurrent requests share one fetch.
    /// Fetches nothing for ten seconds after the last fetch (to protect the tenant's rate limit), while the breaker is
    /// open, and for a row without an Auth0 id.
    pub(super) async fn refresh(&self, id: UserId) -> Result<User, ApiError> {
        let row = self.services.store.user(id)?.ok_or(ApiError::NO_SUCH_USER)?;
        let now = self.services.gate.clock().now();
        let is_fresh = row.profile_fetched_at.is_some_and(|at| now.duration_since(at) < FRESH);
        let auth0_id = row.auth0_id.clone().filter(|_| !is_fresh && row.status != Status::Erased);
        let Some(auth0_id) = auth0_id else { return Ok(row) };
        let profile = match self.services.gate.profiles().fetch(&auth0_id).await {
            Ok(profile) => Some(profile),
            // A user who was deleted at Auth0 stays here.
            Err(Refusal::NoSuchUser) => None,
            Err(refusal) => return Err(refusal.into()),
        };
        let gate = self.services.gate.clone();
        self.change(move |store, actor| {
            let user = store.user(id)?.ok_or(StoreError::NotFound(id))?;
            // Don't store the profile of an identity that was unlinked in the meantime.
            if user.auth0_id.as_ref() == Some(&auth0_id) {
                auth::store_profile(store, &user, profile.as_deref(), gate.link(), actor)
            } else {
                Ok(user)
            }
        })
        .await
    }

    /// Runs resolvers of this context that may [spend](Self::spend) `max` bytes. `None` when they would spend more.
    pub(super) fn bounded<T>(
        &self,
        max: usize,
        resolvers: impl Future<Output = T>,
    ) -> impl Future<Output = Option<T>> {
        self.usage.budget.run(max, resolvers)
    }

    /// Takes bytes from what the response may hold, before they are made. Never returns when too few are left: the operation
    /// then ends. Waits while other tasks run, if this one has made much.
    pub(super) async fn spend(&self, bytes: usize) {
        self.usage.budget.spend(bytes).await;
    }

    /// Like [`spend`](Self::spend), without waiting: returns whether enough bytes were left. If not, the operation ends when
    /// its future waits or returns.
    pub(super) fn spend_now(&self, bytes: usize) -> bool {
        self.usage.budget.spend_now(bytes)
    }

    /// The bytes that may still be spent.
    pub(super) fn bytes_left(&self) -> usize {
        self.usage.budget.left()
    }

    /// The terms that a current user accepted. Not cached: this request may have just accepted terms.
    pub fn terms(&self, user: &CurrentUser) -> Result<Vec<AcceptedTerms>, ApiError> {
        Ok(self.services.store.accepted_terms(user.id())?)
    }
}

impl juniper::Context for Context {}

/// Who the audit log names for what a caller does.
///
/// # Errors
/// [`Refusal::NoToken`] for an anonymous caller, who changes nothing.
pub(super) fn actor(caller: &Caller) -> Result<Actor, Refusal> {
    Ok(match (caller.principal(), caller.agent()) {
        (Principal::User(user), Some(agent)) => Actor::Agent { user: user.id(), agent: agent.to_owned() },
        (Principal::User(user), None) => Actor::User(user.id()),
        (Principal::Machine(client), _) => Actor::Machine(client.to_string()),
        (Principal::Anonymous, _) => return Err(Refusal::NoToken),
    })
}
