//! Every way the tenant turns a token request or a login away, in Auth0's shapes and, where known, its words.

use serde_json::{Value, json};

use super::TenantError;
use super::answer::Answer;

/// An OAuth error (RFC 6749 §5.2), with the status that Auth0 gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// HTTP status at `/oauth/token`; a redirect carries none.
    pub(super) status: u16,
    /// For machines.
    pub(super) error: &'static str,
    /// For people.
    pub(super) description: String,
}

impl Refusal {
    /// A parameter is missing, doubled or unusable.
    pub(super) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(400, "invalid_request", description)
    }

    /// Auth0's word for most of "no".
    pub(super) fn access_denied(description: impl Into<String>) -> Self {
        Self::new(403, "access_denied", description)
    }

    /// The client is unknown or did not prove itself.
    pub(super) fn unknown_client() -> Self {
        Self::new(401, "access_denied", "Unauthorized")
    }

    /// The client may not do this.
    pub(super) fn unauthorized_client(description: impl Into<String>) -> Self {
        Self::new(403, "unauthorized_client", description)
    }

    /// The code, its verifier or the password is wrong.
    pub(super) fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new(403, "invalid_grant", description)
    }

    /// A rule's `UnauthorizedError`, or a blocked person.
    pub(super) fn unauthorized(description: impl Into<String>) -> Self {
        Self::new(401, "unauthorized", description)
    }

    /// Anything else that has a name of its own.
    pub(super) fn new(status: u16, error: &'static str, description: impl Into<String>) -> Self {
        Self { status, error, description: description.into() }
    }

    /// As `/oauth/token` says it.
    pub(super) fn answer(&self) -> Answer {
        let answer =
            Answer::json(self.status, &json!({"error": self.error, "error_description": self.description}));
        if self.status == 401 {
            answer.header("www-authenticate", "Basic realm=\"dev tenant\"")
        } else {
            answer
        }
    }
}

/// What went wrong inside is logged, not told.
impl From<TenantError> for Refusal {
    fn from(error: TenantError) -> Self {
        tracing::error!(%error, "the dev tenant can not answer");
        match error {
            TenantError::Pool(_) => {
                Self::new(503, "temporarily_unavailable", "The tenant is busy; try again")
            }
            _ => Self::new(500, "server_error", "The dev tenant failed; its log says why"),
        }
    }
}

/// An error as the Management API says it.
pub(super) fn management(status: u16, message: &str, code: Option<&str>) -> Answer {
    let error = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        _ => "Internal Server Error",
    };
    let mut body = json!({"statusCode": status, "error": error, "message": message});
    if let (Some(code), Some(members)) = (code, body.as_object_mut()) {
        members.insert("errorCode".to_owned(), Value::from(code));
    }
    Answer::json(status, &body)
}
