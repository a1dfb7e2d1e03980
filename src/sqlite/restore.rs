//! Replacing the database by a backup.
//!
//! At each moment the database is the old one or the new one, complete; also after a kill or a power cut. The new one is
//! prepared under a temporary name and renamed into place. SQLite's backup API writes through the old file, which fails
//! for a damaged one, and costs a copy of it; here it keeps its content under a second name.

use std::path::{Path, PathBuf};
use std::{fs, io};

use rusqlite::Connection;
use tempfile::TempPath;

use super::connect::{Connector, checkpoint};
use super::lock::Lock;
use super::paths::{give_to_owner_of, has_content, has_log, resolve, sync_directory_of, temporary_beside};
use super::{DatabaseError, DatabaseSchema, DatabaseSettings, check, checksum, migrate, set_aside};
use crate::clock::Clock;

/// How a backup is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// By the checksum beside it.
    Checksum,
    /// Only by the file itself, which does not show a flipped bit in a name.
    FileOnly,
}

/// The previous database, or data that was read from it.
#[derive(Debug)]
pub enum Previous<T> {
    /// There was no database.
    Absent,
    /// It is damaged, or only its write-ahead log is left.
    Unreadable,
    /// It can be read.
    Readable(T),
}

/// A restore in progress: [`begin`](Restore::begin), [`read_previous`](Restore::read_previous),
/// [`prepare`](Restore::prepare), [`install`](Restore::install). Dropped before it is installed, it changes nothing.
#[derive(Debug)]
pub struct Restore {
    connector: Connector,
    /// In the database's own directory, so that it can be renamed into its place.
    copy: TempPath,
    /// SHA-256 of the backup in hexadecimal.
    pub sha256: String,
    previous: Previous<Connection>,
    /// Released last.
    _lock: Lock,
}

impl Restore {
    /// Locks the database and verifies a copy of `backup`: the bytes that are verified are the bytes that are installed.
    ///
    /// # Errors
    /// [`DatabaseError::InUse`] while any process has the database open, and those about the backup.
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
        let previous = previous_database(&connector)?;
        Ok(Self { connector, copy, sha256, previous, _lock: lock })
    }

    /// Reads data of the previous database that the new one must keep. An error is logged and means
    /// [`Previous::Unreadable`].
    pub fn read_previous<T, E: std::error::Error + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Previous<T> {
        match &self.previous {
            Previous::Absent => Previous::Absent,
            Previous::Unreadable => Previous::Unreadable,
            Previous::Readable(connection) => read(connection).map_or_else(unreadable, Previous::Readable),
        }
    }

    /// Migrates the new database, and changes it before anyone can read it.
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

    /// Puts the new database in place. The previous one stays as `<database>.replaced-<moment>`. Returns its new path, or that
    /// of a write-ahead log whose database was gone.
    ///
    /// # Errors
    /// [`DatabaseError::Write`]; the previous database is in place then.
    pub fn install(self, clock: &Clock) -> Result<(Option<PathBuf>, Option<PathBuf>), DatabaseError> {
        let path = &self.connector.path;
        let failed = DatabaseError::write(path);
        fs::File::open(&self.copy).and_then(|copy| copy.sync_all()).map_err(failed)?;
        give_to_owner_of(&self.copy, path);
        // Before the file is renamed: closing removes its log.
        drop(self.previous);
        let kept = set_aside::keep(path, clock).map_err(failed)?;
        self.copy.persist(path).map_err(|error| failed(error.error))?;
        sync_directory_of(path).map_err(failed)?;
        Ok(kept)
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

/// Opens the database that is to be replaced, and moves its write-ahead log into the file.
fn previous_database(connector: &Connector) -> Result<Previous<Connection>, DatabaseError> {
    let path = &connector.path;
    match has_content(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(if has_log(path)? { Previous::Unreadable } else { Previous::Absent });
        }
        Err(source) => return Err(DatabaseError::Read(path.clone(), source)),
        // SQLite would take it for a new database and remove its write-ahead log, the last of its data.
        Ok(false) => return Ok(Previous::Unreadable),
        Ok(true) => {}
    }
    let opened = connector.writer().and_then(|connection| match checkpoint(&connection)? {
        true => Ok(connection),
        false => Err(DatabaseError::Busy),
    });
    match opened {
        // A sqlite3 shell, which does not know our lock, or a file that is not ours to replace.
        Err(error @ (DatabaseError::Busy | DatabaseError::OtherProgram(_))) => Err(error),
        opened => Ok(opened.map_or_else(unreadable, Previous::Readable)),
    }
}

fn unreadable<T>(error: impl std::error::Error + 'static) -> Previous<T> {
    let error: &(dyn std::error::Error + 'static) = &error;
    tracing::warn!(error, "the previous database cannot be read; it is kept as it is");
    Previous::Unreadable
}
