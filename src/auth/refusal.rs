//! Every way a request is turned away. `api/reply.rs` turns them into HTTP, and nobody else.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::scope::Permissions;

/// Why a caller was turned away.
///
/// The messages are for the developer of the frontend: they say what is wrong and what to do, and never repeat
/// anything the token or the request held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request itself is ambiguous or broken: two `Authorization` headers, a token in the query string.
    MalformedRequest(&'static str),
    /// No token was sent, and the door wants one.
    NoToken,
    /// What was sent is not a JWT in compact form, or breaks the rules of its parts.
    MalformedToken(&'static str),
    /// The header of the token breaks a rule. Same code as [`Refusal::MalformedToken`], seen a stage later.
    BadHeader(&'static str),
    /// Signed by a key the tenant does not publish.
    UnknownKey,
    /// The signature does not fit the key.
    BadSignature,
    /// Signed in a way this server does not take.
    BadAlgorithm(&'static str),
    /// From a tenant that is not trusted here.
    WrongIssuer,
    /// Meant for another API.
    WrongAudience,
    /// Its time is over.
    Expired {
        /// Since how long.
        ago: Duration,
    },
    /// Its time has not come.
    NotYetValid,
    /// A claim is missing, of the wrong type or out of bounds.
    BadClaims(&'static str),
    /// The user in the payload is not ours, or not the one the token is for. Same code as [`Refusal::BadClaims`], seen
    /// two stages later.
    BadPayload(&'static str),
    /// Issued before the user's tokens were revoked.
    TokenRevoked,
    /// The caller lacks permissions.
    NotPermitted {
        /// Those that are missing.
        missing: Permissions,
    },
    /// The user is blocked.
    Blocked,
    /// The user was erased.
    Erased,
    /// The tenant does not know the user.
    NoSuchUser,
    /// Another user has the same verified email, and linking is off.
    EmailConflict,
    /// No signing keys are known yet, so nothing can be decided.
    KeysUnavailable,
    /// The user is new here and their profile can not be had now.
    ProfileUnavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// Too much is going on.
    Busy,
}

/// The stages, as answers name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Headers → `Bearer`.
    Bearer,
    /// `Bearer` → `Claims`.
    Claims,
    /// `Claims` → `Permit`.
    Permit,
    /// `Permit` → `Caller`.
    Caller,
}

impl Stage {
    /// The stage's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Claims => "claims",
            Self::Permit => "permit",
            Self::Caller => "caller",
        }
    }
}

/// The parts of a refusal that are the same whatever it says: its code, its stage, its HTTP status.
struct Facts(&'static str, Stage, u16);

impl Refusal {
    fn facts(&self) -> Facts {
        use Stage::{Bearer, Caller, Claims, Permit};
        match self {
            Self::MalformedRequest(_) => Facts("MALFORMED_REQUEST", Bearer, 400),
            Self::NoToken => Facts("NO_TOKEN", Bearer, 401),
            Self::MalformedToken(_) => Facts("MALFORMED_TOKEN", Bearer, 401),
            Self::BadHeader(_) => Facts("MALFORMED_TOKEN", Claims, 401),
            Self::UnknownKey => Facts("UNKNOWN_KEY", Claims, 401),
            Self::BadSignature => Facts("BAD_SIGNATURE", Claims, 401),
            Self::BadAlgorithm(_) => Facts("BAD_ALGORITHM", Claims, 401),
            Self::WrongIssuer => Facts("WRONG_ISSUER", Claims, 401),
            Self::WrongAudience => Facts("WRONG_AUDIENCE", Claims, 401),
            Self::Expired { .. } => Facts("EXPIRED", Claims, 401),
            Self::NotYetValid => Facts("NOT_YET_VALID", Claims, 401),
            Self::BadClaims(_) => Facts("BAD_CLAIMS", Claims, 401),
            Self::KeysUnavailable => Facts("KEYS_UNAVAILABLE", Claims, 503),
            Self::NotPermitted { .. } => Facts("NOT_PERMITTED", Permit, 403),
            Self::BadPayload(_) => Facts("BAD_CLAIMS", Caller, 401),
            Self::TokenRevoked => Facts("TOKEN_REVOKED", Caller, 401),
            Self::Blocked => Facts("BLOCKED", Caller, 403),
            Self::Erased => Facts("ERASED", Caller, 403),
            Self::NoSuchUser => Facts("NO_SUCH_USER", Caller, 403),
            Self::EmailConflict => Facts("EMAIL_CONFLICT", Caller, 403),
            Self::ProfileUnavailable { .. } => Facts("PROFILE_UNAVAILABLE", Caller, 503),
            Self::Busy => Facts("BUSY", Caller, 503),
        }
    }

    /// The code for machines.
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

    /// The message for people: printable ASCII without quotes or backslashes, as RFC 6750 §3 wants it.
    pub fn message(&self) -> Cow<'static, str> {
        match self {
            Self::MalformedRequest(what)
            | Self::MalformedToken(what)
            | Self::BadHeader(what)
            | Self::BadAlgorithm(what)
            | Self::BadClaims(what)
            | Self::BadPayload(what) => Cow::Borrowed(what),
            Self::NoToken => "Send an access token: Authorization: Bearer <token>.".into(),
            Self::UnknownKey => "The token is signed with a key its issuer does not publish.".into(),
            Self::BadSignature => "The signature of the token does not fit.".into(),
            Self::WrongIssuer => "The token comes from an issuer that is not trusted here.".into(),
            Self::WrongAudience => {
                "The token is meant for another API; ask the tenant for one with this API as its audience."
                    .into()
            }
            Self::Expired { ago } => format!("The token expired {} ago; log in again.", rough(*ago)).into(),
            Self::NotYetValid => "The token is not valid yet; check the clocks.".into(),
            Self::TokenRevoked => "The token was revoked; log in again.".into(),
            Self::NotPermitted { missing } if missing.is_empty() => {
                "Callers of this kind have no access here.".into()
            }
            Self::NotPermitted { missing } => format!("The caller lacks a permission: {missing}.").into(),
            Self::Blocked => "The user is blocked.".into(),
            Self::Erased => "The user was erased.".into(),
            Self::NoSuchUser => "The tenant knows no user with the id in the token.".into(),
            Self::EmailConflict => {
                "Another user has the same verified email; log in the way you did the first time.".into()
            }
            Self::KeysUnavailable => {
                "The signing keys of the tenant are not known yet; try again soon.".into()
            }
            Self::ProfileUnavailable { .. } => {
                "The profile can not be had from the tenant now; try again soon.".into()
            }
            Self::Busy => "The server has too much to do; try again soon.".into(),
        }
    }

    /// When to try again, for those that may pass by themselves.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ProfileUnavailable { retry_after } => Some(*retry_after),
            Self::KeysUnavailable | Self::Busy => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// [`Refusal::retry_after`] as clients are told it: whole seconds, rounded up, because one that comes too early is
    /// refused again.
    pub fn retry_seconds(&self) -> Option<u64> {
        let millis = self.retry_after()?.as_millis();
        Some(u64::try_from(millis.div_ceil(1000)).unwrap_or(u64::MAX).max(1))
    }

    /// The value of `WWW-Authenticate` (RFC 6750 §3) for a refusal that has one: those with 400, 401 and 403.
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

/// Text as a quoted string of a challenge may hold it (RFC 6750 §3): what may not stand there becomes a question mark. Our
/// own texts are without; the permissions that a door needs are the operator's words.
fn quotable(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~') && c != '"' && c != '\\' { c } else { '?' }).collect()
}

/// Seconds below two minutes, then minutes, hours and days.
fn rough(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

impl warp::reject::Reject for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each, for tests that must see them all.
    pub(crate) fn one_of_each() -> Vec<Refusal> {
        let missing = Permissions::from_scope("users:read");
        vec![
            Refusal::MalformedRequest("Two tokens were sent."),
            Refusal::NoToken,
            Refusal::MalformedToken("The token has no three parts."),
            Refusal::BadHeader("The header of the token has a member that is not supported: zip."),
            Refusal::UnknownKey,
            Refusal::BadSignature,
            Refusal::BadAlgorithm("The algorithm is not allowed here."),
            Refusal::WrongIssuer,
            Refusal::WrongAudience,
            Refusal::Expired { ago: Duration::from_secs(12) },
            Refusal::NotYetValid,
            Refusal::BadClaims("The claim exp is missing."),
            Refusal::BadPayload("The user in the payload of the token is somebody else."),
            Refusal::TokenRevoked,
            Refusal::NotPermitted { missing },
            Refusal::Blocked,
            Refusal::Erased,
            Refusal::NoSuchUser,
            Refusal::EmailConflict,
            Refusal::KeysUnavailable,
            Refusal::ProfileUnavailable { retry_after: Duration::from_secs(2) },
            Refusal::Busy,
        ]
    }

    #[test]
    fn every_message_may_stand_in_a_header() {
        for refusal in one_of_each() {
            let message = refusal.message();
            assert!(
                message.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
                "{}: {message}",
                refusal.code()
            );
        }
    }

    /// The texts as the stages write them, where they write them.
    #[test]
    fn every_text_of_the_stages_may_stand_in_a_header() {
        let mut texts = 0;
        for source in [
            include_str!("bearer.rs"),
            include_str!("header.rs"),
            include_str!("claims.rs"),
            include_str!("policy.rs"),
            include_str!("caller.rs"),
        ] {
            let code = source.split("#[cfg(test)]").next().unwrap();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let code = lines.map(|line| line.trim_start().trim_end_matches('\\')).collect::<String>();
            // What stands between quotes is every second part; of that, sentences are what clients are told.
            for text in code.split('"').skip(1).step_by(2).filter(|text| text.ends_with('.')) {
                texts += 1;
                assert!(text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'\\'), "{text}");
            }
        }
        assert!(texts >= 25, "only {texts} were found");
    }

    #[test]
    fn challenges_are_those_of_rfc_6750() {
        assert_eq!(Refusal::NoToken.challenge("public").unwrap(), "Bearer realm=\"public\"");
        assert_eq!(
            Refusal::Expired { ago: Duration::from_secs(12) }.challenge("public").unwrap(),
            "Bearer realm=\"public\", error=\"invalid_token\", \
             error_description=\"The token expired 12 s ago; log in again.\""
        );
        let missing = Permissions::from_scope("users:write users:read");
        assert!(
            Refusal::NotPermitted { missing }
                .challenge("internal")
                .unwrap()
                .ends_with(", scope=\"users:read users:write\"")
        );
        let missing = Permissions::from_scope("a\"b\\ é\n");
        let challenge = Refusal::NotPermitted { missing }.challenge("internal").unwrap();
        assert!(challenge.ends_with(", scope=\"a?b? ??\""), "{challenge}");
        for refusal in one_of_each() {
            assert_eq!(refusal.challenge("x").is_some(), refusal.status() != 503, "{}", refusal.code());
            assert_eq!(refusal.retry_after().is_some(), refusal.status() == 503, "{}", refusal.code());
        }
    }
}
