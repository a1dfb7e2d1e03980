//! SQLite: users, identities, audit, deployments, signing keys.
//!
//! Owns the database file: who is known, by which Auth0 ids, whether they may come in, who changed what, and
//! what was deployed.
//! Leans on floor 0. Never speaks HTTP, knows Auth0 or judges permissions.
//!
//! All calls block. Point reads by key take microseconds and may run inline ([`Store::user`],
//! [`Store::user_by_auth0_id`], [`Store::user_by_email`], [`Store::revocation`]); everything else belongs on the pool. They
//! have connections of their own, so that no scan keeps whoever runs them inline.
//! A public function is one transaction with one `now`; a private one is a step inside it.

mod admit;
mod audit;
mod blocks;
mod acting_user;
mod chain;
mod changes;
mod create;
mod deployments;
mod erasures;
mod error;
mod export;
mod feed;
mod identities;
mod import;
mod import_row;
mod keys;
mod list;
mod maintenance;
mod list_audit;
mod batch_reads;
mod merge;
mod idempotency;
mod pseudonym;
mod refresh;
mod rows;
mod schema;
mod seed;
mod settings;
mod revocations;
mod terms;
mod trail;
mod update;
mod users;

#[cfg(test)]
mod tests;

pub use acting_user::ActingUser;
pub use admit::{NewIdentity, PROFILE_MAX_BYTES, Provisioned};
pub use audit::{Action, Actor, AuditLine};
pub use blocks::BlockDelivery;
pub use chain::{AuditVerification, ChainHash, ParseChainHashError};
pub use create::NewUser;
pub use deployments::{
    DEPLOYMENT_FAILURE_MAX_CHARS, DEPLOYMENT_TIMEOUT, Deployment, DeploymentEnd, DeploymentFilter,
    DeploymentOutcome, PlannedDeployment,
};
pub use error::StoreError;
pub use export::user_json;
pub use feed::Change;
pub use identities::Identity;
pub use import::{Import, ImportRules};
pub use import_row::{ImportOutcome, ImportRow};
pub use keys::SavedKeys;
pub use list::{Page, PageArgs, Period, SEARCH_MAX, SortKey, UserCursor, UserFilter, UserOrder};
pub use maintenance::{CheckReport, Restored};
pub use revocations::Revocation;
pub use seed::SeedUser;
pub use settings::{LinkEmail, LinkSettings, Settings};
pub use terms::{AcceptedTerms, TERMS_MAX_CHARS, TERMS_MAX_VERSIONS};
pub use trail::{AuditFilter, AuditPage};
pub use update::UserUpdate;
pub use users::{PAGE_MAX, UserPage};

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::clock::Clock;
use crate::sqlite::{Database, Interrupt, with_settings};
use crate::telemetry::{Counter, RequestId};
use feed::Feed;
use revocations::Revocations;
use schema::SCHEMA;

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
    revocations: Revocations,
    feed: Feed,
    block_at_auth0: bool,
    clock: Clock,
}

/// A write transaction: holds SQLite's write lock from its first statement, so what it reads stays true.
struct Write<'a> {
    tx: Transaction<'a>,
    /// The one moment of this transaction, in whole milliseconds, as the rows keep it.
    now: Timestamp,
    request: Option<RequestId>,
    /// Whether Auth0 is told of whoever is blocked here.
    block_at_auth0: bool,
    /// The last line of the trail, once it was looked up: nobody else adds to it meanwhile.
    head: Cell<Option<(i64, ChainHash)>>,
}

impl Store {
    /// Opens the database; creates and migrates it as needed: see [`Database::open`].
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open(settings: &Settings, clock: Clock) -> Result<Self, StoreError> {
        Self::new(Database::open(&settings.database(), &SCHEMA)?, settings, clock)
    }

    /// Opens a database that must exist with the schema of this binary. Creates and migrates nothing, and does not wait for
    /// a process that writes.
    ///
    /// # Errors
    /// As [`Database::open_existing`].
    pub fn open_existing(settings: &Settings, clock: Clock) -> Result<Self, StoreError> {
        Self::new(Database::open_existing(&settings.database(), &SCHEMA)?, settings, clock)
    }

