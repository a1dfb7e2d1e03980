//! The ways a call to a tenant ends without what was asked for.

use std::fmt;
use std::time::Duration;

/// What was asked of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// The discovery document.
    Discovery,
    /// The signing keys.
    Keys,
    /// A token by our own client's credentials.
    Token,
    /// Somebody's profile.
    Profile,
    /// To block somebody, or no longer.
    Block,
}

/// Why a tenant gave us nothing. Its texts name the call, the status and Auth0's code, never a token, a secret or a body:
/// what a tenant says in its own words may hold an id with an email in it.
#[derive(Debug, thiserror::Error)]
pub enum Auth0Error {
    /// `auth0.client_id` and `auth0.client_secret` are not set, and the call needs them.
    #[error("no client for the Management API: set `auth0.client_id` and `auth0.client_secret`")]
    NoClient,
    /// No answer, or not in time.
    #[error("{call} got no answer")]
    Unreachable {
        /// What was asked.
        call: Call,
        /// What the connection said.
        #[source]
        cause: Box<ureq::Error>,
    },
    /// 429: the tenant's rate limit (Auth0: "Rate Limit Policy").
    #[error("{call} was rate limited")]
    RateLimited {
        /// What was asked.
        call: Call,
        /// How long the tenant asks us to wait, if it says.
        wait: Option<Duration>,
    },
    /// Any other status that is no success.
    #[error("{call} was answered with status {status}{}", code.as_ref().map_or(String::new(), |code| format!(" ({code})")))]
    Status {
        /// What was asked.
        call: Call,
        /// The HTTP status.
        status: u16,
        /// The Management API's `errorCode` or the Authentication API's `error`, if the answer was an error of their making.
        code: Option<String>,
    },
    /// A success whose content is not what the call gives.
    #[error("{call} was answered with {what}")]
    UnexpectedAnswer {
        /// What was asked.
        call: Call,
        /// What is wrong with the answer.
        what: &'static str,
    },
    /// The files or values we were configured with can not be used.
    #[error("{0}")]
    Setup(String),
}

impl Auth0Error {
    /// Whether it speaks of one user alone: whoever asks for another may get what they want. All else speaks of the tenant,
    /// of the way there or of our client, and would be said of anybody.
    pub fn concerns_one_user(&self) -> bool {
        match self {
            Self::Status { call: Call::Profile | Call::Block, status, .. } => {
                // Of the rest of 400 to 499, these are about our token and its scopes, and about time.
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
