//! Ids of users: ours and Auth0's.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::{ContextV7, Uuid};

use super::is_visible;

/// Keeps ids of the same millisecond in order of creation (RFC 9562 §6.2).
static COUNTER: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// Our id of a user: a UUIDv7 (RFC 9562), opaque to clients and sortable by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(Uuid);

impl UserId {
    /// A new id for a row inserted at `now`.
    pub fn new(now: Timestamp) -> Self {
        let millis = now.as_millisecond().max(0).unsigned_abs();
        let nanos = u32::try_from(now.subsec_nanosecond().max(0)).unwrap_or(0);
        // A panic cannot leave the counter in between.
        let counter = COUNTER.lock().unwrap_or_else(PoisonError::into_inner);
        Self(Uuid::new_v7(uuid::Timestamp::from_unix(&*counter, millis / 1000, nanos)))
    }

    /// The sixteen bytes, as stored in the database.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Reads [`UserId::as_bytes`] back.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl FromStr for UserId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::try_parse(text).map(Self).map_err(|_| IdError::NotAUserId)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Auth0's id of a user, `auth0|…` and the like: the `sub` of their tokens. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Auth0Id(Arc<str>);

impl Auth0Id {
    /// The longest `sub` that OpenID Connect Core 1.0 §2 allows, in characters.
    pub const MAX_CHARS: usize = 255;

    /// The id as Auth0 writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Auth0Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        // Counts characters only of what has more bytes.
        let is_too_long = text.len() > Self::MAX_CHARS && text.chars().count() > Self::MAX_CHARS;
        if text.is_empty() || is_too_long || !is_visible(text) {
            return Err(IdError::NotAnAuth0Id);
        }
        Ok(Self(text.into()))
    }
}

impl<'de> Deserialize<'de> for Auth0Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Auth0Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Auth0Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum IdError {
    #[error("not a user id: expected a UUID")]
    NotAUserId,
    #[error("not an Auth0 id: expected 1 to 255 visible characters")]
    NotAnAuth0Id,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_of_creation() {
        let earlier = UserId::new(Timestamp::from_millisecond(1_700_000_000_000).unwrap());
        let later = UserId::new(Timestamp::from_millisecond(1_700_000_000_001).unwrap());
        assert!(earlier < later && earlier.to_string() < later.to_string());
        assert_eq!(earlier.to_string().parse(), Ok(earlier));
        let now = Timestamp::from_millisecond(1_700_000_000_002).unwrap();
        let ids: Vec<_> = (0..100).map(|_| UserId::new(now)).collect();
        assert!(ids.is_sorted(), "ids of one millisecond too");
    }

    #[test]
    fn an_auth0_id_is_short_and_printable() {
        assert_eq!("auth0|66".parse::<Auth0Id>().unwrap().as_str(), "auth0|66");
        for bad in ["", "auth0|\0", "a\nb", "auth0|a\u{200d}", "auth0|\u{202e}1", &"é".repeat(256)] {
            assert_eq!(bad.parse::<Auth0Id>(), Err(IdError::NotAnAuth0Id), "{bad:?}");
        }
        assert!("é".repeat(255).parse::<Auth0Id>().is_ok());
    }
}
