//! The database file, the files beside it, and who may read them.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::DatabaseError;

/// The path of the database: absolute, so that SQLite's special names (":memory:", "file:…") are files too, and with
/// links followed, as its companions are beside the file itself.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, DatabaseError> {
    // Before anything is put beside it.
    if path.is_dir() {
        return Err(DatabaseError::IsFolder(path.to_owned()));
    }
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::path::absolute(path),
        outcome => outcome,
    }
    .map_err(DatabaseError::write(path))
}

/// The path of a database that must exist.
pub(super) fn resolve_existing(path: &Path) -> Result<PathBuf, DatabaseError> {
    let path = resolve(path)?;
    match has_content(&path) {
        Ok(true) => Ok(path),
        // SQLite would take it for a new database.
        Ok(false) => Err(DatabaseError::Empty(path)),
        Err(source) => Err(DatabaseError::unreadable(&path, source)),
    }
}

/// Whether a file that exists has content. It is not opened: closing any descriptor of a file drops all POSIX locks of
/// this process on it, those of SQLite included (sqlite.org/howtocorrupt.html §2.2).
pub(super) fn has_content(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.len() > 0)
}

/// A companion of the database: its path with `suffix` appended.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(super) fn directory_of(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in the directory of `file` survive a power cut.
pub(super) fn sync_directory_of(file: &Path) -> io::Result<()> {
    fs::File::open(directory_of(file))?.sync_all()
}

/// A new file in the directory of `path`, of mode 0600, to be renamed to `path` when it is complete.
pub(super) fn temporary_beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(".vestibule-").tempfile_in(directory_of(path))
}

/// Refuses a write-ahead log whose database is gone: the last of its data, which SQLite would replay into a new file.
pub(super) fn refuse_orphaned_log(path: &Path) -> Result<(), DatabaseError> {
    // In this order: another process that creates the database creates the file before its log.
    let (log, exists) = (has_log(path)?, path.try_exists());
    if log && !exists.map_err(DatabaseError::write(path))? {
        return Err(DatabaseError::OrphanedLog { path: path.to_owned(), log: beside(path, "-wal") });
    }
    Ok(())
}

/// Whether the write-ahead log of a database has content.
pub(super) fn has_log(path: &Path) -> Result<bool, DatabaseError> {
    let log = beside(path, "-wal");
    match has_content(&log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        outcome => outcome.map_err(DatabaseError::write(&log)),
    }
}

/// Takes the permissions of others from the database and its log, such as those of a backup restored with `cp`. SQLite
/// gives a new log the mode of the database.
pub(super) fn restrict_to_owner(path: &Path) -> Result<(), DatabaseError> {
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        let mode = match fs::metadata(&file) {
            Ok(metadata) => metadata.permissions().mode(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(DatabaseError::Write(file, source)),
        };
        if mode & 0o077 != 0 {
            tracing::warn!(path = %file.display(), "others could read the database; now only its owner can");
            let restricted = fs::Permissions::from_mode(mode & 0o700);
            fs::set_permissions(&file, restricted).map_err(DatabaseError::write(&file))?;
        }
    }
    Ok(())
}

/// Gives a new file of root to the owner and group of `like`, or of its folder if `like` does not exist: the service's user
/// must be able to open what an operator made as root. A failure is logged and ends nothing.
pub(super) fn give_to_owner_of(file: &Path, like: &Path) {
    let outcome = fs::metadata(file).and_then(|created| {
        if created.uid() != 0 {
            return Ok(());
        }
        let model = fs::metadata(like).or_else(|_| fs::metadata(directory_of(like)))?;
        if (created.uid(), created.gid()) == (model.uid(), model.gid()) {
            return Ok(());
        }
        chown(file, Some(model.uid()), Some(model.gid()))
    });
    if let Err(error) = outcome {
        tracing::warn!(
            path = %file.display(),
            error = &error as &dyn std::error::Error,
            "a new file belongs to root; give it to the user that the server runs as"
        );
    }
}
