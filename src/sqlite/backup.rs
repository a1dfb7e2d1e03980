//! A copy of the database as it is at one moment, made while others write to it.
//!
//! By `VACUUM INTO`: it reads one snapshot and blocks no writer; it reads every table and index, where SQLite's backup API
//! also copies damaged pages; and it leaves out what is no longer part of any row.

use std::fs;
use std::io;
use std::path::Path;

use super::check::refuse_truncated;
use super::connect::Connector;
use super::lock::Lock;
use super::paths::{resolve_existing, sync_directory_of, temporary_beside};
use super::{DatabaseError, DatabaseSchema, DatabaseSettings, checksum};

/// A backup that is safely on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its size.
    pub bytes: u64,
    /// SHA-256 in hexadecimal, as in `FILE.sha256`.
    pub sha256: String,
}

/// Copies the database into a new file of mode 0600, with its checksum beside it. The copy appears under its name when it
/// is complete and on the disk. Migrates nothing, so the newer binary can make it before an upgrade.
///
/// # Errors
/// [`DatabaseError::Exists`], because a backup is never overwritten.
pub fn backup(
    settings: &DatabaseSettings,
    schema: &'static DatabaseSchema,
    to: &Path,
) -> Result<Backup, DatabaseError> {
    let path = resolve_existing(&settings.path)?;
    let _lock = Lock::shared(&path)?;
    let failed = DatabaseError::write(to);
    if to.try_exists().map_err(failed)? {
        return Err(DatabaseError::Exists(to.to_owned()));
    }
    let connector = Connector::new(path, settings, schema);
    // To SQLite `VACUUM INTO` is a write, although not to this file.
    let connection = connector.writer()?;
    refuse_truncated(&connection, &connector)?;
    // SQLite accepts an empty file. Created here, so that its mode is 0600 from the first moment.
    let copy = temporary_beside(to).map_err(failed)?.into_temp_path();
    let name = copy.to_str().ok_or_else(|| {
        failed(io::Error::new(io::ErrorKind::InvalidInput, "SQLite accepts only paths in UTF-8"))
    })?;
    connection.execute("VACUUM INTO ?1", [name])?;
    // `VACUUM INTO` does not.
    fs::File::open(&copy).and_then(|file| file.sync_all()).map_err(failed)?;
    let (sha256, bytes) = checksum::of(&copy).map_err(failed)?;
    copy.persist_noclobber(to).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => DatabaseError::Exists(to.to_owned()),
        _ => failed(error.error),
    })?;
    // A crash before this leaves a copy that `restore` refuses for want of a checksum.
    checksum::write(to, &sha256).and_then(|()| sync_directory_of(to)).map_err(failed)?;
    Ok(Backup { bytes, sha256 })
}
