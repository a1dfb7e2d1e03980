//! Putting a backup in the place of the database.
//!
//! At every moment the database is the old one or the new one, whole; a power cut included. What was erased since the
//! backup was made is erased again before anyone is served: a person who was forgotten does not come back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::check::{self, Checked};
use super::erasures::Erasures;
use super::lock::Lock;
use super::open::{self, Purpose};
use super::{Settings, Store, StoreError, Write, checksum, migrate, truncate_wal};
use crate::clock::Clock;

/// What the name of a database that was replaced goes on with.
const SET_ASIDE: &str = ".replaced-";

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where the database that was there is now; `None` when there was none.
    pub kept: Option<PathBuf>,
    /// How many people were erased again; `None` when the database that was there could not be read.
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
        let fresh = verified_copy(backup, vouched, &database)?;

        let old = Old::take_stock(&database, settings)?;
        let erased_again = make_ready(&fresh, &old, settings, clock)?;
        let failed = |source| StoreError::Output { path: database.clone(), source };
        sync(&fresh).map_err(failed)?;
        let kept = match old {
            Old::Nothing => None,
            Old::Readable(_) | Old::Damaged => Some(keep(&database, clock).map_err(failed)?),
        };
        fresh.persist(&database).map_err(|error| failed(error.error))?;
        checksum::sync_directory_of(&database).map_err(failed)?;
        Ok(Restored { kept, erased_again })
    }
}

impl Store {
    /// The databases that restores have put aside and that are still beside this one. They are as they were: whoever was
    /// erased since is in them.
    ///
    /// # Errors
    /// [`StoreError::Input`].
    pub fn set_aside(&self) -> Result<Vec<PathBuf>, StoreError> {
        let database = &self.shared.path;
        let mut prefix = database.file_name().unwrap_or_default().to_owned();
        prefix.push(SET_ASIDE);
        let failed = |source| StoreError::Input { path: database.clone(), source };
        let mut found = Vec::new();
        for entry in fs::read_dir(checksum::directory_of(database)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }
}

/// A copy in the database's own directory, so that it can be renamed into its place, of which every byte was verified:
/// what is checked is what is installed.
fn verified_copy(backup: &Path, vouched: Vouched, database: &Path) -> Result<TempPath, StoreError> {
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
    let (found, _) = checksum::copy(&mut from, &mut copy).map_err(failed)?;
    if expected.is_some_and(|expected| expected != found) {
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
        None => Ok(copy),
    }
}

/// The database that is there.
enum Old {
    Nothing,
    Readable(Erasures),
    /// Or of a schema whose tables are not those we know.
    Damaged,
}

impl Old {
    /// Moves the write-ahead log into the file, and reads who was erased.
    fn take_stock(database: &Path, settings: &Settings) -> Result<Self, StoreError> {
        match fs::metadata(database) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Nothing),
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

/// Brings the copy to the schema of this binary, and erases again. Tells how many; `None` when nobody knows whom.
fn make_ready(
    fresh: &Path,
    old: &Old,
    settings: &Settings,
    clock: &Clock,
) -> Result<Option<usize>, StoreError> {
    let mut connection = open::connect(fresh, Purpose::Write, settings.busy_timeout)?;
    migrate::run(&mut connection, fresh)?;
    let count = match old {
        Old::Nothing => Some(0),
        Old::Damaged => None,
        Old::Readable(erasures) => {
            let write = Write::begin(&mut connection, clock, None)?;
            let count = erasures.apply(&write)?;
            write.tx.commit()?;
            Some(count)
        }
    };
    truncate_wal(&connection)?;
    Ok(count)
}

/// Gives the database a second name, under which it stays when the first is given to another file.
fn keep(database: &Path, clock: &Clock) -> io::Result<PathBuf> {
    let now = clock.now().strftime("%Y%m%dT%H%M%SZ");
    let kept = open::beside(database, &format!("{SET_ASIDE}{now}"));
    if fs::hard_link(database, &kept).is_err() {
        // Some file systems have no links.
        fs::copy(database, &kept)?;
        sync(&kept)?;
    }
    // Only a damaged database has one still. Left here, SQLite would play it into the new file.
    let wal = open::beside(database, "-wal");
    if wal.exists() {
        fs::rename(&wal, open::beside(&kept, "-wal"))?;
    }
    match fs::remove_file(open::beside(database, "-shm")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    checksum::sync_directory_of(database)?;
    Ok(kept)
}

fn sync(file: &Path) -> io::Result<()> {
    fs::File::open(file)?.sync_all()
}
