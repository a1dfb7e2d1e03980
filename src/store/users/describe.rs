//! The personal fields and the email of a row.

use rusqlite::params;

use super::find::by_email;
use crate::store::audit::Changes;
use crate::store::write::Write;
use crate::store::{Result, StoreError};
use crate::user::{Email, Person, User, UserId};

/// The personal fields, by the names in GraphQL and in the audit log.
pub(crate) fn fields(person: &Person) -> [(&'static str, Option<&str>); 6] {
    [
        ("name", person.name.as_deref()),
        ("givenName", person.given_name.as_deref()),
        ("familyName", person.family_name.as_deref()),
        ("nickname", person.nickname.as_deref()),
        ("picture", person.picture.as_deref()),
        ("phone", person.phone.as_deref()),
    ]
}

impl Write<'_> {
    /// Sets the personal fields and the email of a user, and returns what that changes.
    pub(crate) fn describe(
        &self,
        user: &User,
        person: &Person,
        email: Option<&Email>,
        verified: bool,
    ) -> Result<Changes> {
        let personal = fields(person).into_iter().zip(fields(&user.person));
        let mut changes = Changes::default()
            .redacted_if(personal.map(|((name, new), (_, old))| (name, new != old)))
            .redacted_if([("email", email != user.email.as_ref())]);
        if verified != user.email_verified {
            changes = changes.field("emailVerified", user.email_verified, verified);
        }
        if changes.is_empty() {
            return Ok(changes);
        }
        let sql =
            "UPDATE users SET name = ?2, given_name = ?3, family_name = ?4, nickname = ?5, picture = ?6,
                       phone = ?7, email = ?8, email_verified = ?9, updated_at = ?10
                   WHERE id = ?1";
        let Person { name, given_name, family_name, nickname, picture, phone } = person;
        let now = self.now_millis();
        let values =
            params![user.id, name, given_name, family_name, nickname, picture, phone, email, verified, now];
        self.tx.prepare_cached(sql)?.execute(values).map_err(StoreError::email_conflict)?;
        Ok(changes)
    }

    /// Refuses an email that leads to another user than `own`: a login with it would always find the other one.
    pub(crate) fn ensure_email_free(&self, email: Option<&Email>, own: Option<UserId>) -> Result<()> {
        let Some(email) = email else { return Ok(()) };
        let is_taken = by_email(self.tx, email)?.is_some_and(|user| Some(user.id) != own);
        if is_taken { Err(StoreError::EmailConflict) } else { Ok(()) }
    }

    /// Whether another user has the email verified.
    pub(crate) fn is_verified_by_another(&self, email: &Email, user: &User) -> Result<bool> {
        Ok(by_email(self.tx, email)?.is_some_and(|other| other.id != user.id && other.email_verified))
    }

    /// Sets the moment of the last change.
    pub(crate) fn touch(&self, id: UserId) -> Result<()> {
        self.run("UPDATE users SET updated_at = ?2 WHERE id = ?1", params![id, self.now_millis()]).map(drop)
    }
}
