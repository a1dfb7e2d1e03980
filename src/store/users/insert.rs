//! A new row.

use rusqlite::params;
use serde_json::Value;

use super::describe::fields;
use crate::store::audit::{Action, Actor, Changes};
use crate::store::write::Write;
use crate::store::{Result, StoreError};
use crate::user::{Auth0Id, Email, Person, Status, User, UserId};

pub(crate) struct UserColumns<'a> {
    pub(crate) auth0_id: Option<&'a Auth0Id>,
    pub(crate) email: Option<&'a Email>,
    pub(crate) email_verified: bool,
    pub(crate) person: &'a Person,
    pub(crate) status: Status,
    pub(crate) roles: &'a [String],
    pub(crate) profile: Option<&'a str>,
    /// Whether the data was just fetched from Auth0.
    pub(crate) fetched: bool,
}

impl Write<'_> {
    /// Adds a row with its identity and its audit line, and returns it.
    pub(crate) fn insert(&self, columns: &UserColumns<'_>, actor: &Actor, action: Action) -> Result<User> {
        let id = self.insert_row(columns, actor, action)?;
        self.existing(id)
    }

    /// [`Write::insert`] without reading the row back.
    pub(crate) fn insert_row(
        &self,
        columns: &UserColumns<'_>,
        actor: &Actor,
        action: Action,
    ) -> Result<UserId> {
        let UserColumns { auth0_id, email, email_verified, person, status, roles, profile, fetched } =
            columns;
        let (id, now) = (UserId::new(self.now), self.now_millis());
        let mut statement = self.tx.prepare_cached(
            "INSERT INTO users (id, auth0_id, email, email_verified, name, given_name, family_name, nickname,
                                picture, phone, status, roles, profile, created_at, updated_at, profile_fetched_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?15)",
        )?;
        statement
            .execute(params![
                id,
                auth0_id,
                email,
                email_verified,
                person.name,
                person.given_name,
                person.family_name,
                person.nickname,
                person.picture,
                person.phone,
                status,
                Value::from(*roles).to_string(),
                profile,
                now,
                fetched.then_some(now),
            ])
            .map_err(StoreError::email_conflict)?;
        if let Some(auth0_id) = auth0_id {
            self.add_identity(auth0_id, id)?;
        }
        self.audit(actor, action, id, columns.changes())?;
        Ok(id)
    }
}

impl<'a> UserColumns<'a> {
    /// An active user without identity, email, roles or profile.
    pub(crate) fn new(person: &'a Person) -> Self {
        Self {
            auth0_id: None,
            email: None,
            email_verified: false,
            person,
            status: Status::Active,
            roles: &[],
            profile: None,
            fetched: false,
        }
    }

    fn changes(&self) -> Changes {
        let mut changes = Changes::default()
            .redacted_if(fields(self.person).map(|(name, value)| (name, value.is_some())))
            .redacted_if([("email", self.email.is_some()), ("profile", self.profile.is_some())])
            .field("status", Value::Null, self.status.as_str());
        if let Some(auth0_id) = self.auth0_id {
            changes = changes.identity_added(auth0_id);
        }
        if self.email.is_some() {
            changes = changes.field("emailVerified", Value::Null, self.email_verified);
        }
        if !self.roles.is_empty() {
            changes = changes.field("roles", Value::Null, self.roles);
        }
        changes
    }
}
