//! Replacing the database by a backup.
//!
//! At each moment the database is the old one or the new one, complete; a kill and a power cut included. The new one is
//! prepared under a temporary name and renamed into place. SQLite's backup API would also be atomic, but it writes through
//! the old file: that fails for a damaged one, which is what most restores replace, and it costs a copy of the old file,
//! which here keeps its content under a second name.

use std::path::{Path, PathBuf};
use std::{fs, io};

use rusqlite::Connection;
use tempfile::TempPath;

use super::connect::{Connector, checkpoint};
use super::lock::Lock;
use super::paths::{has_content, has_log, resolve, sync_directory_of, temporary_beside};
use super::{
    DatabaseError, DatabaseSchema, DatabaseSettings, check, checksum, migrate, ownership, set_aside,
};
use crate::clock::Clock;

/// How a backup is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// By the checksum beside it.
    Checksum,
    /// Only by the file itself, which does not show a flipped bit in a name.
    FileOnly,
}

/// What a restore kept of the previous database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The previous database; `None` when there was none.
    pub kept: Option<PathBuf>,
    /// A write-ahead log whose database was gone.
    pub kept_log: Option<PathBuf>,
}

/// Data that was read from the previous database.
#[derive(Debug)]
pub enum Previous<T> {
    /// There was no database.
    Absent,
    /// It is damaged, or only its write-ahead log is left.
    Unreadable,
    /// The data.
    Read(T),
}

/// A restore in progress: [`begin`](Restore::begin), [`read_previous`](Restore::read_previous),
/// [`prepare`](Restore::prepare), [`install`](Restore::install). Dropped before it is installed, it changes nothing.
pub struct Restore {
    connector: Connector,
    /// In the database's own directory, so that it can be renamed into its place.
    copy: TempPath,
    sha256: String,
    backup: PathBuf,
    previous: PreviousFile,
    /// Released last.
    _lock: Lock,
}

enum PreviousFile {
    Absent,
    Unreadable,
    Readable(Connection),
}

impl Restore {
    /// Locks the database and verifies a copy of `backup`: the bytes that are verified are the bytes that are installed.
    ///
    /// # Errors
    /// [`DatabaseError::InUse`] while any process has the database open; [`DatabaseError::Missing`];
    /// [`DatabaseError::NoChecksum`]; [`DatabaseError::ChecksumMismatch`]; [`DatabaseError::UnsoundBackup`];
    /// [`DatabaseError::OtherProgram`]; [`DatabaseError::UnknownSchema`]; [`DatabaseError::SchemaTooNew`];
    /// [`DatabaseError::Busy`]; else as [`Database::open`](super::Database::open).
    pub fn begin(
        settings: &DatabaseSettings,
        schema: &'static DatabaseSchema,
        backup: &Path,
        verification: Verification,
    ) -> Result<Self, DatabaseError> {
        let path = resolve(&settings.path)?;
        let lock = Lock::exclusive(&path)?;
        let connector = Connector { path, schema, busy_timeout: settings.busy_timeout };
        let (copy, sha256) = verified_copy(backup, verification, &connector)?;
        let previous = PreviousFile::find(&connector)?;
        Ok(Self { connector, copy, sha256, backup: backup.to_owned(), previous, _lock: lock })
    }

    /// SHA-256 of the backup in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The error for a backup in which the owner of the tables found a fault.
    pub fn unsound(&self, fault: String) -> DatabaseError {
        DatabaseError::UnsoundBackup { path: self.backup.clone(), fault }
    }

    /// Reads data of the previous database that the new one must keep. An error is logged and means
    /// [`Previous::Unreadable`].
    pub fn read_previous<T, E: std::error::Error + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Previous<T> {
        let connection = match &self.previous {
            PreviousFile::Absent => return Previous::Absent,
            PreviousFile::Unreadable => return Previous::Unreadable,
            PreviousFile::Readable(connection) => connection,
        };
        match read(connection) {
            Ok(data) => Previous::Read(data),
            Err(error) => {
                warn_of_unreadable(&error);
                Previous::Unreadable
            }
        }
    }

    /// Migrates the new database, and changes it before anyone can read it.
    ///
    /// # Errors
    /// As [`Database::open`](super::Database::open), and those of `steps`.
    pub fn prepare<T, E: From<DatabaseError>>(
        &self,
        steps: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let copy = self.connector.to(&self.copy);
        let mut connection = copy.writer()?;
        migrate::run(&mut connection, copy.schema, &copy.path)?;
        let value = steps(&mut connection)?;
        checkpoint(&connection)?;
        Ok(value)
    }

