//! Every way a database file fails.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode, ffi};

/// Why a database could not be opened, read or written. Holds paths, never the values of rows.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum DatabaseError {
    #[error("the database is busy; try again, or stop what else writes to it")]
    Busy,
    /// An [`Interrupt`](super::Interrupt) ended the read.
    #[error("the read took too long, or its caller has gone; ask for less")]
    Interrupted,
    /// [`close`](super::Database::close) was called.
    #[error("the database is closed: the process is stopping")]
    Closed,
    #[error("{0} is a folder; name a file in it with `store.path`")]
    IsFolder(PathBuf),
    #[error("cannot open the database {0}; check `store.path`")]
    Open(PathBuf, #[source] rusqlite::Error),
    #[error("there is no file {0}; check its name, and `store.path` if it is the database's")]
    Missing(PathBuf),
    /// The file has no content. No interruption of ours leaves one like that.
    #[error("{0} is empty where a database should be; restore a backup, or remove it to begin with none")]
    Empty(PathBuf),
    /// The file ends before its last page, and the write-ahead log does not hold the rest.
    #[error("{path} was cut off: at least {missing} bytes are missing at its end; restore a backup")]
    Truncated { path: PathBuf, missing: u64 },
    /// The database is gone and its write-ahead log is not. SQLite would replay it into the next file of that name.
    #[error(
        "there is no {path}, but its write-ahead log {log} is there: put back the database it belongs to or restore a \
         backup; to begin with none, move the log away"
    )]
    OrphanedLog { path: PathBuf, log: PathBuf },
    #[error("the database {0} can only be read; check its owner and mode, and how its disk is mounted")]
    ReadOnly(PathBuf),
    #[error(
        "{0} is in use, so it can be neither replaced nor migrated; stop the server and other processes that have \
         it open, then try again"
    )]
    InUse(PathBuf),
    #[error("{0} is locked by another process that restores, migrates or imports; try again when it is done")]
    Locked(PathBuf),
    #[error("{0} exists already; give the backup another name")]
    Exists(PathBuf),
    #[error("cannot write {0}; check that its directory exists, can be written and has room")]
    Write(PathBuf, #[source] io::Error),
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] io::Error),
    #[error("there is no {}.sha256 to verify the backup by; find it, or restore with --unchecked", .0.display())]
    NoChecksum(PathBuf),
    #[error("{path} does not match {path}.sha256: it was damaged or changed; use another backup", path = .0.display())]
    ChecksumMismatch(PathBuf),
    #[error("the backup {path} is damaged: {fault}; use another backup")]
    UnsoundBackup { path: PathBuf, fault: String },
    /// A database with another `application_id`, or with tables and none.
    #[error("{0} is the database of another program; name another file")]
    OtherProgram(PathBuf),
    /// The first migration of the file that this binary has in another form, or not at all.
    #[error(
        "{path} has a schema that this binary does not know: its migration {version} is `{name}`; open it with the \
         build that wrote it, or move it away to begin with a new file"
    )]
    UnknownSchema { path: PathBuf, version: i32, name: String },
    /// A newer binary wrote the file. Going on would lose what the newer schema holds.
    #[error(
        "{path} has schema {found}, this binary knows up to {known}; start a newer vestibule or restore a backup"
    )]
    SchemaTooNew { path: PathBuf, found: i32, known: i32 },
    #[error(
        "{path} has schema {found}, this binary needs {known}; stop the server and run `vestibule migrate`"
    )]
    SchemaTooOld { path: PathBuf, found: i32, known: i32 },
    #[error("cannot migrate the database; it is as it was before")]
    Migration(#[source] Box<refinery::Error>),
    /// SQLite accepted a pragma or flag and did not keep it, so its guarantee does not hold.
    #[error("SQLite keeps {setting} = {found} where {wanted} was set; is the file on a network file system?")]
    Setting { setting: &'static str, wanted: String, found: String },
    /// The file, or a value in it, is not in the form we write. `at` is a column or the file.
    #[error("the database is damaged at {at}; run `vestibule check`, and restore a backup")]
    Damaged { at: &'static str, source: Option<Box<dyn StdError + Send + Sync>> },
    #[error("the disk is full, and what did not fit was undone; free some space and try again")]
    Full(#[source] rusqlite::Error),
    /// What was written may be lost at a power cut although later writes succeed, so none are made.
    #[error("the disk failed to store what was written, so nothing more is: check the disk, then restart")]
    SyncFailed(#[source] Box<dyn StdError + Send + Sync>),
    /// Any other error of SQLite, such as a failed read.
    #[error("the database failed")]
    Sqlite(#[source] rusqlite::Error),
}

impl DatabaseError {
    /// A named file that could not be opened: [`Missing`](Self::Missing) or [`Read`](Self::Read).
    pub fn unreadable(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing(path.to_owned()),
            _ => Self::Read(path.to_owned(), source),
        }
    }

    /// Makes a [`Write`](Self::Write) of an I/O error about `path`.
    pub(super) fn write(path: &Path) -> impl Fn(io::Error) -> Self + Copy {
        move |source| Self::Write(path.to_owned(), source)
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        let code = error.sqlite_error().map(|cause| cause.extended_code);
        if let Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) = code {
            return Self::SyncFailed(Box::new(error));
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::OperationInterrupted) => Self::Interrupted,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { at: "the file", source: Some(Box::new(error)) }
            }
            Some(ErrorCode::DiskFull) => Self::Full(error),
            _ => match error {
                // A column held what its table cannot hold.
                E::InvalidColumnType(..)
                | E::FromSqlConversionFailure(..)
                | E::IntegralValueOutOfRange(..) => {
                    Self::Damaged { at: "a stored value", source: Some(Box::new(error)) }
                }
                error => Self::Sqlite(error),
            },
        }
    }
}
