//! Users from a file, such as the fixtures of a demo.

use serde::Deserialize;

use super::find::{by_auth0_id, by_email};
use super::insert::UserColumns;
use crate::store::audit::{Action, Actor};
use crate::store::write::Write;
use crate::store::{Result, Store, StoreError};
use crate::user::{Auth0Id, Email, Person, Status};

/// One user of `fixtures/users.json`. Without `auth0Id` the row is pre-provisioned: the first login with its email, verified,
/// claims it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedUser {
    /// The identity, if it is known.
    #[serde(default)]
    pub auth0_id: Option<Auth0Id>,
    /// In any spelling.
    #[serde(default)]
    pub email: Option<Email>,
    /// Whether the email is verified.
    #[serde(default)]
    pub email_verified: bool,
    /// Full name.
    #[serde(default)]
    pub name: Option<String>,
    /// First name.
    #[serde(default)]
    pub given_name: Option<String>,
    /// Last name.
    #[serde(default)]
    pub family_name: Option<String>,
    /// Nickname.
    #[serde(default)]
    pub nickname: Option<String>,
    /// URL of a picture.
    #[serde(default)]
    pub picture: Option<String>,
    /// Phone number.
    #[serde(default)]
    pub phone: Option<String>,
    /// `active` by default, or `blocked`. A user is erased by [`Store::set_status`], not by a seed.
    #[serde(default = "active")]
    pub status: Status,
    /// Names of roles.
    #[serde(default)]
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
            for (index, seed) in users.iter().enumerate() {
                let invalid = |reason| StoreError::Seed { position: index.saturating_add(1), reason };
                seed.check().map_err(invalid)?;
                match write.find_seeded(seed)? {
                    Existing::None => {}
                    Existing::Same => continue,
                    Existing::EmailTaken => {
                        return Err(invalid("another user, with another auth0Id, has this email verified"));
                    }
                }
                let person = seed.person();
                let columns = UserColumns {
                    auth0_id: seed.auth0_id.as_ref(),
                    email: seed.email.as_ref(),
                    email_verified: seed.email_verified,
                    status: seed.status,
                    roles: &seed.roles,
                    ..UserColumns::new(&person)
                };
                write.insert_row(&columns, actor, Action::Seeded)?;
                added += 1;
            }
            Ok(added)
        })
    }
}

enum Existing {
    None,
    Same,
    EmailTaken,
}

impl SeedUser {
    fn check(&self) -> Result<(), &'static str> {
        if self.auth0_id.is_none() && self.email.is_none() {
            return Err("has neither auth0Id nor email, so no login could find this user");
        }
        if self.email_verified && self.email.is_none() {
            return Err("has emailVerified but no email");
        }
        if self.person() != self.person().cleaned() {
            return Err(
                "has an empty name, one with control characters or of more than 200 characters, or a picture that is no http \
                 or https URL of at most 2,048 bytes",
            );
        }
        if self.status == Status::Erased {
            return Err("has status erased; seed it and erase it instead");
        }
        Ok(())
    }

    fn person(&self) -> Person {
        Person {
            name: self.name.clone(),
            given_name: self.given_name.clone(),
            family_name: self.family_name.clone(),
            nickname: self.nickname.clone(),
            picture: self.picture.clone(),
            phone: self.phone.clone(),
        }
    }
}

impl Write<'_> {
    fn find_seeded(&self, seed: &SeedUser) -> Result<Existing> {
        if let Some(auth0_id) = &seed.auth0_id
            && by_auth0_id(&self.tx, auth0_id)?.is_some()
        {
            return Ok(Existing::Same);
        }
        let by_email = match &seed.email {
            // An unverified email of a user with an identity proves nothing.
            Some(email) if seed.email_verified || seed.auth0_id.is_none() => by_email(&self.tx, email)?,
            _ => None,
        };
        Ok(match by_email {
            None => Existing::None,
            // A seed does not claim a pre-provisioned row; a login does.
            Some(user) if seed.auth0_id.is_none() || user.auth0_id.is_none() => Existing::Same,
            Some(_) => Existing::EmailTaken,
        })
    }
}

fn active() -> Status {
    Status::Active
}
