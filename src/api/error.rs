//! The error of a field.

use std::time::Duration;

use juniper::{FieldError, IntoFieldError, Object, ScalarValue, Value};

use crate::auth::Refusal;
use crate::pool::PoolError;
use crate::sqlite::{DatabaseError, rusqlite};
use crate::store::StoreError;

/// Why a resolver fails. Clients get a message and `extensions.code`; causes go to the log.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum ApiError {
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// An argument is out of bounds. The text says which argument, and its bounds.
    #[error("{0}")]
    BadInput(&'static str),
    /// An argument names something that doesn't exist. The text says what.
    #[error("{0}")]
    NotFound(&'static str),
    /// A person made too many changes. After this time the next one is allowed.
    #[error("You made too many changes; try again in {} s.", seconds(.0))]
    RateLimited(Duration),
    #[error("Some changes were missed; query the current data.")]
    Missed,
    #[error("{}", code_and_message(.0).1)]
    Store(#[from] StoreError),
    /// A resolver asked for a [state](super::Context::state) of a type that wasn't opened.
    #[error("{FAILED}")]
    NoState(&'static str),
    #[error("{}", if *.0 == PoolError::Panicked { FAILED } else { BUSY })]
    Pool(#[from] PoolError),
}

/// The result of a field that is null when it fails, so that its error doesn't make other fields null.
pub(super) type NullOnError<T> = Result<Option<T>, ApiError>;

const BUSY: &str = "The server is busy; try again soon.";
const FAILED: &str = "The server failed; its log has the details.";

/// The code and the message for an error of the store. Clients learn what they can fix, and nothing else.
fn code_and_message(error: &StoreError) -> (&'static str, &'static str) {
    match error {
        StoreError::NotFound(_) => ("NOT_FOUND", "There is no such user."),
        StoreError::NotLinked(_) => ("NOT_FOUND", "The user has no such identity."),
        StoreError::Erased(_) => ("ERASED", "The user was erased, which can't be undone."),
        StoreError::EmailConflict => ("EMAIL_CONFLICT", "Another user has this email."),
        StoreError::LinkByHand(_) => {
            ("EMAIL_CONFLICT", "The user with this email has roles; link them by hand.")
        }
        StoreError::IdentityTaken(_) => {
            ("IDENTITY_TAKEN", "The identity belongs to another user; merge the two users instead.")
        }
        StoreError::Invalid(message) => ("BAD_INPUT", message),
        StoreError::IdempotencyKeyReused => (
            "BAD_INPUT",
            "This clientMutationId was used with another input; use a new idempotency key for each mutation.",
        ),
        StoreError::Revoked => ("TOKEN_REVOKED", "The token was revoked; log in again."),
        StoreError::Database(DatabaseError::Interrupted) => {
            ("OUT_OF_TIME", "The read took too long (limits.time); ask for less.")
        }
        StoreError::Database(DatabaseError::Busy | DatabaseError::Closed) => ("BUSY", BUSY),
        StoreError::Database(DatabaseError::SyncFailed(_)) => {
            ("INTERNAL", "The server's disk failed: it can't save changes any more.")
        }
        _ => ("INTERNAL", FAILED),
    }
}

impl From<DatabaseError> for ApiError {
    fn from(error: DatabaseError) -> Self {
        Self::Store(error.into())
    }
}

impl From<rusqlite::Error> for ApiError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl ApiError {
    pub(super) const NO_SUCH_USER: Self = Self::NotFound("There is no such user.");

    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::BadInput(_) => "BAD_INPUT",
            Self::NotFound(_) => "NOT_FOUND",
            Self::Missed => "MISSED",
            Self::RateLimited(_) => "RATE_LIMITED",
            Self::Store(error) => code_and_message(error).0,
            Self::NoState(_) | Self::Pool(PoolError::Panicked) => "INTERNAL",
            Self::Pool(PoolError::Full | PoolError::Stopped) => "BUSY",
        }
    }
}

impl<S: ScalarValue> IntoFieldError<S> for ApiError {
    fn into_field_error(self) -> FieldError<S> {
        let code = self.code();
        match &self {
            Self::Store(error) if code == "INTERNAL" => {
                tracing::error!(error = error as &dyn std::error::Error, "the store failed in a resolver");
            }
            Self::NoState(wanted) => tracing::error!(wanted, "a resolver needs a state that was not opened"),
            _ => {}
        }
        let mut extensions = Object::with_capacity(2);
        extensions.add_field("code", Value::scalar(code.to_owned()));
        // `Retry-After` belongs to a whole response, so a field's error has an extension instead.
        let retry_after = match &self {
            Self::Refused(refusal) => refusal.retry_seconds(),
            Self::RateLimited(wait) => Some(seconds(wait)),
            _ => None,
        };
        if let Some(seconds) = retry_after {
            extensions.add_field("retryAfter", Value::scalar(i32::try_from(seconds).unwrap_or(i32::MAX)));
        }
        if let Self::Refused(Refusal::NotPermitted { missing }) = &self {
            let missing = missing.iter().map(|permission| Value::scalar(permission.to_owned())).collect();
            extensions.add_field("missing", Value::List(missing));
        }
        FieldError::new(self.to_string(), Value::Object(extensions))
    }
}

/// Whole seconds, rounded up.
fn seconds(wait: &Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_given_in_whole_seconds_rounded_up() {
        for (milliseconds, expected) in [(0, 0), (1, 1), (1_000, 1), (1_001, 2), (1_999, 2)] {
            assert_eq!(seconds(&Duration::from_millis(milliseconds)), expected, "{milliseconds} ms");
        }
    }

    #[test]
    fn a_panicked_job_is_internal_and_a_full_pool_is_busy() {
        let code_and_message = |error: PoolError| {
            let error = ApiError::from(error);
            (error.code(), error.to_string())
        };
        assert_eq!(code_and_message(PoolError::Panicked), ("INTERNAL", FAILED.to_owned()));
        for error in [PoolError::Full, PoolError::Stopped] {
            assert_eq!(code_and_message(error), ("BUSY", BUSY.to_owned()));
        }
    }
}
