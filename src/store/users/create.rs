//! Users that staff create, often before their first login.

use super::find::by_auth0_id;
use super::insert::UserColumns;
use super::roles::sorted;
use crate::store::audit::{Action, Actor};
use crate::store::idempotency::check_key;
use crate::store::write::Write;
use crate::store::{Result, Store, StoreError};
use crate::user::{Auth0Id, Email, Person, Status, User};

/// A user to create. Without an Auth0 id the row is pre-provisioned: the first login with its email, verified, claims it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewUser {
    /// The identity, if it is known.
    pub auth0_id: Option<Auth0Id>,
    /// Required without `auth0_id`.
    pub email: Option<Email>,
    /// Whether staff verified that the email is theirs.
    pub email_verified: bool,
    /// The personal fields.
    pub person: Person,
    /// Names of roles.
    pub roles: Vec<String>,
}

impl Store {
    /// Creates a user.
    ///
    /// # Errors
    /// [`StoreError::EmailConflict`] when the email leads to another user, and would lead to this one too;
    /// [`StoreError::IdentityTaken`]; [`StoreError::Invalid`] when no login could find this user; else as every write.
    pub fn create(&self, new: &NewUser, actor: &Actor) -> Result<User> {
        self.write(|write| write.create(new, Status::Active, actor, Action::Created))
    }

    /// [`Store::create`] with an idempotency key, the `clientMutationId`: when `actor` used it within a day, returns the user
    /// created then, as they are now.
    ///
    /// # Errors
    /// As [`Store::create`]; [`StoreError::IdempotencyKeyReused`] when it was used for another user;
    /// [`StoreError::Invalid`] for a key that is empty or longer than 255 bytes.
    pub fn create_idempotent(&self, new: &NewUser, key: &str, actor: &Actor) -> Result<User> {
        check_key(key)?;
        self.write(|write| {
            if let Some(id) = write.created_with_key(actor, key)? {
                let user = write.existing(id)?;
                let same = user.email == new.email
                    && new.auth0_id.as_ref().is_none_or(|id| user.auth0_id.as_ref() == Some(id));
                return if same { Ok(user) } else { Err(StoreError::IdempotencyKeyReused) };
            }
            let user = write.create(new, Status::Active, actor, Action::Created)?;
            write.remember_key(actor, key, user.id)?;
            Ok(user)
        })
    }
}

impl Write<'_> {
    /// Creates a user with a status other than erased.
    pub(super) fn create(
        &self,
        new: &NewUser,
        status: Status,
        actor: &Actor,
        action: Action,
    ) -> Result<User> {
        let NewUser { auth0_id, email, email_verified, person, roles } = new;
        if auth0_id.is_none() && email.is_none() {
            return Err(StoreError::Invalid("a user needs an Auth0 id or an email to be found by"));
        }
        if *email_verified && email.is_none() {
            return Err(StoreError::Invalid("an email cannot be verified where there is none"));
        }
        if let Some(auth0_id) = auth0_id
            && let Some(user) = by_auth0_id(&self.tx, auth0_id)?
        {
            return Err(StoreError::IdentityTaken(user.id));
        }
        if *email_verified || auth0_id.is_none() {
            self.ensure_email_free(email.as_ref(), None)?;
        }
        let columns = UserColumns {
            auth0_id: auth0_id.as_ref(),
            email: email.as_ref(),
            email_verified: *email_verified,
            status,
            roles: &sorted(roles),
            ..UserColumns::new(person)
        };
        self.insert(&columns, actor, action)
    }
}
