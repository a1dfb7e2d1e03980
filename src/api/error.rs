//! What a resolver answers when it can not give what was asked for.

use juniper::{FieldError, IntoFieldError, ScalarValue, graphql_value};

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
    /// The database failed.
    #[error("The server failed; its log tells more.")]
    Store(#[from] StoreError),
    /// A resolver asked for what the vestibule was not given: a mistake of whoever put it together.
    #[error("The server failed; its log tells more.")]
    NoState(&'static str),
    /// Too much is going on.
    #[error("The server has too much to do; try again soon.")]
    Pool(#[from] PoolError),
}

impl ApiError {
    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::BadInput(_) => "BAD_INPUT",
            Self::Store(_) | Self::NoState(_) | Self::Pool(PoolError::Panicked) => "INTERNAL",
            Self::Pool(PoolError::Full | PoolError::Stopped) => "BUSY",
        }
    }
}

impl<S: ScalarValue> IntoFieldError<S> for ApiError {
    fn into_field_error(self) -> FieldError<S> {
        match &self {
            Self::Store(error) => {
                tracing::error!(error = error as &dyn std::error::Error, "the store failed in a resolver");
            }
            Self::NoState(wanted) => tracing::error!(wanted, "a resolver wants a state that was not opened"),
            _ => {}
        }
        FieldError::new(self.to_string(), graphql_value!({"code": (self.code())}))
    }
}
