//! Copies of a database from before it was migrated, as `<database>.schema-<version>`: no migration can be undone.

use std::path::Path;
use std::{fs, io};

use super::backup::copy_beside;
use super::connect::Connector;
use super::paths::{all_beside, beside, sync_directory_of};
use super::{DatabaseError, checksum, ownership};

const KEPT: &str = ".schema-";

/// Keeps a copy of the file, which has schema `version`. Replaces an earlier one, left by a migration that failed.
pub(super) fn keep(connector: &Connector, version: i32) -> Result<(), DatabaseError> {
    let database = &connector.path;
    let kept = beside(database, &format!("{KEPT}{version}"));
    let failed = DatabaseError::write(&kept);
    let copy = copy_beside(&connector.writer()?, &kept)?;
    let (sha256, _) = checksum::of(&copy).map_err(failed)?;
    ownership::give(&copy, database);
    copy.persist(&kept).map_err(|error| failed(error.error))?;
    checksum::write(&kept, &sha256).and_then(|()| sync_directory_of(&kept)).map_err(failed)?;
    tracing::info!(path = %kept.display(), "kept a copy of the database before migrating it");
    Ok(())
}

/// Removes all kept copies of `database`, also those of newer binaries.
pub(super) fn remove(database: &Path) -> io::Result<()> {
    let prefix = beside(database, KEPT);
    for file in all_beside(database, KEPT)? {
        let version = file.as_os_str().as_encoded_bytes().get(prefix.as_os_str().len()..);
        if !version.and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit) {
            continue;
        }
        match fs::remove_file(&file) {
            Ok(()) => tracing::info!(path = %file.display(), "removed a copy from before a migration"),
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
