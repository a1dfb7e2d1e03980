//! Replacing the database by a backup.
//!
//! At each moment the database is the old one or the new one, complete; also after a kill or a power cut. The new one is
//! prepared under a temporary name and renamed into place. SQLite's backup API writes through the old file, which fails
//! for a damaged one, and costs a copy of it; here it keeps its content under a second name.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rusqlite::Connection;
use tempfile::TempPath;

use super::connect::{Connector, checkpoint};
use super::lock::Lock;
use super::paths::{give_to_owner_of, has_content, has_log, resolve, sync_directory_of, temporary_beside};
use super::{DatabaseError, DatabaseSchema, DatabaseSettings, check, checksum, migrate, set_aside};
use crate::clock::Clock;

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

/// Replaces the database by a copy of `backup`, migrated to `schema`. The bytes that are verified, by the checksum beside the
/// backup unless it is `unchecked`, are the bytes that are installed. The previous database stays as
/// `<database>.replaced-<moment>`. Returns its new path, or that of a write-ahead log whose database was gone.
///
/// `read` reads from the previous database what the new one must keep; an error is logged and means
/// [`Previous::Unreadable`]. `prepare` changes the new database before anyone can read it; it also receives the backup's
/// SHA-256 in hexadecimal.
///
/// # Errors
/// [`DatabaseError::InUse`] while any process has the database open, those about the backup, and those of `prepare`. The
/// previous database is in place then.
pub fn restore<K, T, E: From<DatabaseError> + StdError + 'static>(
    settings: &DatabaseSettings,
    schema: &'static DatabaseSchema,
    (backup, unchecked): (&Path, bool),
    clock: &Clock,
    read: impl FnOnce(&Connection) -> Result<K, E>,
    prepare: impl FnOnce(&mut Connection, Previous<K>, &str) -> Result<T, E>,
) -> Result<(Option<PathBuf>, T), E> {
    let connector = Connector::new(resolve(&settings.path)?, settings, schema);
    let path = &connector.path;
    let _lock = Lock::exclusive(path)?;
    let (copy, sha256) = verified_copy(backup, unchecked, &connector)?;
    let previous = match previous_database(&connector)? {
        Previous::Readable(connection) => read(&connection).map_or_else(unreadable, Previous::Readable),
        Previous::Absent => Previous::Absent,
        Previous::Unreadable => Previous::Unreadable,
    };

    let mut new = connector.to(&copy).writer()?;
    migrate::run(&mut new, schema, &copy)?;
    let value = prepare(&mut new, previous, &sha256)?;
    checkpoint(&new)?;
    drop(new);

    let failed = DatabaseError::write(path);
    fs::File::open(&copy).and_then(|copy| copy.sync_all()).map_err(failed)?;
    give_to_owner_of(&copy, path);
    let kept = set_aside::keep(path, clock).map_err(failed)?;
    copy.persist(path).map_err(|error| failed(error.error))?;
    sync_directory_of(path).map_err(failed)?;
    Ok((kept, value))
}

fn verified_copy(
    backup: &Path,
    unchecked: bool,
    database: &Connector,
) -> Result<(TempPath, String), DatabaseError> {
    let failed = DatabaseError::write(&database.path);
    let mut from = fs::File::open(backup).map_err(|source| DatabaseError::unreadable(backup, source))?;
    let expected = match unchecked {
        true => None,
        false => Some(
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

fn unreadable<T>(error: impl StdError + 'static) -> Previous<T> {
    let error: &(dyn StdError + 'static) = &error;
    tracing::warn!(error, "the previous database cannot be read; it is kept as it is");
    Previous::Unreadable
}
