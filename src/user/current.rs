//! The current user of a request.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Auth0Id, Email, User, UserId};

/// The current user: from the token's payload, or from the database.
#[derive(Debug, Clone)]
pub enum CurrentUser {
    /// From the token's payload: no query was made.
    Payload(Arc<PayloadUser>),
    /// From the database. The profile may be left out.
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
    /// Our id of the user.
    pub fn id(&self) -> UserId {
        match self {
            Self::Payload(user) => user.id,
            Self::Row(user) => user.id,
        }
    }

    /// Whether both come from one read of one row. False for equal users of two reads.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Payload(one), Self::Payload(other)) => Arc::ptr_eq(one, other),
            (Self::Row(one), Self::Row(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Names of the user's roles.
    pub fn roles(&self) -> &[String] {
        match self {
            Self::Payload(user) => user.roles.as_deref().unwrap_or_default(),
            Self::Row(user) => &user.roles,
        }
    }
}
