//! Changes of personal fields and the email.

use crate::store::audit::{Action, Actor};
use crate::store::{Result, Store, StoreError};
use crate::user::{Email, Person, User, UserId};

/// What to change. `None` leaves a field as it is, `Some(None)` empties it.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields of a user")]
pub struct UserUpdate {
    pub name: Option<Option<String>>,
    pub given_name: Option<Option<String>>,
    pub family_name: Option<Option<String>>,
    pub nickname: Option<Option<String>>,
    pub picture: Option<Option<String>>,
    pub phone: Option<Option<String>>,
    /// Email. Another one is unverified, unless `email_verified` is `true`.
    pub email: Option<Option<Email>>,
    /// Whether staff verified the email.
    pub email_verified: Option<bool>,
}

impl Store {
    /// Changes fields of a user. Fields that already have the value add no audit line.
    ///
    /// # Errors
    /// [`StoreError::EmailConflict`] when the email leads to another user, and would lead to this one too;
    /// [`StoreError::Invalid`] for a verified email where there is none, and when no login could find the user any more.
    pub fn update(&self, id: UserId, update: &UserUpdate, actor: &Actor) -> Result<User> {
        self.write(|write| {
            let user = write.not_erased(id)?;
            let email = update.email.as_ref().unwrap_or(&user.email).as_ref();
            let same = email == user.email.as_ref();
            let verified = update.email_verified.unwrap_or(user.email_verified && same);
            if verified && email.is_none() {
                return Err(StoreError::Invalid("an email cannot be verified where there is none"));
            }
            if email.is_none() && user.auth0_id.is_none() {
                return Err(StoreError::Invalid("without its email no login could find this user"));
            }
            let leads_here = verified || user.auth0_id.is_none();
            if leads_here && !(same && verified == user.email_verified) {
                write.ensure_email_free(email, Some(id))?;
            }
            let changes = write.describe(&user, &update.person(&user.person), email, verified)?;
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
