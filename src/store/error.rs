//! Every way the store fails.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::user::UserId;

/// Why the store did not do what it was asked. Holds ids and paths, never an email or a name.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A verified row with another identity holds the email, and linking is off. The gate answers `EMAIL_CONFLICT`.
    #[error(
        "another user already has this verified email; link the two by hand, or set link.email = \"verified\""
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
    /// Somebody else held the database longer than `store.busy_timeout`.
    #[error("the database is busy; try again, or stop what else writes to it")]
    Busy,
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
    #[error("can not make {path} readable by its owner only; check `store.path` and who owns the directory")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// SQLite could not open the file.
    #[error("can not open the database {path}; check `store.path`")]
    Open {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A database, but not one of ours.
    #[error("{path} is the database of another program; point `store.path` elsewhere")]
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
    #[error("the database is damaged at {at}; run `PRAGMA integrity_check` and restore a backup")]
    Damaged {
        /// Column or file.
        at: &'static str,
        /// What could not be read; absent when the value itself says it.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Anything else SQLite says: a full disk, a failed read.
    #[error("the database failed")]
    Sqlite(#[source] rusqlite::Error),
}

impl StoreError {
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
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { at: "the file", source: Some(Box::new(error)) }
            }
            _ => Self::Sqlite(error),
        }
    }
}
