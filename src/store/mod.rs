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
mod aside;
mod audit;
mod backup;
mod blocks;
mod acting_user;
mod chain;
mod changes;
mod check;
mod checksum;
mod connections;
mod create;
mod database;
mod deployments;
mod erasures;
mod error;
mod export;
mod feed;
mod identities;
mod import;
mod import_row;
mod interrupt;
mod keys;
mod lock;
mod list;
mod list_audit;
mod batch_reads;
mod merge;
mod migrate;
mod idempotency;
mod open;
mod opened;
mod ownership;
mod pseudonym;
mod restore;
mod refresh;
mod rows;
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
pub use backup::BackedUp;
pub use blocks::BlockDelivery;
pub use chain::{AuditVerification, ChainHash, ParseChainHashError};
pub use check::Checked;
pub use create::NewUser;
pub use database::Database;
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
pub use interrupt::Interrupt;
pub use keys::SavedKeys;
pub use list::{Page, PageArgs, Period, SEARCH_MAX, SortKey, UserCursor, UserFilter, UserOrder};
pub use migrate::Migrated;
pub use restore::{Restored, Vouched};
pub use revocations::Revocation;
pub use seed::SeedUser;
pub use settings::{LinkEmail, LinkSettings, Settings};
pub use terms::{AcceptedTerms, TERMS_MAX_CHARS, TERMS_MAX_VERSIONS};
pub use trail::{AuditFilter, AuditPage};
pub use update::UserUpdate;
pub use users::{PAGE_MAX, UserPage};

/// The SQLite that a [`Database`] is read and written with.
pub use rusqlite;

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::clock::Clock;
use crate::telemetry::{Counter, RequestId};
use connections::Lane;
use feed::Feed;
use interrupt::Bounds;
use lock::Lock;
use open::Purpose;
use opened::Opened;
use revocations::Revocations;

/// A handle to the database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    /// Goes into the audit lines that are written through this handle.
    request: Option<RequestId>,
    /// The user whose request this is; checked again inside each transaction.
    acting_user: Option<ActingUser>,
    /// Not counted in `queries`.
    background: bool,
    /// What ends reads before they are done, if anything.
    bounds: Option<Bounds>,
}

struct Shared {
    path: PathBuf,
    writer: Lane,
    /// For scans, pages, counts and exports.
    readers: Lane,
    /// For reads by key, which never wait for a scan.
    points: Lane,
    queries: Counter,
    revocations: Revocations,
    feed: Feed,
    /// Whether anything was committed through this handle.
    wrote: AtomicBool,
    block_at_auth0: bool,
    clock: Clock,
    /// `None` once closed.
    lock: Mutex<Option<Lock>>,
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
    /// Opens the database, made and migrated as needed, with every setting set and read back. It is migrated only when no
    /// other process has it open, and the file of the older schema is kept beside it, as `<database>.schema-<version>`.
    ///
    /// # Errors
    /// [`StoreError::File`], [`StoreError::Open`], [`StoreError::NotOurs`], [`StoreError::SchemaTooNew`],
    /// [`StoreError::Migration`], [`StoreError::Setting`], [`StoreError::Damaged`], [`StoreError::Empty`],
    /// [`StoreError::CutOff`], [`StoreError::StrayLog`], [`StoreError::ReadOnly`], [`StoreError::BeingRestored`],
    /// [`StoreError::InUse`], [`StoreError::Busy`]: each names what to do.
    pub fn open(settings: &Settings, clock: Clock) -> Result<Self, StoreError> {
        Self::over(Opened::made(settings)?, settings, clock)
    }

    /// Opens a database that must be there, with the schema we know. Makes and migrates nothing, and waits for nobody who
    /// writes.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; [`StoreError::SchemaTooOld`]; else as [`Store::open`].
    pub fn open_existing(settings: &Settings, clock: Clock) -> Result<Self, StoreError> {
        Self::over(Opened::existing(settings)?, settings, clock)
    }

