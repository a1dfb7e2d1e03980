//! Users, identities, the audit log, revocations, the outbox to Auth0, deployments, signing keys, in one SQLite database.
//!
//! Imports layer 0 and `sqlite`. Never speaks HTTP, calls Auth0 or decides permissions.
//!
//! All calls block. Reads by key ([`Store::user`], [`Store::user_by_auth0_id`], [`Store::user_by_email`]) never wait for a
//! scan and may run inline, as may the reads of an [`Interrupt::inline`]; everything else belongs on the pool. A public
//! function is one change with one `now`, stored as a whole or not at all; a private one is a step inside it (`Write`).
//!
//! Every call can fail with [`StoreError::Database`]; a write also with [`StoreError::Revoked`] for a handle that acts
//! [for a user](Store::as_user), and a change of one user with [`StoreError::NotFound`] and [`StoreError::Erased`].

mod settings;
mod error;
mod schema;
mod columns;
mod query;
mod page;
mod write;
mod users;
mod audit;
mod user_changes;
mod acting_user;
mod pseudonyms;
mod outbox;
mod deployments;
mod deployment_records;
mod deployment_requests;
mod keys;
mod maintenance;

#[cfg(test)]
mod tests;

pub use acting_user::ActingUser;
pub use audit::{
    Action, Actor, AuditFilter, AuditLine, AuditVerification, ChainHash, Change, ParseChainHashError,
};
pub use deployment_records::{DeploymentRecord, LogLine, NewDeployment};
pub use deployment_requests::{DeploymentRequest, NewDeploymentRequest, RequestOutcome};
pub use deployments::{Deployment, DeploymentFilter, DeploymentOutcome};
pub use error::StoreError;
pub use keys::SavedKeys;
pub use maintenance::{CheckReport, Restored};
pub use outbox::BlockDelivery;
pub use page::{PAGE_MAX, Page, PageArgs};
pub use settings::{LinkEmail, LinkRules, LinkSettings, Settings};
pub use user_changes::ChangeNumber;
pub use users::{
    AcceptedTerms, Export, Identity, ImportOutcome, ImportRow, ImportRules, NewIdentity, NewUser,
    PROFILE_MAX_BYTES, Period, Provisioned, SEARCH_MAX, SeedUser, SortKey, TERMS_MAX_CHARS,
    TERMS_MAX_VERSIONS, UserColumns, UserCursor, UserFilter, UserOrder, UserUpdate, user_json,
};

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};

use crate::clock::Clock;
use crate::sqlite::{Database, Interrupt, with_settings};
use crate::telemetry::{Counter, RequestId};
use audit::Feed;
use error::Result;
use schema::SCHEMA;
use user_changes::UserChanges;
use write::Write;

/// A handle to the database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    database: Database,
    shared: Arc<Shared>,
    /// Goes into the audit lines that are written through this handle.
    request: Option<RequestId>,
    /// The user whose request this is; checked again inside each transaction.
    acting_user: Option<ActingUser>,
    /// Not counted in `queries`.
    background: bool,
}

struct Shared {
    queries: Counter,
    user_changes: UserChanges,
    feed: Feed,
    block_at_auth0: bool,
    clock: Clock,
}

impl Store {
    /// Opens the database; creates and migrates it as needed: see [`Database::open`].
    pub fn open(settings: &Settings, clock: Clock) -> Result<Self> {
        Self::new(Database::open(&settings.database(), &SCHEMA)?, settings, clock)
    }

    /// Opens a database that must exist with the schema of this binary: see [`Database::open_existing`].
    pub fn open_existing(settings: &Settings, clock: Clock) -> Result<Self> {
        Self::new(Database::open_existing(&settings.database(), &SCHEMA)?, settings, clock)
    }

