//! Every reason to refuse a request. Only `api/response.rs` turns them into HTTP.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::pool::PoolError;
use crate::scope::Permissions;
use crate::store::StoreError;

/// Why a request was refused.
///
/// The messages are for the developer of the frontend: what is wrong and what to do. They never repeat a part of the
/// token or the request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "`Refusal::message` says what happened")]
pub enum Refusal {
    /// The request itself is ambiguous or broken: two `Authorization` headers, a token in the query string.
    MalformedRequest(&'static str),
    NoToken,
    /// The token is not a JWT in compact form.
    MalformedToken(&'static str),
    /// The token's header or encoding breaks a rule. Same code as [`Refusal::MalformedToken`], one stage later.
    BadHeader(&'static str),
    UnknownKey,
    BadSignature,
    BadAlgorithm(&'static str),
    WrongIssuer,
    WrongAudience,
    Expired {
        ago: Duration,
    },
    /// `nbf` or `iat` is in the future.
    NotYetValid,
    /// The token is bound to a key, and the proof of its possession is not checked.
    BoundToken,
    /// A claim is missing, of the wrong type or out of bounds.
    BadClaims(&'static str),
    /// The `user` claim is malformed, or names another user than `sub`. Same code as [`Refusal::BadClaims`], two stages
    /// later.
    BadPayload(&'static str),
    /// Issued before the user's tokens were revoked.
    TokenRevoked,
    NotPermitted {
        /// The missing permissions; empty when callers of this kind have no access at all.
        missing: Permissions,
    },
    /// An agent acts for the user, and agents are refused.
    AgentRefused,
    Blocked,
    Erased,
    NoSuchUser,
    /// Another user has the same verified email, and linking is off.
    EmailConflict,
    /// The user with the same verified email has roles. Same code as [`Refusal::EmailConflict`].
    LinkByHand,
    /// No signing keys are known, so the token can be neither accepted nor refused.
    KeysUnavailable,
    /// The user is new, and their profile cannot be fetched now.
    ProfileUnavailable {
        retry_after: Duration,
    },
    /// The server is overloaded, or its database failed.
    Busy,
}

/// The stages of the gate, each named by the value it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each has the name of its value")]
pub enum Stage {
    Bearer,
    Claims,
    Permit,
    Caller,
}

impl Stage {
    /// The name that responses use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Claims => "claims",
            Self::Permit => "permit",
            Self::Caller => "caller",
        }
    }
}

impl Refusal {
    /// Code, stage and HTTP status.
    fn facts(&self) -> (&'static str, Stage, u16) {
        use Stage::{Bearer, Caller, Claims, Permit};
        match self {
            Self::MalformedRequest(_) => ("MALFORMED_REQUEST", Bearer, 400),
            Self::NoToken => ("NO_TOKEN", Bearer, 401),
            Self::MalformedToken(_) => ("MALFORMED_TOKEN", Bearer, 401),
            Self::BadHeader(_) => ("MALFORMED_TOKEN", Claims, 401),
            Self::UnknownKey => ("UNKNOWN_KEY", Claims, 401),
            Self::BadSignature => ("BAD_SIGNATURE", Claims, 401),
            Self::BadAlgorithm(_) => ("BAD_ALGORITHM", Claims, 401),
            Self::WrongIssuer => ("WRONG_ISSUER", Claims, 401),
            Self::WrongAudience => ("WRONG_AUDIENCE", Claims, 401),
            Self::Expired { .. } => ("EXPIRED", Claims, 401),
            Self::NotYetValid => ("NOT_YET_VALID", Claims, 401),
            Self::BoundToken => ("BOUND_TOKEN", Claims, 401),
            Self::BadClaims(_) => ("BAD_CLAIMS", Claims, 401),
            Self::KeysUnavailable => ("KEYS_UNAVAILABLE", Claims, 503),
            Self::NotPermitted { .. } => ("NOT_PERMITTED", Permit, 403),
            Self::AgentRefused => ("AGENT_REFUSED", Permit, 403),
            Self::BadPayload(_) => ("BAD_CLAIMS", Caller, 401),
            Self::TokenRevoked => ("TOKEN_REVOKED", Caller, 401),
            Self::Blocked => ("BLOCKED", Caller, 403),
            Self::Erased => ("ERASED", Caller, 403),
            Self::NoSuchUser => ("NO_SUCH_USER", Caller, 403),
            Self::EmailConflict | Self::LinkByHand => ("EMAIL_CONFLICT", Caller, 403),
            Self::ProfileUnavailable { .. } => ("PROFILE_UNAVAILABLE", Caller, 503),
            Self::Busy => ("BUSY", Caller, 503),
        }
    }

    /// The machine-readable code.
    pub fn code(&self) -> &'static str {
        self.facts().0
    }

    /// The stage that refused.
    pub fn stage(&self) -> Stage {
        self.facts().1
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.facts().2
    }

    /// The message for people: printable ASCII without quotes or backslashes, as RFC 6750 §3 requires.
    pub fn message(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Expired { ago } => {
                return format!("The token expired {} ago; log in again.", rough(*ago)).into();
            }
            Self::NotPermitted { missing } if !missing.is_empty() => {
                return format!("The caller lacks a permission: {missing}.").into();
            }
            Self::MalformedRequest(text)
            | Self::MalformedToken(text)
            | Self::BadHeader(text)
            | Self::BadAlgorithm(text)
            | Self::BadClaims(text)
            | Self::BadPayload(text) => text,
            Self::NoToken => "Send an access token: Authorization: Bearer <token>.",
            Self::UnknownKey => "The token is signed with a key its issuer does not publish.",
            Self::BadSignature => "The signature of the token is not valid.",
            Self::WrongIssuer => "The issuer of the token is not trusted here.",
            Self::WrongAudience => "The token is for another API; request one with the audience of this API.",
            Self::NotYetValid => "The token is not valid yet; check the clocks.",
            Self::BoundToken => {
                "The token is bound to a key (cnf), by DPoP or mTLS, which this API does not check; request one without."
            }
            Self::TokenRevoked => "The token was revoked; log in again.",
            Self::NotPermitted { .. } => "Callers of this kind have no access here.",
            Self::AgentRefused => {
                "An agent acts for the user, and this API does not accept agents (act, client_profile)."
            }
            Self::Blocked => "The user is blocked.",
            Self::Erased => "The user was erased.",
            Self::NoSuchUser => "The tenant has no user with the id in the token.",
            Self::EmailConflict => "Another user has this verified email; log in as you did the first time.",
            Self::LinkByHand => {
                "The user with this verified email has roles, so staff link the login: vestibule users link USER AUTH0_ID."
            }
            Self::KeysUnavailable => "The signing keys of the tenant are not known yet; try again soon.",
            Self::ProfileUnavailable { .. } => "The tenant cannot provide the profile now; try again soon.",
            Self::Busy => "The server is busy; try again soon.",
        })
    }

    /// The value of `Retry-After`, for refusals that pass by themselves: seconds, rounded up so that no client comes too early.
    pub fn retry_seconds(&self) -> Option<u64> {
        let millis = match self {
            Self::ProfileUnavailable { retry_after } => retry_after.as_millis(),
            Self::KeysUnavailable | Self::Busy => 1000,
            _ => return None,
        };
        Some(u64::try_from(millis.div_ceil(1000)).unwrap_or(u64::MAX).max(1))
    }

    /// The value of `WWW-Authenticate` (RFC 6750 §3), for refusals with status 400, 401 or 403.
    pub fn challenge(&self, realm: &str) -> Option<String> {
        let error = match self.status() {
            _ if *self == Self::NoToken => return Some(format!("Bearer realm=\"{realm}\"")),
            400 => "invalid_request",
            401 => "invalid_token",
            403 => "insufficient_scope",
            _ => return None,
        };
        let scope = match self {
            Self::NotPermitted { missing } if !missing.is_empty() => {
                format!(", scope=\"{}\"", quotable(&missing.to_string()))
            }
            _ => String::new(),
        };
        let message = quotable(&self.message());
        Some(format!("Bearer realm=\"{realm}\", error=\"{error}\", error_description=\"{message}\"{scope}"))
    }
}

/// Replaces the characters that RFC 6750 §3 forbids in a quoted string. Permissions come from the configuration and may
/// contain them.
fn quotable(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~') && c != '"' && c != '\\' { c } else { '?' }).collect()
}

/// A duration in seconds below two minutes, then in minutes, hours and days.
fn rough(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// So that filters of your own can reject with it.
impl warp::reject::Reject for Refusal {}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::EmailConflict => Self::EmailConflict,
            StoreError::LinkByHand(_) => Self::LinkByHand,
            error => {
                tracing::error!(%error, "the database failed while a caller was resolved");
                Self::Busy
            }
        }
    }
}

impl From<PoolError> for Refusal {
    fn from(error: PoolError) -> Self {
        if error == PoolError::Panicked {
            tracing::error!("a pool job of the gate panicked");
        }
        Self::Busy
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Refusal {}
