//! Every way the store fails.

use crate::sqlite::DatabaseError;
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
    /// A seed that could never be found, or that contradicts itself.
    #[error("seed user {position} (counted from 1): {reason}; correct the file and seed again")]
    Seed {
        /// Counted from 1.
        position: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file or the engine failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl StoreError {
    /// A value in `column` that we can not have written.
    pub(super) fn damaged(
        column: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        DatabaseError::Damaged { at: column, source: Some(source.into()) }.into()
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
        Self::Database(error.into())
    }
}
