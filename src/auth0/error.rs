//! Why a call to a tenant failed.

use std::fmt;
use std::time::Duration;

/// A call to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "`Display` names the call")]
pub enum Call {
    Discovery,
    Keys,
    Token,
    Profile,
    Block,
    /// A call about the tenant's objects, with its description.
    Objects(&'static str),
}

/// Why a call to a tenant failed. The texts name the call, the status and Auth0's error code, never a token, a secret or a
/// body: a body may contain an id with an email in it.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum Auth0Error {
    #[error("no client for the Management API: set `auth0.client_id` and `auth0.client_secret`")]
    NoClient,
    /// No response, or not in time.
    #[error("{call} got no response")]
    Unreachable {
        call: Call,
        #[source]
        cause: Box<ureq::Error>,
    },
    /// Status 429 (Auth0: "Rate Limit Policy"). `wait` is the pause that the tenant asks for.
    #[error("{call} was rate limited")]
    RateLimited { call: Call, wait: Option<Duration> },
    /// Any other status than 200. `code` is the `errorCode` of the Management API or the `error` of the Authentication API.
    #[error("{call} returned status {status}{}", code.as_ref().map_or(String::new(), |code| format!(" ({code})")))]
    Status { call: Call, status: u16, code: Option<String> },
    /// An error that the Management API gives a reason for, in a call about the tenant's objects. `scopes`: of which the
    /// client's grant needs one, in a 403.
    #[error("{call} returned status {status}: {message}")]
    Refused { call: Call, status: u16, code: Option<String>, message: String, scopes: Option<String> },
    /// Status 200 with other content than the call returns.
    #[error("{call} returned {what}")]
    UnexpectedAnswer { call: Call, what: &'static str },
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

    /// Whether the same call may succeed later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::RateLimited { .. } => true,
            Self::Status { status, .. } | Self::Refused { status, .. } => *status >= 500 || *status == 408,
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
            Self::Objects(what) => what,
        })
    }
}