    fn over(opened: Opened, settings: &Settings, clock: Clock) -> Result<Self, StoreError> {
        let Opened { path, lock, writer, .. } = opened;
        let connect = |purpose| open::connect(&path, purpose, settings.busy_timeout);
        let readers = || {
            let readers: Result<_, _> =
                (0..settings.readers.max(1)).map(|_| connect(Purpose::Read)).collect();
            readers.map(|readers| Lane::new(readers, settings.busy_timeout))
        };
        let (readers, points) = (readers()?, readers()?);
        let revocations = Revocations::load(connect(Purpose::Read)?, clock.clone())?;
        Ok(Self {
            shared: Arc::new(Shared {
                path,
                writer: Lane::new(vec![writer], settings.busy_timeout),
                readers,
                points,
                queries: Counter::default(),
                revocations,
                feed: Feed::new(),
                wrote: AtomicBool::new(false),
                block_at_auth0: settings.block_at_auth0,
                clock,
                lock: Mutex::new(Some(lock)),
            }),
            request: None,
            acting_user: None,
            background: false,
            bounds: None,
        })
    }

    /// Makes the file if it is absent and brings its schema to what this binary knows.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn migrate(settings: &Settings) -> Result<Migrated, StoreError> {
        Opened::made(settings).map(|opened| opened.migrated)
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
    /// [`StoreError::Closed`], [`StoreError::Busy`], or what SQLite says.
    pub fn ping(&self) -> Result<(), StoreError> {
        self.look_up(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT count(*) FROM (SELECT 1 FROM users LIMIT 1)")?;
            Ok(statement.query_one([], |row| row.get::<_, i64>(0)).map(drop)?)
        })
    }

    /// Ends all work on the database: waits for what runs, moves the WAL into the file and closes it. Who wrote nothing
    /// leaves the WAL to those who did, and so waits for none of them.
    /// Every later call on any clone is [`StoreError::Closed`]; closing twice does nothing.
    ///
    /// # Errors
    /// When the checkpoint fails. Nothing is lost then: the WAL holds it.
    pub fn close(&self) -> Result<(), StoreError> {
        // Readers first: one that is still at work would keep its part of the WAL from being moved.
        drop((self.shared.readers.close(), self.shared.points.close()));
        self.shared.revocations.close();
        self.shared.feed.close();
        let writers = self.shared.writer.close();
        let wrote = self.shared.wrote.load(Ordering::Relaxed);
        let closed = writers.iter().filter(|_| wrote).try_for_each(|writer| truncate_wal(writer).map(drop));
        drop(writers);
        // Last, because whoever waits for it puts another file in the place of this one.
        drop(self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        closed
    }

    /// How many times the database was asked so far, but [in the background](Store::in_background): reads and write
    /// transactions alike.
    pub fn queries(&self) -> u64 {
        self.shared.queries.get()
    }

    /// A read that scans, or may.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.lent(&self.shared.readers, query)
    }

    /// A read by key. It may run inline, so it waits for nothing that scans.
    fn look_up<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.lent(&self.shared.points, query)
    }

    fn lent<T>(
        &self,
        lane: &Lane,
        query: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.count();
        lane.with(|connection| match &self.bounds {
            Some(bounds) => bounds.hold(connection, &self.shared.clock, query),
            None => query(connection),
        })
    }

    /// What this process has of the lock on the file.
    fn with_lock<T>(&self, work: impl FnOnce(&Lock) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let lock = self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner);
        work(lock.as_ref().ok_or(StoreError::Closed)?)
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

    /// [`Store::write`] under other [settings](open::with_settings), for `steps` that commit themselves, or do not.
    fn transaction<T>(
        &self,
        settings: &[(&str, i64)],
        steps: impl FnOnce(Write<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.count();
        let outcome = self.shared.writer.with(|connection| {
            open::with_settings(connection, settings, |connection| {
                let write = self.begin(connection)?;
                if let Some(acting_user) = self.acting_user {
                    write.ensure_active(acting_user)?;
                }
                let outcome = steps(write)?;
                self.shared.wrote.store(true, Ordering::Relaxed);
                Ok(outcome)
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

/// Moves the WAL into the file and cuts it to nothing, so that what was overwritten is gone from both.
/// Another process at work can keep it from being cut; then the next checkpoint does. Tells whether it was.
fn truncate_wal(connection: &Connection) -> Result<bool, StoreError> {
    let blocked: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if blocked {
        tracing::warn!("another reader keeps the write-ahead log; it is cut at the next checkpoint");
    }
    Ok(!blocked)
}