    /// Puts the new database in place. The previous one stays as `<database>.replaced-<moment>`.
    ///
    /// # Errors
    /// [`DatabaseError::Write`]; the previous database is in place then.
    pub fn install(self, clock: &Clock) -> Result<Restored, DatabaseError> {
        let path = &self.connector.path;
        let failed = DatabaseError::write(path);
        fs::File::open(&self.copy).and_then(|copy| copy.sync_all()).map_err(failed)?;
        ownership::give(&self.copy, path);
        // Before the file is renamed: closing removes its log.
        drop(self.previous);
        let (kept, kept_log) = set_aside::keep(path, clock).map_err(failed)?;
        self.copy.persist(path).map_err(|error| failed(error.error))?;
        sync_directory_of(path).map_err(failed)?;
        Ok(Restored { kept, kept_log })
    }
}

fn verified_copy(
    backup: &Path,
    verification: Verification,
    database: &Connector,
) -> Result<(TempPath, String), DatabaseError> {
    let failed = DatabaseError::write(&database.path);
    let mut from = fs::File::open(backup).map_err(|source| DatabaseError::unreadable(backup, source))?;
    let expected = match verification {
        Verification::FileOnly => None,
        Verification::Checksum => Some(
            checksum::read(backup)
                .map_err(|source| DatabaseError::Read(checksum::path_of(backup), source))?
                .ok_or_else(|| DatabaseError::NoChecksum(backup.to_owned()))?,
        ),
    };
    let mut copy = temporary_beside(&database.path).map_err(failed)?;
    let (sha256, _) = checksum::copy(&mut from, &mut copy).map_err(failed)?;
    if expected.is_some_and(|expected| expected != sha256) {
        return Err(DatabaseError::ChecksumMismatch(backup.to_owned()));
    }
    // Closed before SQLite opens it.
    let copy = copy.into_temp_path();
    match fault(&database.to(&copy), backup)? {
        Some(fault) => Err(DatabaseError::UnsoundBackup { path: backup.to_owned(), fault }),
        None => Ok((copy, sha256)),
    }
}

/// The first fault of a copy of `backup`.
fn fault(copy: &Connector, backup: &Path) -> Result<Option<String>, DatabaseError> {
    let found = copy.reader().and_then(|connection| {
        let report = check::report(&connection, copy.schema)?;
        if report.integrity.is_empty() {
            migrate::known_version(&connection, copy.schema, backup)?;
        }
        Ok(report.first_fault())
    });
    match found {
        Err(DatabaseError::OtherProgram(_)) => Err(DatabaseError::OtherProgram(backup.to_owned())),
        Err(DatabaseError::Damaged { source, at }) => {
            Ok(Some(source.map_or_else(|| at.to_owned(), |source| source.to_string())))
        }
        outcome => outcome,
    }
}

impl PreviousFile {
    /// Moves the write-ahead log into the file, if it can be read.
    fn find(connector: &Connector) -> Result<Self, DatabaseError> {
        let path = &connector.path;
        match has_content(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(if has_log(path)? { Self::Unreadable } else { Self::Absent });
            }
            Err(source) => return Err(DatabaseError::Read(path.clone(), source)),
            // SQLite would take it for a new database and remove its write-ahead log, the last of its data.
            Ok(false) => return Ok(Self::Unreadable),
            Ok(true) => {}
        }
        let opened = connector.writer().and_then(|connection| match checkpoint(&connection)? {
            true => Ok(connection),
            false => Err(DatabaseError::Busy),
        });
        match opened {
            Ok(connection) => Ok(Self::Readable(connection)),
            // A sqlite3 shell, which does not know our lock, or a file that is not ours to replace.
            Err(error @ (DatabaseError::Busy | DatabaseError::OtherProgram(_))) => Err(error),
            Err(error) => {
                warn_of_unreadable(&error);
                Ok(Self::Unreadable)
            }
        }
    }
}

fn warn_of_unreadable(error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(error, "the previous database cannot be read; it is kept as it is");
}

impl std::fmt::Debug for Restore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Restore").field("database", &self.connector.path).finish_non_exhaustive()
    }
}