    fn new(database: Database, settings: &Settings, clock: Clock) -> Result<Self> {
        let shared = Shared {
            queries: Counter::default(),
            user_changes: UserChanges::load(database.own_reader()?, &clock)?,
            feed: Feed::new(),
            block_at_auth0: settings.block_at_auth0,
            clock,
        };
        Ok(Self { database, shared: Arc::new(shared), request: None, acting_user: None, background: false })
    }

    /// The same database; what is changed through this handle is audited as part of `request`.
    #[must_use]
    pub fn for_request(&self, request: RequestId) -> Self {
        Self { request: Some(request), ..self.clone() }
    }

    /// The request that changes through this handle are part of.
    pub fn request(&self) -> Option<RequestId> {
        self.request
    }

    /// The same database, for work that no request waits for: calls of this handle are not counted.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { background: true, ..self.clone() }
    }

    /// Checks that the database answers and can be written, for readiness checks. Reads a page, writes nothing.
    pub fn ping(&self) -> Result<()> {
        self.database.ensure_writable()?;
        self.read_by_key(|connection| {
            query::value::<i64>(connection, "SELECT 1 FROM users LIMIT 1", []).map(drop)
        })
    }

    /// The same database; a read through this handle that `interrupt` ends is
    /// [`DatabaseError::Interrupted`](crate::sqlite::DatabaseError::Interrupted). Changes are never interrupted.
    #[must_use]
    pub fn interruptible(&self, interrupt: &Interrupt) -> Self {
        Self { database: self.database.interruptible(interrupt), ..self.clone() }
    }

    /// The databases that restores replaced and that are still beside this one. They hold users who were erased since.
    pub fn replaced_copies(&self) -> Result<Vec<PathBuf>> {
        Ok(self.database.replaced_copies()?)
    }

    /// Ends all work on the database and closes it: see [`Database::close`].
    pub fn close(&self) -> Result<()> {
        self.shared.user_changes.close();
        self.shared.feed.close();
        Ok(self.database.close()?)
    }

    /// How many reads and write transactions there were so far, except [in the background](Store::in_background).
    pub fn queries(&self) -> u64 {
        self.shared.queries.get()
    }

    /// Runs a read that may scan.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.count();
        self.database.read(query)
    }

    /// Runs a read by key. It never waits for a scan, so it may run inline.
    fn read_by_key<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.count();
        self.database.read_by_key(query)
    }

    /// Runs the steps of one change, undone when they fail or panic. Changes at the same time may share a transaction. When it
    /// returns, the change is stored, this process knows it, and subscribers get it.
    fn write<T>(&self, steps: impl FnOnce(&Write<'_>) -> Result<T>) -> Result<T> {
        self.count();
        let outcome = self.database.write_in_group(|tx| steps(&self.begin(tx)?))?;
        self.poll_changes();
        Ok(outcome)
    }

    /// Runs `steps` in a transaction of its own, under other [settings](with_settings). They also return whether to commit it.
    fn transaction<T>(
        &self,
        settings: &[(&str, i64)],
        steps: impl FnOnce(&Write<'_>) -> Result<(T, bool)>,
    ) -> Result<T> {
        self.count();
        let outcome = self.database.with_writer(|connection| {
            with_settings(connection, settings, |connection| {
                let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let (outcome, keeps) = steps(&self.begin(&tx)?)?;
                if keeps {
                    self.database.commit(tx)?;
                }
                Ok::<_, StoreError>(outcome)
            })
        })?;
        self.poll_changes();
        Ok(outcome)
    }

    fn begin<'a>(&self, tx: &'a Connection) -> Result<Write<'a>> {
        let write = Write::new(tx, &self.shared.clock, self.request, self.shared.block_at_auth0);
        self.acting_user.map_or(Ok(()), |acting_user| write.ensure_active(acting_user))?;
        Ok(write)
    }

    fn now_millis(&self) -> i64 {
        self.shared.clock.now().as_millisecond()
    }

    fn count(&self) {
        if !self.background {
            self.shared.queries.count();
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
