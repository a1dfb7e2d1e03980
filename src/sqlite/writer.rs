//! The one connection that writes, and group commit: changes that wait for it at the same time share a transaction, and so
//! one sync of the disk.
//!
//! A caller hands the connection to the next one with the transaction open, and waits for the commit. The last one commits.
//! Each change is a savepoint of its own. A caller is in one group at a time, so a group is never larger than the
//! number of threads that write.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ffi};

use super::DatabaseError;
use super::connect::checkpoint_if_long;
use super::pool::{ConnectionPool, PooledConnection};

/// Lends the connection to one caller after the other.
#[derive(Debug)]
pub(super) struct WriterQueue {
    writer: ConnectionPool<Writer>,
    /// Whether the disk failed to store what was written.
    failed: AtomicBool,
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    /// Set while a transaction of a group is open.
    group: Option<Arc<Group>>,
}

/// What the callers of a group wait for.
#[derive(Debug, Default)]
struct Group {
    /// `None` until the transaction has ended.
    outcome: Mutex<Option<Result<(), Failure>>>,
    ended: Condvar,
}

/// The parts of an error of SQLite, as each caller gets one.
type Failure = (ffi::Error, Option<String>);

impl WriterQueue {
    /// A caller waits at most `timeout` for its turn.
    pub(super) fn new(connection: Connection, timeout: Duration) -> Self {
        let writer = ConnectionPool::new(vec![Writer { connection, group: None }], timeout);
        Self { writer, failed: AtomicBool::new(false) }
    }

    /// Runs `work` alone, after a commit of what others have open.
    pub(super) fn alone<T, E: From<DatabaseError>>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.ensure_writable()?;
        self.writer.with(|writer| {
            self.commit_group(writer);
            self.ensure_writable()?;
            let value = work(&mut writer.connection)?;
            self.checkpoint_if_long(&writer.connection);
            Ok(value)
        })
    }

    /// Runs `steps` within a transaction that others may share, which holds SQLite's write lock from its beginning. When
    /// `steps` fail or panic, they are undone and nothing else is. Returns after the commit.
    pub(super) fn in_group<T, E: From<DatabaseError>>(
        &self,
        steps: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.ensure_writable()?;
        let mut turn =
            Turn { queue: self, pooled: self.writer.acquire()?, has_savepoint: false, keeps: false };
        let group = turn.begin()?;
        let outcome = steps(&turn.pooled.get()?.connection);
        turn.keeps = outcome.is_ok();
        let has_ended_group = turn.finish();
        drop(turn);
        match (outcome, group.wait()) {
            (outcome, Ok(())) => outcome,
            // The cause of the group's end.
            (Err(own), Err(_)) if has_ended_group => Err(own),
            // An error can rest on another change of the group, which is undone.
            (_, Err(error)) => Err(error.into()),
        }
    }

    /// Fails when nothing more is written: see [`DatabaseError::SyncFailed`].
    pub(super) fn ensure_writable(&self) -> Result<(), DatabaseError> {
        match self.has_failed() {
            true => Err(DatabaseError::SyncFailed("an earlier write failed".into())),
            false => Ok(()),
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// After a failed sync, nothing more is written.
    pub(super) fn noted<T>(&self, outcome: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        if let Err(error @ DatabaseError::SyncFailed(_)) = &outcome {
            tracing::error!(error = error as &dyn std::error::Error, "the database is only read from now on");
            self.failed.store(true, Ordering::Relaxed);
        }
        outcome
    }

    /// Ends the queue. Returns the connection; `None` the second time.
    pub(super) fn close(&self) -> Option<Connection> {
        let mut writer = self.writer.close().pop()?;
        self.commit_group(&mut writer);
        Some(writer.connection)
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.writer.waiting()
    }

    /// Commits the transaction of a group, if one is open.
    fn commit_group(&self, writer: &mut Writer) {
        if writer.group.is_none() {
            return;
        }
        let committed = run(&writer.connection, "COMMIT").map_err(|error| match error {
            rusqlite::Error::SqliteFailure(code, text) => (code, text),
            other => (ffi::Error::new(ffi::SQLITE_ERROR), Some(other.to_string())),
        });
        let is_committed = committed.is_ok();
        writer.end(self, committed);
        if is_committed {
            self.checkpoint_if_long(&writer.connection);
        }
    }

    fn checkpoint_if_long(&self, writer: &Connection) {
        // The change is stored, in the log.
        if let Err(error) = self.noted(checkpoint_if_long(writer)) {
            tracing::warn!(error = &error as &dyn std::error::Error, "the write-ahead log grows");
        }
    }
}

impl Writer {
    /// Ends the group with the outcome of its transaction, of which nothing is left open.
    fn end(&mut self, queue: &WriterQueue, outcome: Result<(), Failure>) {
        if outcome.is_err() && !self.connection.is_autocommit() {
            drop(run(&self.connection, "ROLLBACK"));
        }
        drop(queue.noted(as_error(&outcome)));
        if let Some(group) = self.group.take() {
            *group.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            group.ended.notify_all();
        }
    }
}

impl Group {
    fn wait(&self) -> Result<(), DatabaseError> {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = self.ended.wait_while(outcome, |outcome| outcome.is_none());
        outcome.unwrap_or_else(PoisonError::into_inner).as_ref().map_or(Ok(()), as_error)
    }
}

fn as_error(outcome: &Result<(), Failure>) -> Result<(), DatabaseError> {
    outcome.clone().map_err(|(code, text)| rusqlite::Error::SqliteFailure(code, text).into())
}

/// One change. Dropped, it is [finished](Turn::finish), also by a panic.
struct Turn<'a> {
    queue: &'a WriterQueue,
    pooled: PooledConnection<'a, Writer>,
    has_savepoint: bool,
    keeps: bool,
}

impl Turn<'_> {
    /// Begins the change, and the transaction if there is none.
    fn begin(&mut self) -> Result<Arc<Group>, DatabaseError> {
        let Writer { connection, group } = self.pooled.get()?;
        // A commit may have failed while this caller waited.
        self.queue.ensure_writable()?;
        if group.is_none() {
            run(connection, "BEGIN IMMEDIATE")?;
        }
        let group = Arc::clone(group.get_or_insert_default());
        run(connection, "SAVEPOINT change")?;
        self.has_savepoint = true;
        Ok(group)
    }

    /// Ends the change: it is kept or undone, and the transaction goes to the next caller or is committed. Returns whether
    /// SQLite had undone the whole transaction.
    fn finish(&mut self) -> bool {
        let Ok(writer) = self.pooled.get() else { return false };
        let connection = &writer.connection;
        let ended = match (std::mem::take(&mut self.has_savepoint), self.keeps) {
            (false, _) => Ok(()),
            (true, true) => run(connection, "RELEASE change"),
            (true, false) => {
                run(connection, "ROLLBACK TO change").and_then(|()| run(connection, "RELEASE change"))
            }
        };
        match ended {
            // After some errors SQLite rolls the whole transaction back. The others can try again.
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "changes that shared a transaction were undone");
                writer.end(self.queue, Err((ffi::Error::new(ffi::SQLITE_BUSY), None)));
                true
            }
            Ok(()) => {
                if !(writer.group.is_some() && self.pooled.hand_on())
                    && let Ok(writer) = self.pooled.get()
                {
                    self.queue.commit_group(writer);
                }
                false
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.finish();
    }
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}
