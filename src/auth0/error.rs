//! Why a call to a tenant failed.

use std::fmt;
use std::time::Duration;

/// A call to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// The discovery document.
    Discovery,
    /// The signing keys.
    Keys,
    /// A token by client credentials.
    Token,
    /// The profile of a user.
    Profile,
    /// Blocking or unblocking a user.
    Block,
}

/// Why a call to a tenant failed. The texts name the call, the status and Auth0's error code, never a token, a secret or a
/// body: a body may contain an id with an email in it.
#[derive(Debug, thiserror::Error)]
pub enum Auth0Error {
    /// `auth0.client_id` and `auth0.client_secret` are not set, and the call needs them.
    #[error("no client for the Management API: set `auth0.client_id` and `auth0.client_secret`")]
    NoClient,
    /// No response, or not in time.
    #[error("{call} got no response")]
    Unreachable {
        /// The call.
        call: Call,
        /// The error of the connection.
        #[source]
        cause: Box<ureq::Error>,
    },
    /// Status 429: the tenant's rate limit (Auth0: "Rate Limit Policy").
    #[error("{call} was rate limited")]
    RateLimited {
        /// The call.
        call: Call,
        /// How long the tenant asks us to wait, if it does.
        wait: Option<Duration>,
    },
    /// Any other status than 200.
    #[error("{call} returned status {status}{}", code.as_ref().map_or(String::new(), |code| format!(" ({code})")))]
    Status {
        /// The call.
        call: Call,
        /// The HTTP status.
        status: u16,
        /// The `errorCode` of the Management API or the `error` of the Authentication API.
        code: Option<String>,
    },
    /// Status 200 with other content than the call returns.
    #[error("{call} returned {what}")]
    UnexpectedAnswer {
        /// The call.
        call: Call,
        /// The content.
        what: &'static str,
    },
    /// The configured files or values cannot be used.
    #[error("{0}")]
    Setup(String),
}

impl Auth0Error {
    /// Whether the error concerns one user only, so that calls for other users may succeed. Every other error concerns the
    /// tenant, the network or our client.
    pub fn concerns_one_user(&self) -> bool {
        match self {
            Self::Status { call: Call::Profile | Call::Block, status, .. } => {
                // These three concern our token, its scopes, or time.
                (400..500).contains(status) && !matches!(status, 401 | 403 | 408)
            }
            Self::UnexpectedAnswer { call: Call::Profile | Call::Block, .. } => true,
            _ => false,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discovery => "discovery",
            Self::Keys => "the request for signing keys",
            Self::Token => "the request for a token",
            Self::Profile => "the request for a profile",
            Self::Block => "the request to block a user",
        })
    }
}
