//! Putting a backup in the place of the database.
//!
//! At every moment the database is the old one or the new one, whole; a power cut included. What was erased since the
//! backup was made is erased again before anyone is served: a person who was forgotten does not come back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempPath;

use super::audit::{Action, Actor, Changes};
use super::check::{self, Checked};
use super::erasures::Erasures;
use super::lock::Lock;
use super::open::{self, Purpose};
use super::{Settings, Store, StoreError, Write, aside, checksum, migrate, ownership, truncate_wal};
use crate::clock::Clock;
use crate::user::UserId;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where the database that was there is now; `None` when there was none.
    pub kept: Option<PathBuf>,
    /// Where a write-ahead log is now whose database was gone.
    pub kept_log: Option<PathBuf>,
    /// How many people were erased again; `None` when the database that was there could not be read, or was gone.
    pub erased_again: Option<usize>,
}

/// What vouches for a backup being what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouched {
    /// The checksum beside it.
    ByChecksum,
    /// Only what can be told from the file itself; a flipped bit in a name can not.
    ByNothing,
}

impl Store {
    /// Verifies a backup and makes it the database, migrated to what this binary knows. The database that was there is
    /// kept beside it as `<database>.replaced-<moment>`.
    ///
    /// # Errors
    /// Before anything is changed: [`StoreError::InUse`] while any process has the database open;
    /// [`StoreError::Missing`]; [`StoreError::NoChecksum`]; [`StoreError::Checksum`]; [`StoreError::Unsound`];
    /// [`StoreError::NotOurs`]; [`StoreError::SchemaTooNew`]; else as [`Store::open`].
    pub fn restore(
        settings: &Settings,
        backup: &Path,
        vouched: Vouched,
        clock: &Clock,
    ) -> Result<Restored, StoreError> {
        let database = open::resolve(&settings.path)?;
        let _alone = Lock::exclusive(&database)?;
        let (fresh, sha256) = verified_copy(backup, vouched, &database)?;

        let old = Old::take_stock(&database, settings)?;
        let erased_again = make_ready(&fresh, &sha256, &old, settings, clock)?;
        let failed = |source| StoreError::Output { path: database.clone(), source };
        sync(&fresh).map_err(failed)?;
        ownership::give(&fresh, &database);
        let (kept, kept_log) = match old {
            Old::Nothing | Old::Lost => (None, aside::keep_log(&database, clock).map_err(failed)?),
            Old::Readable(_) | Old::Damaged => (Some(aside::keep(&database, clock).map_err(failed)?), None),
        };
        fresh.persist(&database).map_err(|error| failed(error.error))?;
        checksum::sync_directory_of(&database).map_err(failed)?;
        Ok(Restored { kept, kept_log, erased_again })
    }
}

/// A copy in the database's own directory, so that it can be renamed into its place, of which every byte was verified:
/// what is checked is what is installed. With its SHA-256.
fn verified_copy(backup: &Path, vouched: Vouched, database: &Path) -> Result<(TempPath, String), StoreError> {
    let failed = |source| StoreError::Output { path: database.to_owned(), source };
    let mut from = fs::File::open(backup).map_err(|source| StoreError::unreadable(backup, source))?;
    let expected = match vouched {
        Vouched::ByNothing => None,
        Vouched::ByChecksum => Some(
            checksum::read(backup)
                .map_err(|source| StoreError::Input { path: checksum::path_of(backup), source })?
                .ok_or_else(|| StoreError::NoChecksum { path: backup.to_owned() })?,
        ),
    };
    let mut copy = tempfile::Builder::new()
        .prefix(".vestibule-")
        .tempfile_in(checksum::directory_of(database))
        .map_err(failed)?;
    let (sha256, _) = checksum::copy(&mut from, &mut copy).map_err(failed)?;
    if expected.is_some_and(|expected| expected != sha256) {
        return Err(StoreError::Checksum { path: backup.to_owned() });
    }
    // Closed before SQLite opens it.
    let copy = copy.into_temp_path();
    let fault = match check::file(&copy) {
        Ok(Checked { schema, known, .. }) if schema > known => {
            return Err(StoreError::SchemaTooNew { path: backup.to_owned(), found: schema, known });
        }
        Ok(checked) => checked.first_fault(),
        Err(StoreError::NotOurs { .. }) => return Err(StoreError::NotOurs { path: backup.to_owned() }),
        Err(StoreError::Damaged { source, at }) => {
            Some(source.map_or_else(|| at.to_owned(), |source| source.to_string()))
        }
        Err(error) => return Err(error),
    };
    match fault {
        Some(fault) => Err(StoreError::Unsound { path: backup.to_owned(), fault }),
        None => Ok((copy, sha256)),
    }
}

/// The database that is there.
enum Old {
    Nothing,
    /// Only its write-ahead log is left.
    Lost,
    Readable(Erasures),
    /// Or of a schema whose tables are not those we know.
    Damaged,
}

impl Old {
    /// Moves the write-ahead log into the file, and reads who was erased.
    fn take_stock(database: &Path, settings: &Settings) -> Result<Self, StoreError> {
        match fs::metadata(database) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(if open::has_log(database)? { Self::Lost } else { Self::Nothing });
            }
            Err(source) => return Err(StoreError::Input { path: database.to_owned(), source }),
            // SQLite would take it for a new one and remove its write-ahead log, the last that is left.
            Ok(metadata) if metadata.len() == 0 => return Ok(Self::Damaged),
            Ok(_) => {}
        }
        let stock = open::connect(database, Purpose::Write, settings.busy_timeout).and_then(|connection| {
            if truncate_wal(&connection)? { Erasures::read(&connection) } else { Err(StoreError::Busy) }
        });
        match stock {
            Ok(erasures) => Ok(Self::Readable(erasures)),
            // Somebody's sqlite3 shell, or a binary from before there was a lock.
            Err(error @ (StoreError::Busy | StoreError::NotOurs { .. })) => Err(error),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "the database that is there can not be read; it is kept as it is");
                Ok(Self::Damaged)
            }
        }
    }
}

/// Brings the copy to the schema of this binary, notes in its trail what was restored, and erases again. Tells how many;
/// `None` when nobody knows whom.
fn make_ready(
    fresh: &Path,
    sha256: &str,
    old: &Old,
    settings: &Settings,
    clock: &Clock,
) -> Result<Option<usize>, StoreError> {
    let mut connection = open::connect(fresh, Purpose::Write, settings.busy_timeout)?;
    migrate::run(&mut connection, fresh)?;
    let write = Write::begin(&mut connection, clock, None, settings.block_at_auth0)?;
    let count = write.settle(sha256, old)?;
    truncate_wal(&connection)?;
    Ok(count)
}

impl Write<'_> {
    fn settle(self, sha256: &str, old: &Old) -> Result<Option<usize>, StoreError> {
        let changes = Changes::default().field("backup", Value::Null, sha256);
        self.audit(&Actor::Cli, Action::Restored, None::<UserId>, changes)?;
        let count = match old {
            Old::Nothing => Some(0),
            Old::Lost | Old::Damaged => None,
            Old::Readable(erasures) => Some(erasures.apply(&self)?),
        };
        self.tx.commit()?;
        Ok(count)
    }
}

fn sync(file: &Path) -> io::Result<()> {
    fs::File::open(file)?.sync_all()
}
