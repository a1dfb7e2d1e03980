//! The words for people: ids, emails, and a user as our database knows one.
//!
//! Owns the types and what makes their values valid. Leans on nothing of ours. Never does I/O.

mod current;
mod email;
mod id;

pub use current::{CurrentUser, PayloadUser};
pub use email::{Email, EmailError};
pub use id::{Auth0Id, IdError, UserId};

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
    /// Tokens issued before this moment are withdrawn.
    pub tokens_valid_from: Option<Timestamp>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

/// What a person is called and looks like. Every field may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// First name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// What friends say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// URL of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// Phone number, E.164 where Auth0 gives it so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

impl Person {
    /// What this one says, and where it says nothing, what `other` does.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let either = |own: &Option<String>, other: &Option<String>| own.as_ref().or(other.as_ref()).cloned();
        Self {
            name: either(&self.name, &other.name),
            given_name: either(&self.given_name, &other.given_name),
            family_name: either(&self.family_name, &other.family_name),
            nickname: either(&self.nickname, &other.nickname),
            picture: either(&self.picture, &other.picture),
            phone: either(&self.phone, &other.phone),
        }
    }
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
