//! Making a row for somebody who has not come yet.

use super::audit::{Action, Actor};
use super::rows::NewUser;
use super::users::by_auth0_id;
use super::{Store, StoreError, Write};
use crate::user::{Auth0Id, Email, Person, Status, User};

/// A user that staff expect.
///
/// Without an Auth0 id the row is pre-provisioned: whoever first comes with its email, verified, is its person.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expected {
    /// The identity, if it is known.
    pub auth0_id: Option<Auth0Id>,
    /// Required without `auth0_id`.
    pub email: Option<Email>,
    /// Whether somebody saw to it that the email is theirs.
    pub email_verified: bool,
    /// What they are called.
    pub person: Person,
    /// Names of roles.
    pub roles: Vec<String>,
}

impl Store {
    /// Makes a row.
    ///
    /// # Errors
    /// [`StoreError::EmailConflict`] when a row has the email already, verified or waiting for its person, and this one would
    /// be found by it too; [`StoreError::IdentityTaken`]; [`StoreError::Invalid`] when nobody could ever be found to be this user; else as
    /// every write.
    pub fn create(&self, expected: &Expected, actor: &Actor) -> Result<User, StoreError> {
        self.write(|write| write.create(expected, actor))
    }
}

impl Write<'_> {
    pub(super) fn create(&self, expected: &Expected, actor: &Actor) -> Result<User, StoreError> {
        if expected.auth0_id.is_none() && expected.email.is_none() {
            return Err(StoreError::Invalid("a user needs an Auth0 id or an email to be found by"));
        }
        if expected.email_verified && expected.email.is_none() {
            return Err(StoreError::Invalid("an email can not be verified where there is none"));
        }
        if let Some(auth0_id) = &expected.auth0_id
            && let Some(user) = by_auth0_id(&self.tx, auth0_id)?
        {
            return Err(StoreError::IdentityTaken(user.id));
        }
        if expected.email_verified || expected.auth0_id.is_none() {
            self.not_somebody_s(expected.email.as_ref(), None)?;
        }
        let row = NewUser {
            auth0_id: expected.auth0_id.as_ref(),
            email: expected.email.as_ref(),
            email_verified: expected.email_verified,
            person: &expected.person,
            status: Status::Active,
            roles: &super::changes::in_order(&expected.roles),
            profile: None,
            fetched: false,
        };
        self.insert(&row, actor, Action::Created)
    }
}
