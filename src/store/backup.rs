//! A copy of the database as it is at one moment, made while others write to it.
//!
//! By `VACUUM INTO`: it reads one snapshot and holds no writer up; it goes through every table and index, where
//! SQLite's backup API copies pages unseen, damaged ones too; and it leaves out what is no longer part of any row.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::lock::Lock;
use super::open::{self, Purpose};
use super::{Settings, Store, StoreError, check, checksum, migrate, ownership};

/// What the name of a copy from before a migration goes on with; then comes the version.
const KEPT: &str = ".schema-";

/// A copy that is safely on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// Its size.
    pub bytes: u64,
    /// SHA-256 in hexadecimal; it also stands in `FILE.sha256`.
    pub sha256: String,
}

impl Store {
    /// Copies the database into a new file of mode 0600, with its checksum beside it. The copy appears under its name
    /// when it is whole and on the disk. Migrates nothing, so it can be made before an upgrade by the newer binary.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; [`StoreError::Exists`], because a backup is never overwritten; [`StoreError::Output`];
    /// [`StoreError::Full`]; [`StoreError::Damaged`], [`StoreError::CutOff`]; else as [`Store::open`].
    pub fn backup(settings: &Settings, to: &Path) -> Result<BackedUp, StoreError> {
        let database = open::existing_file(settings)?;
        let _lock = Lock::shared(&database)?;
        let failed = |source| StoreError::Output { path: to.to_owned(), source };
        if to.try_exists().map_err(failed)? {
            return Err(StoreError::Exists { path: to.to_owned() });
        }
        // To SQLite `VACUUM INTO` is a write, although not to this file.
        let connection = open::connect(&database, Purpose::Write, settings.busy_timeout)?;
        check::length(&connection, &database)?;
        let copy = copy_beside(&connection, to)?;
        let (sha256, bytes) = sum(&copy).map_err(failed)?;
        copy.persist_noclobber(to).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Exists { path: to.to_owned() },
            _ => failed(error.error),
        })?;
        // A crash between the two leaves a copy that `restore` refuses for want of a checksum.
        checksum::write(to, &sha256).and_then(|()| checksum::sync_directory_of(to)).map_err(failed)?;
        Ok(BackedUp { bytes, sha256 })
    }
}

/// Keeps the file of an older schema beside it, as `<database>.schema-<version>`, before it is migrated: there is no
/// way back through a migration. An earlier copy of that name, of a migration that failed, is replaced.
pub(super) fn keep_before_migrating(
    database: &Path,
    from: i32,
    busy_timeout: Duration,
) -> Result<(), StoreError> {
    let kept = open::beside(database, &format!("{KEPT}{from}"));
    let failed = |source| StoreError::Output { path: kept.clone(), source };
    let connection = open::connect(database, Purpose::Write, busy_timeout)?;
    let copy = copy_beside(&connection, &kept)?;
    // Another process may have migrated before this snapshot was taken; then the copy is its to keep.
    if migrate::version(&Connection::open(&copy)?)? != from {
        return Ok(());
    }
    let (sha256, _) = sum(&copy).map_err(failed)?;
    ownership::give(&copy, database);
    copy.persist(&kept).map_err(|error| failed(error.error))?;
    checksum::write(&kept, &sha256).and_then(|()| checksum::sync_directory_of(&kept)).map_err(failed)?;
    tracing::info!(path = %kept.display(), "kept a copy of the database before migrating it");
    Ok(())
}

/// Lets go of what [`keep_before_migrating`] kept: somebody was erased, and the copies still tell of them.
pub(super) fn drop_kept(database: &Path) -> io::Result<()> {
    let mut prefix = database.file_name().unwrap_or_default().to_owned();
    prefix.push(KEPT);
    // All there are, also what a newer binary kept before somebody went back to this one.
    for entry in fs::read_dir(checksum::directory_of(database))? {
        let entry = entry?;
        let name = entry.file_name();
        let version = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        if !version.and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit) {
            continue;
        }
        let file = entry.path();
        match fs::remove_file(&file) {
            Ok(()) => {
                tracing::info!(path = %file.display(), "let go of an old copy: it held somebody erased")
            }
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A copy under a name of its own in the directory of `to`, removed unless it is persisted.
fn copy_beside(connection: &Connection, to: &Path) -> Result<tempfile::TempPath, StoreError> {
    let failed = |source| StoreError::Output { path: to.to_owned(), source };
    // Made here and left empty, which SQLite accepts: with mode 0600 from its first moment.
    let copy = tempfile::Builder::new()
        .prefix(".vestibule-")
        .tempfile_in(checksum::directory_of(to))
        .map_err(failed)?
        .into_temp_path();
    let name = utf8(&copy)?;
    connection.execute("VACUUM INTO ?1", [name])?;
    // `VACUUM INTO` does not.
    fs::File::open(&copy).and_then(|file| file.sync_all()).map_err(failed)?;
    Ok(copy)
}

fn sum(file: &Path) -> io::Result<(String, u64)> {
    checksum::copy(&mut fs::File::open(file)?, &mut io::sink())
}

fn utf8(path: &Path) -> Result<&str, StoreError> {
    path.to_str().ok_or_else(|| {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "SQLite takes only paths in UTF-8");
        StoreError::Output { path: PathBuf::from(path), source }
    })
}
