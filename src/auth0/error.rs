//! The ways a call to a tenant ends without what was asked for.

use std::time::Duration;

/// Why a tenant gave us nothing. Its texts name the call and the status, never a token, a secret or a body.
#[derive(Debug, thiserror::Error)]
pub enum Auth0Error {
    /// `auth0.client_id` and `auth0.client_secret` are not set, and the call needs them.
    #[error("no client for the Management API: set `auth0.client_id` and `auth0.client_secret`")]
    NoClient,
    /// No answer, or not in time.
    #[error("{call} got no answer")]
    Unreachable {
        /// What was asked.
        call: &'static str,
        /// What the connection said.
        #[source]
        cause: Box<ureq::Error>,
    },
    /// 429: the tenant's rate limit (Auth0: "Rate Limit Policy").
    #[error("{call} was rate limited")]
    Limited {
        /// What was asked.
        call: &'static str,
        /// How long the tenant asks us to wait, if it says.
        wait: Option<Duration>,
    },
    /// Any other status that is no success.
    #[error("{call} was answered with status {status}{}", .said.as_ref().map_or(String::new(), |said| format!(": {said}")))]
    Status {
        /// What was asked.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// Auth0's `errorCode`, if the answer was an error of its own making.
        code: Option<String>,
        /// What Auth0 says about it, for people.
        said: Option<String>,
    },
    /// A success whose content is not what the call gives.
    #[error("{call} was answered with {what}")]
    Nonsense {
        /// What was asked.
        call: &'static str,
        /// What is wrong with the answer.
        what: &'static str,
    },
    /// The files or values we were configured with can not be used.
    #[error("{0}")]
    Setup(String),
}
