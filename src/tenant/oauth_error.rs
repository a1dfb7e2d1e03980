//! OAuth errors of the token endpoint and of logins, with Auth0's statuses and, where known, Auth0's texts.

use std::borrow::Cow;

use serde_json::json;

use super::TenantError;
use super::response::HttpResponse;

/// An OAuth error (RFC 6749 §5.2), with the status that Auth0 gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OAuthError {
    /// HTTP status at `/oauth/token`; a redirect carries none.
    pub(super) status: u16,
    /// `error`, for machines.
    pub(super) error: Cow<'static, str>,
    /// `error_description`, for people.
    pub(super) description: String,
    /// The script that denied the login: for the login log and page. The application gets Auth0's words only.
    pub(super) script: Option<String>,
}

impl OAuthError {
    pub(super) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(400, "invalid_request", description)
    }

    /// Auth0's error for most refusals.
    pub(super) fn access_denied(description: impl Into<String>) -> Self {
        Self::new(403, "access_denied", description)
    }

    /// The client is unknown or failed to authenticate.
    pub(super) fn unknown_client() -> Self {
        Self::new(401, "access_denied", "Unauthorized")
    }

    pub(super) fn unauthorized_client(description: impl Into<String>) -> Self {
        Self::new(403, "unauthorized_client", description)
    }

    /// The code, its verifier or the password is wrong.
    pub(super) fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new(403, "invalid_grant", description)
    }

    pub(super) fn wrong_password() -> Self {
        Self::invalid_grant("Wrong email or password.")
    }

    /// A rule's `UnauthorizedError`, or a blocked user.
    pub(super) fn unauthorized(description: impl Into<String>) -> Self {
        Self::new(401, "unauthorized", description)
    }

    /// The login needs the browser at another place, and cannot have it.
    pub(super) fn interaction_required(description: impl Into<String>) -> Self {
        Self::new(403, "interaction_required", description)
    }

    /// A login without a browser needs a second factor.
    pub(super) fn mfa_required() -> Self {
        Self::new(403, "mfa_required", "Multifactor authentication required")
    }

    pub(super) fn new(
        status: u16,
        error: impl Into<Cow<'static, str>>,
        description: impl Into<String>,
    ) -> Self {
        Self { status, error: error.into(), description: description.into(), script: None }
    }

    /// The error as `/oauth/token` returns it.
    pub(super) fn response(&self) -> HttpResponse {
        let body = json!({"error": self.error, "error_description": self.description});
        let response = HttpResponse::json(self.status, &body);
        if self.status == 401 {
            response.header("www-authenticate", "Basic realm=\"dev tenant\"")
        } else {
            response
        }
    }
}

/// Logs the cause; the client gets a general text.
impl From<TenantError> for OAuthError {
    fn from(error: TenantError) -> Self {
        tracing::error!(%error, "the dev tenant failed to handle a request");
        match error {
            TenantError::Pool(_) => {
                Self::new(503, "temporarily_unavailable", "The tenant is busy; try again")
            }
            _ => Self::new(500, "server_error", "The dev tenant failed; see its log"),
        }
    }
}
