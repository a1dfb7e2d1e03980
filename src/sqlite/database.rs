//! The handle to an open database: its connections, transactions and lock.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::connect::{Connector, checkpoint};
use super::interrupt::{Bounds, Interrupt, bounded};
use super::lock::Lock;
use super::open::OpenFile;
use super::pool::ConnectionPool;
use super::writer::WriterQueue;
use super::{DatabaseError, DatabaseSchema, DatabaseSettings, set_aside};

/// A handle to a database file. Cheap to clone. All calls block. Every read and write can end with
/// [`DatabaseError::Busy`], [`DatabaseError::Closed`] or [`DatabaseError::Interrupted`].
///
/// An embedder keeps its own tables in a file of their own: a schema has one owner. Reference users by their id, which
/// never changes; an erased user keeps it.
#[derive(Debug, Clone)]
pub struct Database {
    shared: Arc<Shared>,
    bounds: Option<Weak<Bounds>>,
}

#[derive(Debug)]
struct Shared {
    connector: Connector,
    writer: WriterQueue,
    /// For scans, pages, counts and exports.
    readers: ConnectionPool<Connection>,
    /// For reads by key, which never wait for a scan.
    key_readers: ConnectionPool<Connection>,
    /// Whether this handle may have written.
    wrote: AtomicBool,
    /// `None` once closed.
    lock: Mutex<Option<Lock>>,
}

/// Keeps other processes out of the database until it is dropped.
pub(crate) struct Exclusive<'a>(&'a Database);

impl Database {
    /// Opens the database. Creates it if it is absent, with mode 0600, and runs pending migrations when no other process has
    /// it open. No migration can be undone: make a [backup](super::backup()) first. Each setting of SQLite is read back.
    ///
    /// # Errors
    /// Those of [`DatabaseError`] about the file, its schema or a lock.
    pub fn open(settings: &DatabaseSettings, schema: &'static DatabaseSchema) -> Result<Self, DatabaseError> {
        Self::with_pools(OpenFile::migrated(settings, schema)?, settings.readers)
    }

    /// Opens a database that must exist with the newest schema. Creates and migrates nothing, and does not wait for a
    /// process that writes.
    ///
    /// # Errors
    /// As [`Database::open`]; [`DatabaseError::Missing`]; [`DatabaseError::SchemaTooOld`].
    pub fn open_existing(
        settings: &DatabaseSettings,
        schema: &'static DatabaseSchema,
    ) -> Result<Self, DatabaseError> {
        Self::with_pools(OpenFile::existing(settings, schema)?, settings.readers)
    }

    fn with_pools(open: OpenFile, readers: usize) -> Result<Self, DatabaseError> {
        let OpenFile { connector, lock, writer, .. } = open;
        let timeout = connector.busy_timeout;
        let pool = || {
            let connector = connector.clone();
            ConnectionPool::growing(readers, timeout, move || connector.reader())
        };
        let (readers, key_readers) = (pool()?, pool()?);
        let writer = WriterQueue::new(writer, timeout);
        let (wrote, lock) = (AtomicBool::new(false), Mutex::new(Some(lock)));
        let shared = Shared { connector, writer, readers, key_readers, wrote, lock };
        Ok(Self { shared: Arc::new(shared), bounds: None })
    }