    fn new(database: Database, settings: &Settings, clock: Clock) -> Result<Self, StoreError> {
        let shared = Shared {
            queries: Counter::default(),
            revocations: Revocations::load(database.own_reader()?, clock.clone())?,
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

    /// The same database, for what no request waits for: what is asked through this handle is not counted.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { background: true, ..self.clone() }
    }

    /// Whether the database answers: for readiness checks. Reads a page, writes nothing.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn ping(&self) -> Result<(), StoreError> {
        self.look_up(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT count(*) FROM (SELECT 1 FROM users LIMIT 1)")?;
            Ok(statement.query_one([], |row| row.get::<_, i64>(0)).map(drop)?)
        })
    }

    /// The same database; a read through this handle that `interrupt` ends is
    /// [`DatabaseError::Interrupted`](crate::sqlite::DatabaseError::Interrupted). Changes are never interrupted.
    #[must_use]
    pub fn interruptible(&self, interrupt: &Interrupt) -> Self {
        Self { database: self.database.interruptible(interrupt), ..self.clone() }
    }

    /// The databases that restores have replaced and that are still beside this one. They still hold users who were erased
    /// since.
    ///
    /// # Errors
    /// As [`Database::replaced_copies`].
    pub fn replaced_copies(&self) -> Result<Vec<PathBuf>, StoreError> {
        Ok(self.database.replaced_copies()?)
    }

    /// Ends all work on the database and closes it: see [`Database::close`].
    ///
    /// # Errors
    /// As [`Database::close`].
    pub fn close(&self) -> Result<(), StoreError> {
        self.shared.revocations.close();
        self.shared.feed.close();
        Ok(self.database.close()?)
    }

    /// How many times the database was asked so far, but [in the background](Store::in_background): reads and write
    /// transactions alike.
    pub fn queries(&self) -> u64 {
        self.shared.queries.get()
    }

    /// A read that scans, or may.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.count();
        self.database.read(query)
    }

    /// A read by key. It may run inline, so it waits for nothing that scans.
    fn look_up<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.count();
        self.database.read_by_key(query)
    }

    /// One write transaction. What `steps` did is undone when it fails or panics. What they changed of somebody's
    /// revocation holds in this process, and the feed has told of it, when the call returns.
    fn write<T>(&self, steps: impl FnOnce(&Write<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.transaction(&[], |write| {
            let outcome = steps(&write)?;
            write.tx.commit()?;
            Ok(outcome)
        })
    }

    /// [`Store::write`] under other [settings](with_settings), for `steps` that commit themselves, or do not.
    fn transaction<T>(
        &self,
        settings: &[(&str, i64)],
        steps: impl FnOnce(Write<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.count();
        let outcome = self.database.with_writer(|connection| {
            with_settings(connection, settings, |connection| {
                let write = self.begin(connection)?;
                if let Some(acting_user) = self.acting_user {
                    write.ensure_active(acting_user)?;
                }
                steps(write)
            })
        })?;
        // In this order: who is told that somebody was blocked finds them blocked.
        self.shared.revocations.catch_up();
        self.tell();
        Ok(outcome)
    }

    fn count(&self) {
        if !self.background {
            self.shared.queries.count();
        }
    }

    fn begin<'a>(&self, connection: &'a mut Connection) -> Result<Write<'a>, StoreError> {
        Write::begin(connection, &self.shared.clock, self.request, self.shared.block_at_auth0)
    }
}

impl<'a> Write<'a> {
    fn begin(
        connection: &'a mut Connection,
        clock: &Clock,
        request: Option<RequestId>,
        block_at_auth0: bool,
    ) -> Result<Self, StoreError> {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Taken under the lock, so that later transactions have later moments.
        let now = clock.now();
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        Ok(Self { tx, now, request, block_at_auth0, head: Cell::new(None) })
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
