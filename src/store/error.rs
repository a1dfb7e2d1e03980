//! Every way the store fails.

use crate::sqlite::DatabaseError;
use crate::user::UserId;

pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why a call of the store failed. Holds ids and paths, never an email or a name.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum StoreError {
    #[error(
        "another user already has this email; link or merge the two by hand (with link.email = \"verified\" new \
         identities are linked by it)"
    )]
    EmailConflict,
    #[error(
        "user {0} has roles, so a verified email alone links no login to them; link it by hand: \
         vestibule users link {0} AUTH0_ID (or set link.privileged = true)"
    )]
    LinkByHand(UserId),
    #[error("there is no user {0}; list the users to find the right id")]
    NotFound(UserId),
    #[error("user {0} was erased, which cannot be undone; they need a new account")]
    Erased(UserId),
    #[error("this identity belongs to user {0} already; merge the two, or unlink it there first")]
    IdentityTaken(UserId),
    #[error("user {0} does not have this identity; list their identities to find the right one")]
    NotLinked(UserId),
    /// The arguments contradict each other, or would leave a row that no login finds.
    #[error("{0}")]
    Invalid(&'static str),
    /// The acting user was blocked, erased, signed out or given other roles since their token was issued.
    #[error("the caller's token was revoked meanwhile; log in again")]
    Revoked,
    #[error("this mutation id was used for another user; give each mutation an id of its own")]
    IdempotencyKeyReused,
    #[error("seed user {position} (counted from 1): {reason}; correct the file and seed again")]
    Seed { position: usize, reason: String },
    #[error("the system gives no random numbers, which the key of pseudonyms needs; try again")]
    NoRandomness,
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl StoreError {
    /// A value in `column` that the program did not write.
    pub(crate) fn damaged(
        column: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        DatabaseError::Damaged { at: column, source: Some(source.into()) }.into()
    }

    /// The error of a statement of which only the UNIQUE constraints of emails can fail.
    pub(crate) fn email_conflict(error: rusqlite::Error) -> Self {
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
