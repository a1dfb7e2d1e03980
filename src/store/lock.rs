//! Who has the database open, across processes: an advisory lock on a file of its own, `<database>.lock`.
//!
//! On a file of its own, because closing any descriptor of the database drops the locks that SQLite holds on it
//! (sqlite.org/howtocorrupt.html §2.2). The system lets go of a lock when its process ends, however it ends; the file
//! stays and means nothing.

use std::fs::{self, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::open::beside;
use super::{StoreError, ownership};

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    file: fs::File,
}

impl Lock {
    /// For whoever reads and writes through SQLite, which keeps them out of each other's way itself.
    ///
    /// # Errors
    /// [`StoreError::BeingRestored`]; [`StoreError::File`].
    pub(super) fn shared(database: &Path) -> Result<Self, StoreError> {
        let (path, file) = open(database)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Self { path, file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::BeingRestored { path: database.to_owned() }),
            Err(TryLockError::Error(source)) => Err(StoreError::File { path, source }),
        }
    }

    /// For whoever puts another file in the place of the database, or brings its schema up.
    ///
    /// # Errors
    /// [`StoreError::InUse`]; [`StoreError::File`].
    pub(super) fn exclusive(database: &Path) -> Result<Self, StoreError> {
        let (path, file) = open(database)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: database.to_owned() }),
            Err(TryLockError::Error(source)) => Err(StoreError::File { path, source }),
        }
    }

    /// Keeps others out from now on, if nobody else has the database open. Tells whether it does.
    ///
    /// # Errors
    /// As [`Lock::shared`].
    pub(super) fn try_exclusive(&self) -> Result<bool, StoreError> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            // The attempt let go of the shared one (flock(2)).
            Err(TryLockError::WouldBlock) => self.share().map(|()| false),
            Err(TryLockError::Error(source)) => Err(StoreError::File { path: self.path.clone(), source }),
        }
    }

    /// Lets others in again.
    ///
    /// # Errors
    /// As [`Lock::shared`].
    pub(super) fn share(&self) -> Result<(), StoreError> {
        match self.file.try_lock_shared() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => {
                Err(StoreError::BeingRestored { path: self.path.with_extension("") })
            }
            Err(TryLockError::Error(source)) => Err(StoreError::File { path: self.path.clone(), source }),
        }
    }
}

fn open(database: &Path) -> Result<(PathBuf, fs::File), StoreError> {
    let path = beside(database, ".lock");
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let outcome = match options.clone().create_new(true).open(&path) {
        Ok(file) => {
            ownership::give(&path, database);
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(&path),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(file) => Ok((path, file)),
        Err(source) => Err(StoreError::File { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_may_read_and_write_and_one_may_replace() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("vestibule.db");
        let (one, other) = (Lock::shared(&database).unwrap(), Lock::shared(&database).unwrap());
        assert!(matches!(Lock::exclusive(&database), Err(StoreError::InUse { .. })));
        drop((one, other));
        let alone = Lock::exclusive(&database).unwrap();
        assert!(matches!(Lock::shared(&database), Err(StoreError::BeingRestored { .. })));
        assert!(matches!(Lock::exclusive(&database), Err(StoreError::InUse { .. })));
        drop(alone);
        let one = Lock::shared(&database).unwrap();
        assert!(one.try_exclusive().unwrap());
        assert!(matches!(Lock::shared(&database), Err(StoreError::BeingRestored { .. })));
        one.share().unwrap();
        let other = Lock::shared(&database).unwrap();
        assert!(!one.try_exclusive().unwrap());
        drop(one);
        assert!(other.try_exclusive().unwrap());
    }
}
