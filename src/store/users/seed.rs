//! Users from a file, such as the fixtures of a demo.

use serde::Deserialize;

use super::create::NewUser;
use super::find::{by_auth0_id, by_email};
use crate::store::audit::{Action, Actor};
use crate::store::write::Write;
use crate::store::{Result, Store, StoreError};
use crate::user::{Auth0Id, Email, Person, Status};

/// One user of `fixtures/users.json`: a [`NewUser`] that may be blocked.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the fields of NewUser and Person, and the status")]
pub struct SeedUser {
    pub auth0_id: Option<Auth0Id>,
    pub email: Option<Email>,
    pub email_verified: bool,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub nickname: Option<String>,
    pub picture: Option<String>,
    pub phone: Option<String>,
    pub status: Status,
    pub roles: Vec<String>,
}

impl Store {
    /// Adds the users that do not exist yet, all or none, and returns how many it added. Users that exist, by Auth0 id or by
    /// email, stay as they are: changes by staff outlive the next start.
    ///
    /// An erased user is recognised only by their Auth0 id; one who was erased before their first login is not.
    ///
    /// # Errors
    /// [`StoreError::Seed`] with the invalid user and the reason; else as every write.
    pub fn seed(&self, users: &[SeedUser], actor: &Actor) -> Result<usize> {
        self.write(|write| {
            let mut added = 0;
            for (seed, position) in users.iter().zip(1..) {
                let is_new = write.seed(seed, actor).map_err(|error| match error {
                    StoreError::Invalid(_) | StoreError::EmailConflict => {
                        StoreError::Seed { position, reason: error.to_string() }
                    }
                    error => error,
                })?;
                added += usize::from(is_new);
            }
            Ok(added)
        })
    }
}

impl Write<'_> {
    /// Creates a user unless they exist. Returns whether it did.
    fn seed(&self, seed: &SeedUser, actor: &Actor) -> Result<bool> {
        let SeedUser { auth0_id, email, email_verified, status, roles, .. } = seed.clone();
        let SeedUser { name, given_name, family_name, nickname, picture, phone, .. } = seed.clone();
        let person = Person { name, given_name, family_name, nickname, picture, phone };
        if person.clone().cleaned() != person {
            return Err(StoreError::Invalid(
                "a name is empty, has control or invisible characters or more than 200 characters, or the picture is no http or https \
                 URL of at most 2,048 bytes",
            ));
        }
        if status == Status::Erased {
            return Err(StoreError::Invalid(
                "a user cannot be seeded as erased; seed it and erase it instead",
            ));
        }
        if self.is_seeded(seed)? {
            return Ok(false);
        }
        let new = NewUser { auth0_id, email, email_verified, person, roles };
        self.create(&new, status, actor, Action::Seeded).map(|_| true)
    }

    fn is_seeded(&self, seed: &SeedUser) -> Result<bool> {
        if let Some(auth0_id) = &seed.auth0_id
            && by_auth0_id(self.tx, auth0_id)?.is_some()
        {
            return Ok(true);
        }
        match &seed.email {
            // A seed does not claim a pre-provisioned row; a login does.
            Some(email) if seed.email_verified || seed.auth0_id.is_none() => Ok(by_email(self.tx, email)?
                .is_some_and(|user| seed.auth0_id.is_none() || user.auth0_id.is_none())),
            // An unverified email of a user with an identity proves nothing.
            _ => Ok(false),
        }
    }
}
