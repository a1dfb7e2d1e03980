//! The words for people: ids, emails, and a user as our database knows one.
//!
//! Owns the types and what makes their values valid. Leans on nothing of ours. Never does I/O.

mod current;
mod email;
mod id;
mod person;

pub use current::{CurrentUser, PayloadUser};
pub use email::{Email, EmailError};
pub use id::{Auth0Id, IdError, UserId};
pub use person::{PICTURE_MAX, Person, WORDS_MAX, is_picture, is_words};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A user as our database knows one.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Our own id: opaque, sortable by time of creation.
    pub id: UserId,
    /// The identity the row was made with; absent while a pre-provisioned row is unclaimed.
    pub auth0_id: Option<Auth0Id>,
    /// In canonical form.
    pub email: Option<Email>,
    /// Only verified emails are unique, and only they find a user.
    pub email_verified: bool,
    /// Names, picture and phone.
    pub person: Person,
    /// Whether the user may come in.
    pub status: Status,
    /// Names of roles; `[roles]` in the configuration maps them to permissions.
    pub roles: Vec<String>,
    /// The profile as Auth0 last gave it, if it did.
    pub profile: Option<serde_json::Value>,
    /// When `profile` was last fetched, if it was.
    pub profile_fetched_at: Option<Timestamp>,
    /// Tokens issued before this moment are revoked.
    pub tokens_valid_from: Option<Timestamp>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

/// Whether a user may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// May come in.
    Active,
    /// Turned away until unblocked.
    Blocked,
    /// The person asked to be forgotten; what is left is a tombstone.
    Erased,
}

impl Status {
    /// The word the database and the configuration use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked",
            Self::Erased => "erased",
        }
    }

    /// Reads [`Status::as_str`] back.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Active, Self::Blocked, Self::Erased].into_iter().find(|status| status.as_str() == word)
    }
}
