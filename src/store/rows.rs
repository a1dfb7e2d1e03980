//! Steps inside a write transaction: making a row, claiming one, describing its person, adding an identity.

use jiff::Timestamp;
use rusqlite::params;
use serde_json::Value;

use super::audit::{Action, Actor, Changes};
use super::users::{by_email, by_id};
use super::{StoreError, Write};
use crate::user::{Auth0Id, Email, Person, Status, User, UserId};

/// A row to be made.
pub(super) struct UserColumns<'a> {
    pub(super) auth0_id: Option<&'a Auth0Id>,
    pub(super) email: Option<&'a Email>,
    pub(super) email_verified: bool,
    pub(super) person: &'a Person,
    pub(super) status: Status,
    pub(super) roles: &'a [String],
    pub(super) profile: Option<&'a str>,
    /// Whether all this comes from Auth0, just now.
    pub(super) fetched: bool,
}

/// What Auth0 knows of somebody who claims a row that staff filled in.
#[derive(Clone, Copy)]
pub(super) struct Details<'a> {
    pub(super) person: &'a Person,
    pub(super) profile: Option<&'a str>,
}

impl Write<'_> {
    pub(super) fn insert(
        &self,
        row: &UserColumns<'_>,
        actor: &Actor,
        action: Action,
    ) -> Result<User, StoreError> {
        let id = self.insert_row(row, actor, action)?;
        self.existing(id)
    }

    /// [`Write::insert`] for whoever does not need the row back.
    pub(super) fn insert_row(
        &self,
        row: &UserColumns<'_>,
        actor: &Actor,
        action: Action,
    ) -> Result<UserId, StoreError> {
        let (id, changes) = self.put_row(row)?;
        if let Some(auth0_id) = row.auth0_id {
            self.add_identity(auth0_id, id)?;
        }
        self.audit(actor, action, id, changes)?;
        Ok(id)
    }

    /// The row alone, without its identity and its line in the trail, which is to tell the changes that are given.
    pub(super) fn put_row(&self, row: &UserColumns<'_>) -> Result<(UserId, Changes), StoreError> {
        let id = UserId::new(self.now);
        let now = self.now.as_millisecond();
        let mut statement = self.tx.prepare_cached(
            "INSERT INTO users (id, auth0_id, email, email_verified, name, given_name, family_name, nickname,
                                picture, phone, status, roles, profile, created_at, updated_at, profile_fetched_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?15)",
        )?;
        let person = row.person;
        statement
            .execute(params![
                id.as_bytes(),
                row.auth0_id.map(Auth0Id::as_str),
                row.email.map(Email::as_str),
                row.email_verified,
                person.name,
                person.given_name,
                person.family_name,
                person.nickname,
                person.picture,
                person.phone,
                row.status.as_str(),
                Value::from(row.roles).to_string(),
                row.profile,
                now,
                row.fetched.then_some(now),
            ])
            .map_err(StoreError::email_conflict)?;
        let mut changes = fields(person)
            .into_iter()
            .filter(|(_, value)| value.is_some())
            .fold(Changes::default(), |changes, (name, _)| changes.personal(name))
            .field("status", Value::Null, row.status.as_str());
        if let Some(auth0_id) = row.auth0_id {
            changes = changes.identity(auth0_id);
        }
        if row.email.is_some() {
            changes = changes.personal("email").field("emailVerified", Value::Null, row.email_verified);
        }
        if !row.roles.is_empty() {
            changes = changes.field("roles", Value::Null, row.roles);
        }
        if row.profile.is_some() {
            changes = changes.personal("profile");
        }
        Ok((id, changes))
    }

    /// Makes a pre-provisioned row its person's. What staff filled in stands; what they left out comes from Auth0.
    pub(super) fn claim(
        &self,
        user: &User,
        auth0_id: &Auth0Id,
        details: Option<Details<'_>>,
        changes: Changes,
    ) -> Result<Changes, StoreError> {
        let nobody = Person::default();
        let now = self.now.as_millisecond();
        let fetched_at = details.map(|_| now);
        let Details { person, profile } = details.unwrap_or(Details { person: &nobody, profile: None });
        let mut statement = self.tx.prepare_cached(
            "UPDATE users SET auth0_id = ?2, updated_at = ?3, profile = coalesce(profile, ?4),
                 profile_fetched_at = coalesce(profile_fetched_at, ?5)
             WHERE id = ?1",
        )?;
        statement.execute(params![user.id.as_bytes(), auth0_id.as_str(), now, profile, fetched_at])?;
        let mut changes =
            changes.and(self.describe(user, &user.person.or(person), user.email.as_ref(), true)?);
        if profile.is_some() && user.profile.is_none() {
            changes = changes.personal("profile");
        }
        Ok(changes)
    }

    /// Sets what a user is called and their email, unless all of it is so already. Tells what that changes.
    ///
    /// # Errors
    /// [`StoreError::EmailConflict`].
    pub(super) fn describe(
        &self,
        user: &User,
        person: &Person,
        email: Option<&Email>,
        verified: bool,
    ) -> Result<Changes, StoreError> {
        let mut changes = Changes::default();
        for ((name, new), (_, old)) in fields(person).into_iter().zip(fields(&user.person)) {
            if new != old {
                changes = changes.personal(name);
            }
        }
        if email != user.email.as_ref() {
            changes = changes.personal("email");
        }
        if verified != user.email_verified {
            changes = changes.field("emailVerified", user.email_verified, verified);
        }
        if changes.is_empty() {
            return Ok(changes);
        }
        let mut statement = self.tx.prepare_cached(
            "UPDATE users SET name = ?2, given_name = ?3, family_name = ?4, nickname = ?5, picture = ?6, phone = ?7,
                 email = ?8, email_verified = ?9, updated_at = ?10
             WHERE id = ?1",
        )?;
        statement
            .execute(params![
                user.id.as_bytes(),
                person.name,
                person.given_name,
                person.family_name,
                person.nickname,
                person.picture,
                person.phone,
                email.map(Email::as_str),
                verified,
                self.now.as_millisecond(),
            ])
            .map_err(StoreError::email_conflict)?;
        Ok(changes)
    }

    pub(super) fn add_identity(&self, auth0_id: &Auth0Id, user: UserId) -> Result<(), StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("INSERT INTO identities (auth0_id, user_id, linked_at) VALUES (?1, ?2, ?3)")?;
        statement.execute(params![auth0_id.as_str(), user.as_bytes(), self.now.as_millisecond()])?;
        Ok(())
    }

    /// Refuses an email by which a row is to be found and which leads to somebody else than `own` already: whoever came
    /// with it would always be the other.
    ///
    /// # Errors
    /// [`StoreError::EmailConflict`].
    pub(super) fn not_somebody_s(
        &self,
        email: Option<&Email>,
        own: Option<UserId>,
    ) -> Result<(), StoreError> {
        let Some(email) = email else { return Ok(()) };
        let other = by_email(&self.tx, email)?.is_some_and(|user| Some(user.id) != own);
        if other { Err(StoreError::EmailConflict) } else { Ok(()) }
    }

    /// Whether somebody else than `user` has the email verified.
    pub(super) fn is_taken(&self, email: &Email, user: &User) -> Result<bool, StoreError> {
        Ok(by_email(&self.tx, email)?.is_some_and(|other| other.id != user.id && other.email_verified))
    }

    /// Sets whether a user may come in, and from when on their tokens count. [`Write::erase`] is for good.
    pub(super) fn put_status(
        &self,
        id: UserId,
        status: Status,
        valid_from: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let mut statement = self.tx.prepare_cached(
            "UPDATE users SET status = ?2, tokens_valid_from = ?3, updated_at = ?4 WHERE id = ?1",
        )?;
        statement.execute(params![
            id.as_bytes(),
            status.as_str(),
            valid_from.map(Timestamp::as_millisecond),
            self.now.as_millisecond(),
        ])?;
        Ok(())
    }

    /// The row as it now stands: what callers get is what was written, not what was meant.
    pub(super) fn existing(&self, id: UserId) -> Result<User, StoreError> {
        by_id(&self.tx, id)?.ok_or(StoreError::NotFound(id))
    }
}

/// The personal fields by the names that clients and the audit trail use.
pub(super) fn fields(person: &Person) -> [(&'static str, Option<&str>); 6] {
    [
        ("name", person.name.as_deref()),
        ("givenName", person.given_name.as_deref()),
        ("familyName", person.family_name.as_deref()),
        ("nickname", person.nickname.as_deref()),
        ("picture", person.picture.as_deref()),
        ("phone", person.phone.as_deref()),
    ]
}