    /// Runs a read that scans, or may: with the connections of reads by key if it runs [inline](Interrupt::inline).
    pub fn read<T, E: From<DatabaseError>>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let bounds = self.bounds.as_ref().and_then(Weak::upgrade);
        let is_inline = bounds.is_some_and(|bounds| bounds.is_inline);
        self.read_from(if is_inline { &self.shared.key_readers } else { &self.shared.readers }, query)
    }

    /// Runs a read by key. It never waits for a scan, so it may run inline.
    pub fn read_by_key<T, E: From<DatabaseError>>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.read_from(&self.shared.key_readers, query)
    }

    fn read_from<T, E: From<DatabaseError>>(
        &self,
        pool: &ConnectionPool<Connection>,
        query: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        pool.with(|connection| match &self.bounds {
            Some(bounds) => bounded(bounds, connection, query),
            None => query(connection),
        })
    }

    /// Runs one write transaction, which holds SQLite's write lock from its beginning, so what it reads stays true. It is
    /// rolled back when `steps` fails or panics, and never interrupted.
    pub fn write<T, E: From<DatabaseError>>(
        &self,
        steps: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.with_writer(|connection| {
            let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
            let tx = begun.map_err(DatabaseError::from)?;
            let value = steps(&tx)?;
            self.commit(tx)?;
            Ok(value)
        })
    }

    /// Runs one write transaction that may be shared with other calls, which then wait for one sync of the disk together: see
    /// [`WriterQueue::in_group`]. For steps that leave no deferred foreign key violated: a failed commit is that of all.
    pub(crate) fn write_in_group<T, E: From<DatabaseError>>(
        &self,
        steps: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.shared.wrote.store(true, Ordering::Relaxed);
        self.shared.writer.in_group(steps)
    }

    /// Commits. After a failed sync, this handle writes nothing more.
    pub(crate) fn commit(&self, tx: Transaction<'_>) -> Result<(), DatabaseError> {
        self.shared.writer.noted(tx.commit().map_err(DatabaseError::from))
    }

    /// Fails when this handle writes nothing more: see [`DatabaseError::SyncFailed`].
    pub fn ensure_writable(&self) -> Result<(), DatabaseError> {
        self.shared.writer.ensure_writable()
    }

    /// Whether this handle, or a clone of it, may have written.
    pub(crate) fn has_written(&self) -> bool {
        self.shared.wrote.load(Ordering::Relaxed)
    }

    /// Runs `work` with the one connection that writes. For transactions with settings of their own, which end with
    /// [`Database::commit`].
    pub(crate) fn with_writer<T, E: From<DatabaseError>>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.shared.wrote.store(true, Ordering::Relaxed);
        self.shared.writer.alone(work)
    }

    /// The same database; a read through this handle that `interrupt` ends is [`DatabaseError::Interrupted`].
    #[must_use]
    pub fn interruptible(&self, interrupt: &Interrupt) -> Self {
        Self { bounds: Some(Arc::downgrade(&interrupt.0)), ..self.clone() }
    }

    /// A connection for one owner, which only reads. Drop it before [`Database::close`].
    pub(crate) fn own_reader(&self) -> Result<Connection, DatabaseError> {
        self.shared.connector.reader()
    }

    /// Keeps other processes out until the guard is dropped. `None` when another process has the database open.
    pub(crate) fn try_exclusive(&self) -> Result<Option<Exclusive<'_>>, DatabaseError> {
        let exclusive = self.with_lock(Lock::try_exclusive)?;
        Ok(exclusive.then_some(Exclusive(self)))
    }

    fn with_lock<T>(&self, work: impl FnOnce(&Lock) -> Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        let lock = self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner);
        work(lock.as_ref().ok_or(DatabaseError::Closed)?)
    }

    /// Moves the write-ahead log into the file and empties it: there, overwritten pages outlive their transaction.
    pub fn checkpoint(&self) -> Result<(), DatabaseError> {
        let writer = &self.shared.writer;
        writer.alone(|connection| writer.noted(checkpoint(connection).map(drop)))
    }

    /// The databases that restores have replaced and that are still beside this one.
    pub fn replaced_copies(&self) -> Result<Vec<PathBuf>, DatabaseError> {
        let path = &self.shared.connector.path;
        set_aside::all(path).map_err(|source| DatabaseError::unreadable(path, source))
    }

    /// Ends all work on the database: waits for calls that run, moves the write-ahead log into the file and closes it. A
    /// handle that wrote nothing leaves the log to the processes that did.
    /// Every later call on any clone is [`DatabaseError::Closed`]; closing twice does nothing.
    ///
    /// # Errors
    /// When the checkpoint fails. Nothing is lost then: the log holds it.
    pub fn close(&self) -> Result<(), DatabaseError> {
        self.shared.close()
    }
}

impl Shared {
    fn close(&self) -> Result<(), DatabaseError> {
        // Readers first: a running one would keep its part of the log from being moved.
        drop((self.readers.close(), self.key_readers.close()));
        let writer = self.writer.close();
        let failed = self.writer.has_failed();
        if let Some(writer) = writer.as_ref().filter(|_| failed) {
            writer.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        }
        let wrote = self.wrote.load(Ordering::Relaxed) && !failed;
        let closed = writer.as_ref().filter(|_| wrote).map_or(Ok(()), |writer| checkpoint(writer).map(drop));
        drop(writer);
        // Last, because a process that waits for it puts another file in the place of this one.
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        closed
    }
}

/// The write-ahead log moves into the file when the last handle goes, so that the file alone is complete.
impl Drop for Shared {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "a database was not closed cleanly; its log is read at the next start");
        }
    }
}

impl Drop for Exclusive<'_> {
    fn drop(&mut self) {
        // A database that was closed meanwhile has no lock to share.
        if let Err(error) = self.0.with_lock(Lock::share)
            && !matches!(error, DatabaseError::Closed)
        {
            tracing::error!(%error, "other processes may find the database locked until this one ends");
        }
    }
}
