//! The current user of a request.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Auth0Id, Email, User, UserId};

/// The current user: their row, and where it was found.
#[derive(Debug, Clone)]
pub enum CurrentUser {
    /// In the token's payload, which equals the row.
    Payload(Arc<User>),
    /// In the database; the token has no payload, or one that differs.
    Row(Arc<User>),
}

/// The `user` object in a token's payload. A script puts it there at login, from the Internal API.
///
/// Unknown members are ignored; a member of the wrong type refuses the whole object. Only the ids are required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the other fields are those of `User`")]
pub struct PayloadUser {
    /// Our id.
    pub id: UserId,
    /// The identity that logged in: the token's `sub`.
    pub auth0_id: Auth0Id,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
}

impl CurrentUser {
    /// The row; it may lack the profile.
    pub fn row(&self) -> &Arc<User> {
        match self {
            Self::Payload(row) | Self::Row(row) => row,
        }
    }

    /// Our id of the user.
    pub fn id(&self) -> UserId {
        self.row().id
    }

    /// Names of the user's roles.
    pub fn roles(&self) -> &[String] {
        &self.row().roles
    }
}
