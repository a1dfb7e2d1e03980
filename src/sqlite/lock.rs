//! The lock between processes that use one database: an advisory lock on a file of its own, `<database>.lock`.
//!
//! A file of its own, because closing any descriptor of the database drops the locks that SQLite holds on it
//! (sqlite.org/howtocorrupt.html §2.2). The system releases the lock when the process ends, however it ends; the file
//! stays and its content means nothing.
//!
//! The lock is one of `flock(2)`, which belongs to the open file: a child process shares it until it execs, so closing our
//! descriptor could release it late. [`Lock`] unlocks explicitly, for all copies. POSIX record locks are not inherited, but
//! two handles of one process would not exclude each other.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::DatabaseError;
use super::paths::{beside, give_to_owner_of};

/// Tries for a shared lock, as a holder of the exclusive lock may only be finding out whether it is alone.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    database: PathBuf,
    path: PathBuf,
    file: File,
}

impl Lock {
    /// For processes that read and write through SQLite, which coordinates them itself.
    pub(super) fn shared(database: &Path) -> Result<Self, DatabaseError> {
        let lock = Self::unlocked(database)?;
        lock.share()?;
        Ok(lock)
    }

    /// For a process that replaces the database or migrates it.
    pub(super) fn exclusive(database: &Path) -> Result<Self, DatabaseError> {
        let lock = Self::unlocked(database)?;
        match lock.file.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(DatabaseError::InUse(lock.database.clone())),
            Err(TryLockError::Error(source)) => Err(lock.failed(source)),
        }
    }

    /// Keeps other processes out from now on, if none has the database open. Returns whether that is so.
    pub(super) fn try_exclusive(&self) -> Result<bool, DatabaseError> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            // The attempt released the shared lock (flock(2)).
            Err(TryLockError::WouldBlock) => self.share().map(|()| false),
            Err(TryLockError::Error(source)) => Err(self.failed(source)),
        }
    }

    /// Lets other processes in.
    pub(super) fn share(&self) -> Result<(), DatabaseError> {
        for _ in 0..TRIES {
            match self.file.try_lock_shared() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => pause(),
                Err(TryLockError::Error(source)) => return Err(self.failed(source)),
            }
        }
        Err(DatabaseError::Locked(self.database.clone()))
    }

    fn unlocked(database: &Path) -> Result<Self, DatabaseError> {
        let path = beside(database, ".lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(DatabaseError::write(&path))?;
        give_to_owner_of(&path, database);
        Ok(Self { database: database.to_owned(), path, file })
    }

    fn failed(&self, source: io::Error) -> DatabaseError {
        DatabaseError::Write(self.path.clone(), source)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(path = %self.path.display(), %error, "the lock is released when the process ends");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "opening blocks")]
fn pause() {
    std::thread::sleep(PAUSE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_processes_share_a_database_and_one_has_it_for_itself() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("vestibule.db");
        let (one, other) = (Lock::shared(&database).unwrap(), Lock::shared(&database).unwrap());
        assert!(matches!(Lock::exclusive(&database), Err(DatabaseError::InUse(_))));
        assert!(!one.try_exclusive().unwrap());
        drop(one);
        assert!(other.try_exclusive().unwrap());
        assert!(matches!(Lock::shared(&database), Err(DatabaseError::Locked(_))));
        other.share().unwrap();
        drop((other, Lock::shared(&database).unwrap()));
        let alone = Lock::exclusive(&database).unwrap();
        assert!(matches!(Lock::shared(&database), Err(DatabaseError::Locked(_))));
        drop(alone);
        Lock::shared(&database).unwrap();
    }

    #[test]
    fn a_dropped_lock_is_free_although_a_child_process_inherited_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("vestibule.db");
        let lock = Lock::exclusive(&database).unwrap();
        // As a child that has not called exec yet.
        let inherited = lock.file.try_clone().unwrap();
        drop(lock);
        Lock::exclusive(&database).unwrap();
        drop(inherited);
    }
}
