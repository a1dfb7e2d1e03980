//! Making a row for somebody who has not come yet.

use super::audit::{Action, Actor};
use super::rows::UserColumns;
use super::users::by_auth0_id;
use super::{Store, StoreError, Write};
use crate::user::{Auth0Id, Email, Person, Status, User};

/// A user that staff expect.
///
/// Without an Auth0 id the row is pre-provisioned: whoever first comes with its email, verified, is its person.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewUser {
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
    pub fn create(&self, new: &NewUser, actor: &Actor) -> Result<User, StoreError> {
        self.write(|write| write.create(new, actor))
    }
}

impl Write<'_> {
    pub(super) fn create(&self, new: &NewUser, actor: &Actor) -> Result<User, StoreError> {
        if new.auth0_id.is_none() && new.email.is_none() {
            return Err(StoreError::Invalid("a user needs an Auth0 id or an email to be found by"));
        }
        if new.email_verified && new.email.is_none() {
            return Err(StoreError::Invalid("an email can not be verified where there is none"));
        }
        if let Some(auth0_id) = &new.auth0_id
            && let Some(user) = by_auth0_id(&self.tx, auth0_id)?
        {
            return Err(StoreError::IdentityTaken(user.id));
        }
        if new.email_verified || new.auth0_id.is_none() {
            self.not_somebody_s(new.email.as_ref(), None)?;
        }
        let row = UserColumns {
            auth0_id: new.auth0_id.as_ref(),
            email: new.email.as_ref(),
            email_verified: new.email_verified,
            person: &new.person,
            status: Status::Active,
            roles: &super::changes::in_order(&new.roles),
            profile: None,
            fetched: false,
        };
        self.insert(&row, actor, Action::Created)
    }
}
