//! Users from a file: the fixtures of a demo, the people staff expect.

use serde::Deserialize;

use super::audit::{Action, Actor};
use super::rows::UserColumns;
use super::users::{by_auth0_id, by_email};
use super::{Store, StoreError, Write};
use crate::user::{Auth0Id, Email, Person, Status};

/// One user of `fixtures/users.json`.
///
/// Without `auth0Id` the row is pre-provisioned: whoever first comes with its email, verified, is its person.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedUser {
    /// The identity, if it is known.
    #[serde(default)]
    pub auth0_id: Option<Auth0Id>,
    /// In any spelling.
    #[serde(default)]
    pub email: Option<Email>,
    /// Whether somebody saw to it that the email is theirs.
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
    /// What friends say.
    #[serde(default)]
    pub nickname: Option<String>,
    /// URL of a picture.
    #[serde(default)]
    pub picture: Option<String>,
    /// Phone number.
    #[serde(default)]
    pub phone: Option<String>,
    /// `active` unless it says `blocked`. Tombstones are made by erasing, not by seeding.
    #[serde(default = "active")]
    pub status: Status,
    /// Names of roles.
    #[serde(default)]
    pub roles: Vec<String>,
}

impl Store {
    /// Makes the rows that are not here yet, all or none, and tells how many it made. Rows that are here, by Auth0 id
    /// or by email, are left as they are: what staff changed since outlives the next start.
    ///
    /// An erased user is found again only by their Auth0 id; a pre-provisioned one who was erased unclaimed is not.
    ///
    /// # Errors
    /// [`StoreError::Seed`] names the user that is wrong and why; else as every write.
    pub fn seed(&self, users: &[SeedUser], actor: &Actor) -> Result<usize, StoreError> {
        self.write(|write| {
            let mut made = 0;
            for (i, seed) in users.iter().enumerate() {
                let wrong = |reason| StoreError::Seed { position: i.saturating_add(1), reason };
                seed.check().map_err(wrong)?;
                match write.find_seeded(seed)? {
                    Found::Nobody => {}
                    Found::Them => continue,
                    Found::SomebodyElse => {
                        return Err(wrong("another user, with another auth0Id, has this email verified"));
                    }
                }
                let person = seed.person();
                let row = UserColumns {
                    auth0_id: seed.auth0_id.as_ref(),
                    email: seed.email.as_ref(),
                    email_verified: seed.email_verified,
                    person: &person,
                    status: seed.status,
                    roles: &seed.roles,
                    profile: None,
                    fetched: false,
                };
                write.insert(&row, actor, Action::Seeded)?;
                made += 1;
            }
            Ok(made)
        })
    }
}

/// Whom a seed meets in the database.
enum Found {
    Nobody,
    Them,
    SomebodyElse,
}

impl SeedUser {
    fn check(&self) -> Result<(), &'static str> {
        if self.auth0_id.is_none() && self.email.is_none() {
            return Err("has neither auth0Id nor email, so nobody could ever be found to be this user");
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
    fn find_seeded(&self, seed: &SeedUser) -> Result<Found, StoreError> {
        if let Some(auth0_id) = &seed.auth0_id
            && by_auth0_id(&self.tx, auth0_id)?.is_some()
        {
            return Ok(Found::Them);
        }
        let by_email = match &seed.email {
            // An unverified email of somebody with an identity says nothing about who they are.
            Some(email) if seed.email_verified || seed.auth0_id.is_none() => by_email(&self.tx, email)?,
            _ => None,
        };
        Ok(match by_email {
            None => Found::Nobody,
            // A row that nobody claimed yet is theirs to claim; a seed does not claim it for them.
            Some(user) if seed.auth0_id.is_none() || user.auth0_id.is_none() => Found::Them,
            Some(_) => Found::SomebodyElse,
        })
    }
}

fn active() -> Status {
    Status::Active
}
