//! What a resolver answers when it can not give what was asked for.

use juniper::{FieldError, IntoFieldError, Object, ScalarValue, Value};

use crate::auth::Refusal;
use crate::pool::PoolError;
use crate::store::StoreError;

/// An error of one field. Its `extensions.code` is for machines; causes go to the log, not to clients.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The caller may come in, but not see or do this.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// An argument is out of bounds; the text says which and how.
    #[error("{0}")]
    BadInput(&'static str),
    /// What an argument names is not there; the text says what.
    #[error("{0}")]
    NotFound(&'static str),
    /// A subscriber fell so far behind that changes were passed over.
    #[error("Some changes were missed; query again for what is now so.")]
    Missed,
    /// The database refused or failed.
    #[error("{}", told(.0))]
    Store(#[from] StoreError),
    /// A resolver asked for what the vestibule was not given: a mistake of whoever put it together.
    #[error("The server failed; its log tells more.")]
    NoState(&'static str),
    /// Too much is going on; or, of a job that panicked, the server failed.
    #[error("{}", if *.0 == PoolError::Panicked { FAILED } else { BUSY })]
    Pool(#[from] PoolError),
}

const BUSY: &str = "The server has too much to do; try again soon.";
const FAILED: &str = "The server failed; its log tells more.";

/// What clients are told of the store: what they can mend, and nothing else.
fn told(error: &StoreError) -> &'static str {
    match error {
        StoreError::NotFound(_) => "There is no such user.",
        StoreError::Erased(_) => "The user was erased, which can not be undone.",
        StoreError::EmailConflict => "Another user has this email.",
        StoreError::IdentityTaken(_) => "The identity leads to another user; merge the two instead.",
        StoreError::NotLinked(_) => "The user has no such identity.",
        StoreError::Invalid(what) => what,
        StoreError::IdempotencyKeyReused => {
            "This clientMutationId was used with another input; give each mutation its own."
        }
        StoreError::Revoked => "The token was revoked; log in again.",
        StoreError::Interrupted => "Reading this took longer than it may (limits.time); ask for less.",
        StoreError::Busy | StoreError::Closed => BUSY,
        _ => FAILED,
    }
}

impl ApiError {
    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::BadInput(_) => "BAD_INPUT",
            Self::NotFound(_) => "NOT_FOUND",
            Self::Missed => "MISSED",
            Self::Store(error) => match error {
                StoreError::NotFound(_) | StoreError::NotLinked(_) => "NOT_FOUND",
                StoreError::Erased(_) => "ERASED",
                StoreError::EmailConflict => "EMAIL_CONFLICT",
                StoreError::IdentityTaken(_) => "IDENTITY_TAKEN",
                StoreError::Invalid(_) | StoreError::IdempotencyKeyReused => "BAD_INPUT",
                StoreError::Revoked => "TOKEN_REVOKED",
                StoreError::Interrupted => "OUT_OF_TIME",
                StoreError::Busy | StoreError::Closed => "BUSY",
                _ => "INTERNAL",
            },
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
            Self::NoState(wanted) => tracing::error!(wanted, "a resolver wants a state that was not opened"),
            _ => {}
        }
        let mut extensions = Object::with_capacity(2);
        extensions.add_field("code", Value::scalar(code.to_owned()));
        // The status is that of the whole answer, so the header of a refused request has to stand here.
        if let Self::Refused(refusal) = &self
            && let Some(seconds) = refusal.retry_seconds()
        {
            extensions.add_field("retryAfter", Value::scalar(i32::try_from(seconds).unwrap_or(i32::MAX)));
        }
        if let Self::Refused(Refusal::NotPermitted { missing }) = &self {
            let missing = missing.iter().map(|permission| Value::scalar(permission.to_owned())).collect();
            extensions.add_field("missing", Value::List(missing));
        }
        FieldError::new(self.to_string(), Value::Object(extensions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_panicked_is_a_failure_and_no_load() {
        let told = |error: PoolError| {
            let error = ApiError::from(error);
            (error.code(), error.to_string())
        };
        assert_eq!(told(PoolError::Panicked), ("INTERNAL", FAILED.to_owned()));
        for load in [PoolError::Full, PoolError::Stopped] {
            assert_eq!(told(load), ("BUSY", BUSY.to_owned()));
        }
    }
}
