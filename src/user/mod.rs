//! Users: their ids, emails and rows.
//!
//! Owns the types and the validity of their values. Imports no other module of ours. Never does I/O.

mod current;
mod email;
mod id;
mod person;
mod profile;
mod text;

pub use current::{CurrentUser, PayloadUser};
pub use email::{Email, EmailError};
pub use id::{Auth0Id, IdError, UserId};
pub use person::{NAME_MAX, PICTURE_MAX, Person, is_picture_url, is_valid_name};
pub use profile::StoredProfile;
pub use text::{all_bytes, is_visible};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The row of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Our id: opaque, sortable by time of creation.
    pub id: UserId,
    /// The primary identity; absent while a pre-provisioned row is unclaimed.
    pub auth0_id: Option<Auth0Id>,
    /// In canonical form.
    pub email: Option<Email>,
    /// Only verified emails are unique and identify a user.
    pub email_verified: bool,
    /// Names, picture and phone.
    pub person: Person,
    /// Whether the user is accepted.
    pub status: Status,
    /// Whether it was Auth0 that blocked the user: then Auth0 can also unblock them.
    pub blocked_by_auth0: bool,
    /// Role names; `[roles]` in the configuration maps them to permissions.
    pub roles: Vec<String>,
    /// The profile as last fetched from Auth0.
    pub profile: Option<StoredProfile>,
    /// When `profile` was last fetched.
    pub profile_fetched_at: Option<Timestamp>,
    /// Tokens issued before this moment are revoked.
    pub tokens_valid_from: Option<Timestamp>,
    /// When the row was inserted.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

impl User {
    /// Whether a token issued at that moment is not revoked. `iat` has whole seconds, so a token of the second of a
    /// revocation is revoked too; so is one without `iat`, which cannot show that it is newer.
    pub fn accepts_token_issued_at(&self, issued_at: Option<Timestamp>) -> bool {
        self.tokens_valid_from.is_none_or(|revoked| is_issued_after(issued_at, revoked))
    }
}

/// Whether a token is newer than a revocation. Of the same millisecond, the token may be the older one.
pub fn is_issued_after(issued_at: Option<Timestamp>, revoked: Timestamp) -> bool {
    issued_at.is_some_and(|issued| issued.as_millisecond() > revoked.as_millisecond())
}

/// Whether a user is accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Accepted.
    #[default]
    Active,
    /// Refused until unblocked.
    Blocked,
    /// Erased at the person's request; the row is a tombstone.
    Erased,
}

impl Status {
    /// The name in the database and the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked",
            Self::Erased => "erased",
        }
    }

    /// Reads [`Status::as_str`] back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Active, Self::Blocked, Self::Erased].into_iter().find(|status| status.as_str() == name)
    }
}
