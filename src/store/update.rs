//! Changing what a person is called, and their email.

use super::audit::{Action, Actor};
use super::changes::not_erased;
use super::{Store, StoreError};
use crate::user::{Email, Person, User, UserId};

/// What to change. `None` leaves a field as it is, `Some(None)` empties it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserUpdate {
    /// Full name.
    pub name: Option<Option<String>>,
    /// First name.
    pub given_name: Option<Option<String>>,
    /// Last name.
    pub family_name: Option<Option<String>>,
    /// What friends say.
    pub nickname: Option<Option<String>>,
    /// URL of a picture.
    pub picture: Option<Option<String>>,
    /// Phone number.
    pub phone: Option<Option<String>>,
    /// In canonical form. Another one is unverified, unless `email_verified` says otherwise.
    pub email: Option<Option<Email>>,
    /// Whether somebody saw to it that the email is theirs.
    pub email_verified: Option<bool>,
}

impl Store {
    /// Changes fields of a user. What is so already changes nothing and leaves no line in the trail.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Erased`]; [`StoreError::EmailConflict`] when another row has the email
    /// verified, or waits for its person with it, and this one would be found by it too; [`StoreError::Invalid`] for a
    /// verified email where there is none, and when the row would be left with nothing to be found by; else as every write.
    pub fn update(&self, id: UserId, update: &UserUpdate, actor: &Actor) -> Result<User, StoreError> {
        self.write(|write| {
            let user = not_erased(write.existing(id)?)?;
            let person = update.person(&user.person);
            let email = update.email.clone().unwrap_or_else(|| user.email.clone());
            let same = email == user.email;
            let verified = update.email_verified.unwrap_or(user.email_verified && same);
            if verified && email.is_none() {
                return Err(StoreError::Invalid("an email can not be verified where there is none"));
            }
            if email.is_none() && user.auth0_id.is_none() {
                return Err(StoreError::Invalid(
                    "without its email nobody could ever be found to be this user",
                ));
            }
            let found_by_it = verified || user.auth0_id.is_none();
            if found_by_it && !(same && verified == user.email_verified) {
                write.not_somebody_s(email.as_ref(), Some(id))?;
            }
            let changes = write.describe(&user, &person, email.as_ref(), verified)?;
            if changes.is_empty() {
                return Ok(user);
            }
            write.audit(actor, Action::Updated, id, changes)?;
            write.existing(id)
        })
    }
}

impl UserUpdate {
    fn person(&self, old: &Person) -> Person {
        let new = |new: &Option<Option<String>>, old: &Option<String>| new.as_ref().unwrap_or(old).clone();
        Person {
            name: new(&self.name, &old.name),
            given_name: new(&self.given_name, &old.given_name),
            family_name: new(&self.family_name, &old.family_name),
            nickname: new(&self.nickname, &old.nickname),
            picture: new(&self.picture, &old.picture),
            phone: new(&self.phone, &old.phone),
        }
    }
}
