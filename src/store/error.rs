//! Every way the store fails.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::user::UserId;

/// Why the store did not do what it was asked. Holds ids and paths, never an email or a name.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another row holds the email, and nothing links the two by themselves: linking is off, staff took the identity from
    /// somebody, or nobody new came. The gate answers `EMAIL_CONFLICT`.
    #[error(
        "another user already has this email; link or merge the two by hand (with link.email = \"verified\" new \
         identities are linked by it)"
    )]
    EmailConflict,
    /// No row has this id.
    #[error("there is no user {0}; list the users to find the right id")]
    NotFound(UserId),
    /// What is left of the user is a tombstone, which never changes.
    #[error("user {0} was erased, which can not be undone; they need a new account")]
    Erased(UserId),
    /// The identity leads to a user already, and an identity leads to one.
    #[error("this identity belongs to user {0} already; merge the two, or unlink it there first")]
    IdentityTaken(UserId),
    /// The user does not have the identity.
    #[error("user {0} does not have this identity; list their identities to find the right one")]
    NotLinked(UserId),
    /// What was asked for contradicts itself, or would leave a row that nobody could use. The text says which.
    #[error("{0}")]
    Invalid(&'static str),
    /// Whoever the change was made on behalf of was blocked, erased, signed out or given other roles since their token
    /// was issued.
    #[error("the caller's token was revoked meanwhile; they log in again")]
    Revoked,
    /// The same mutation id came with another user before.
    #[error("this mutation id was used for another user; give each mutation an id of its own")]
    IdempotencyKeyReused,
    /// Another deployment to the tenant is under way; its id.
    #[error("deployment {0} to this tenant is under way; wait until it has ended")]
    DeploymentRunning(i64),
    /// Somebody else held the database longer than `store.busy_timeout`.
    #[error("the database is busy; try again, or stop what else writes to it")]
    Busy,
    /// An [`Interrupt`](super::Interrupt) ended the read.
    #[error("the read took longer than it may, or nobody waited for it any more; ask for less")]
    Interrupted,
    /// [`close`](super::Store::close) was called.
    #[error("the database is closed: the process is stopping")]
    Closed,
    /// A seed that could never be found, or that contradicts itself.
    #[error("seed user {position} (counted from 1): {reason}; correct the file and seed again")]
    Seed {
        /// Counted from 1.
        position: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file could not be made, or its mode not be set.
    #[error(
        "can not make {path} for its owner only; check `store.path`, and that its directory can be written"
    )]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder where the database should be.
    #[error("{path} is a folder; name a file in it with `store.path`")]
    Folder {
        /// Which folder.
        path: PathBuf,
    },
    /// SQLite could not open the file.
    #[error("can not open the database {path}; check `store.path`")]
    Open {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A command that needs a file which is not there.
    #[error("there is no file {path}; check its name, and `store.path` if it is the database's")]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// The file has no content. We never leave one so, whenever we are interrupted.
    #[error("{path} is empty where a database should be; restore a backup, or remove it to begin with none")]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// The file ends before its last page, and the write-ahead log can not make up for it.
    #[error("{path} was cut off: at least {missing} bytes are missing at its end; restore a backup")]
    CutOff {
        /// Which file.
        path: PathBuf,
        /// How many bytes.
        missing: u64,
    },
    /// The database is gone and its write-ahead log is not. SQLite would play it into whatever took the database's place.
    #[error(
        "there is no {path}, but its write-ahead log {log} is there: put back the database it belongs to or restore a \
         backup; to begin with none, move the log away"
    )]
    StrayLog {
        /// Which database.
        path: PathBuf,
        /// What was left of it.
        log: PathBuf,
    },
    /// The file, its file system or its owner forbids writing.
    #[error("the database {path} can only be read; check its owner and mode, and how its disk is mounted")]
    ReadOnly {
        /// Which file.
        path: PathBuf,
    },
    /// Processes have the database open, so no other file can be put in its place, and its schema stays what they know.
    #[error(
        "{path} is in use, so it can be neither replaced nor brought to a newer schema; stop the server and what else \
         works on it, then try again"
    )]
    InUse {
        /// Which database.
        path: PathBuf,
    },
    /// Another file is being put in the place of the database, its schema is being brought up, or many users are imported.
    #[error("{path} is being restored, migrated or filled by another process; try again when that is done")]
    BeingRestored {
        /// Which database.
        path: PathBuf,
    },
    /// A backup is never overwritten.
    #[error("{path} is there already; give the backup another name")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("can not write {path}; check that its directory exists, can be written and has room")]
    Output {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file could not be read.
    #[error("can not read {path}")]
    Input {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nothing vouches for a backup.
    #[error("there is no {}.sha256 to verify the backup by; find it, or restore with --unchecked", .path.display())]
    NoChecksum {
        /// Which backup.
        path: PathBuf,
    },
    /// A backup is not the file it was when it was made.
    #[error("{path} is not the file that {}.sha256 is of: it was damaged or changed; use another backup", .path.display())]
    Checksum {
        /// Which backup.
        path: PathBuf,
    },
    /// A backup's content is not that of a database of ours.
    #[error("the backup {path} is damaged: {fault}; use another backup")]
    Unsound {
        /// Which backup.
        path: PathBuf,
        /// What is wrong with it, first of all.
        fault: String,
    },
    /// A database, but not one of ours.
    #[error("{path} is the database of another program; name another file")]
    NotOurs {
        /// Which file.
        path: PathBuf,
    },
    /// Written by a newer binary. Going on would lose what the newer schema knows.
    #[error(
        "{path} has schema {found}, this binary knows up to {known}; start a newer vestibule or restore a backup"
    )]
    SchemaTooNew {
        /// Which file.
        path: PathBuf,
        /// The version in the file.
        found: i32,
        /// The newest version in the binary.
        known: i32,
    },
    /// Written by an older binary, and whoever only reads or changes users does not migrate.
    #[error(
        "{path} has schema {found}, this binary needs {known}; stop the server and run `vestibule migrate`"
    )]
    SchemaTooOld {
        /// Which file.
        path: PathBuf,
        /// The version in the file.
        found: i32,
        /// The version the binary needs.
        known: i32,
    },
    /// A migration failed, and its transaction was rolled back.
    #[error("can not migrate the database; it is as it was before")]
    Migration(#[source] Box<refinery::Error>),
    /// SQLite took a setting and did not keep it, so its promise does not hold.
    #[error("SQLite keeps {setting} = {found} where {wanted} was set; is the file on a network file system?")]
    Setting {
        /// The pragma or db-config flag.
        setting: &'static str,
        /// What was set.
        wanted: String,
        /// What was read back.
        found: String,
    },
    /// A stored value is not of the form we write.
    #[error("the database is damaged at {at}; run `vestibule check`, and restore a backup")]
    Damaged {
        /// Column or file.
        at: &'static str,
        /// What could not be read; absent when the value itself says it.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// No room for what was to be written. It was undone, and what was there before is whole.
    #[error("the disk is full, and what did not fit was undone; free some space and try again")]
    Full(#[source] rusqlite::Error),
    /// Anything else SQLite says: a failed read, say.
    #[error("the database failed")]
    Sqlite(#[source] rusqlite::Error),
}

impl StoreError {
    /// A file that was named and could not be opened.
    pub fn unreadable(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Input { path, source },
        }
    }

    /// A value in `column` that we can not have written.
    pub(super) fn damaged(
        column: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Damaged { at: column, source: Some(source.into()) }
    }

    /// For a statement whose only UNIQUE constraint that can fail is that of a verified or unclaimed email.
    pub(super) fn email_conflict(error: rusqlite::Error) -> Self {
        match error.sqlite_error() {
            Some(cause) if cause.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE => {
                Self::EmailConflict
            }
            _ => error.into(),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::OperationInterrupted) => Self::Interrupted,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { at: "the file", source: Some(Box::new(error)) }
            }
            Some(ErrorCode::DiskFull) => Self::Full(error),
            None if is_of_a_value(&error) => Self::damaged("a stored value", error),
            _ => Self::Sqlite(error),
        }
    }
}

/// Whether a column held what its table can not hold.
fn is_of_a_value(error: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    matches!(
        error,
        E::InvalidColumnType(..) | E::FromSqlConversionFailure(..) | E::IntegralValueOutOfRange(..)
    )
}
