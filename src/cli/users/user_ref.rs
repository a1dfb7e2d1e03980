//! How a command names a user.

use std::str::FromStr;

use crate::store::{NewUser, Store};
use crate::user::{Auth0Id, Email, User, UserId};

/// Our id, an Auth0 id or an email.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) enum UserRef {
    Id(UserId),
    Auth0(Auth0Id),
    Email(Email),
}

/// No user was found. The message does not repeat the input: an email does not belong in logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}; `vestibule users list` lists all users")]
pub(in crate::cli) struct NoSuchUser(&'static str);

impl FromStr for UserRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        // An Auth0 id can contain an email, but an email has no `|` before its `@`.
        if text.contains('|') {
            return text.parse().map(Self::Auth0).map_err(|error: crate::user::IdError| error.to_string());
        }
        text.parse()
            .map(Self::Email)
            .map_err(|_| "write our id (a UUID), an Auth0 id (auth0|…) or an email (name@domain)".to_owned())
    }
}

impl UserRef {
    /// A user to create with roles; `None` for our id, which only Vestibule gives.
    pub(super) fn new_user(&self, roles: &[String]) -> Option<NewUser> {
        let (auth0_id, email) = match self {
            Self::Id(_) => return None,
            Self::Auth0(id) => (Some(id.clone()), None),
            Self::Email(email) => (None, Some(email.clone())),
        };
        Some(NewUser { auth0_id, email, roles: roles.to_vec(), ..NewUser::default() })
    }

    pub(in crate::cli) fn find(&self, store: &Store) -> anyhow::Result<User> {
        let (found, message) = match self {
            Self::Id(id) => (store.user(*id), "there is no user with this id"),
            Self::Auth0(id) => (store.user_by_auth0_id(id), "no user has this Auth0 id"),
            Self::Email(email) => (
                store.user_by_email(email),
                "no user has this email verified, and none was created with it (unverified emails are not searched)",
            ),
        };
        Ok(found?.ok_or(NoSuchUser(message))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_emails_are_distinguished() {
        let who = |text: &str| text.parse::<UserRef>();
        assert!(matches!(who("01890000-0000-7000-8000-000000000001"), Ok(UserRef::Id(_))));
        assert!(matches!(who("waad|ada@example.com"), Ok(UserRef::Auth0(_))));
        assert_eq!(who("Ada@Example.com"), Ok(UserRef::Email("ada@example.com".parse().unwrap())));
        assert!(who("ada").is_err() && who("").is_err());
    }
}
