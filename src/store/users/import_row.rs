//! One row of an import. It finds its user by Auth0 id, else by verified email, as a login does. Data about the user's own
//! identity replaces theirs; data about a linked identity, or about a user found by email alone, only fills gaps. An import
//! never empties a field or takes a verification away, and lifts no block but one that came from Auth0.

use super::find::{by_auth0_id, by_email};
use super::insert::UserColumns;
use super::provision::Auth0Data;
use crate::store::audit::{Action, Actor};
use crate::store::write::Write;
use crate::store::{LinkRules, Result, StoreError};
use crate::user::{Auth0Id, Email, Person, Status, User};

/// One user of an export. An absent field changes nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportRow {
    /// Their Auth0 id. A row without one pre-provisions a user: the first login with its email, verified, claims it.
    pub auth0_id: Option<Auth0Id>,
    /// Required without `auth0_id`.
    pub email: Option<Email>,
    /// Whether Auth0 verified the email.
    pub email_verified: bool,
    /// Name, picture, phone.
    pub person: Person,
    /// Whether Auth0 refuses their logins.
    pub blocked: Option<bool>,
}

/// What an import did with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "most names say it")]
pub enum ImportOutcome {
    Added,
    Updated,
    Unchanged,
    /// Skipped: the user was erased, and stays erased.
    Erased,
    /// Skipped: another user has the email, verified.
    EmailTaken,
    /// Skipped: with neither Auth0 id nor email, no login could ever find this user.
    NoKey,
}

impl ImportRow {
    /// The email that finds the row's user. An unverified email of a row with an identity finds no one.
    fn key_email(&self) -> Option<&Email> {
        self.email.as_ref().filter(|_| self.email_verified || self.auth0_id.is_none())
    }

    fn verified_email(&self) -> Option<&Email> {
        self.email.as_ref().filter(|_| self.email_verified)
    }
}

impl Write<'_> {
    pub(crate) fn import_row(
        &self,
        row: &ImportRow,
        link: LinkRules,
        actor: &Actor,
    ) -> Result<ImportOutcome> {
        if row.auth0_id.is_none() && row.email.is_none() {
            return Ok(ImportOutcome::NoKey);
        }
        if let Some(auth0_id) = &row.auth0_id
            && let Some(user) = by_auth0_id(self.tx, auth0_id)?
        {
            let own = user.auth0_id.as_ref() == Some(auth0_id);
            return self.update_imported(&user, row, own, actor);
        }
        let found = row.key_email().map(|email| by_email(self.tx, email)).transpose()?.flatten();
        match (found, &row.auth0_id) {
            (Some(user), Some(auth0_id)) => self.link_imported(&user, auth0_id, row, link, actor),
            // An unverified email proves nothing about a user with an identity.
            (Some(user), None) if !row.email_verified && user.auth0_id.is_some() => {
                Ok(ImportOutcome::EmailTaken)
            }
            (Some(user), None) => self.update_imported(&user, row, false, actor),
            (None, _) => {
                let columns = UserColumns {
                    auth0_id: row.auth0_id.as_ref(),
                    email: row.email.as_ref(),
                    email_verified: row.verified_email().is_some(),
                    status: if row.blocked == Some(true) { Status::Blocked } else { Status::Active },
                    ..UserColumns::new(&row.person)
                };
                let id = self.insert_row(&columns, actor, Action::Imported)?;
                if columns.status == Status::Blocked {
                    self.set_blocked_by_auth0(id, true)?;
                }
                Ok(ImportOutcome::Added)
            }
        }
    }

    fn link_imported(
        &self,
        user: &User,
        auth0_id: &Auth0Id,
        row: &ImportRow,
        link: LinkRules,
        actor: &Actor,
    ) -> Result<ImportOutcome> {
        let data = Auth0Data { person: Some(&row.person), profile: None };
        let linked = match self.link(user, auth0_id, data, link, actor) {
            // `link` refuses before it writes.
            Err(StoreError::EmailConflict | StoreError::LinkByHand(_)) => {
                return Ok(ImportOutcome::EmailTaken);
            }
            linked => linked?,
        };
        self.update_imported(&linked, row, false, actor)?;
        Ok(ImportOutcome::Updated)
    }

    /// Updates a user from the row: every field when the row is of their `own` identity, else only empty ones.
    fn update_imported(
        &self,
        user: &User,
        row: &ImportRow,
        own: bool,
        actor: &Actor,
    ) -> Result<ImportOutcome> {
        if user.status == Status::Erased {
            return Ok(ImportOutcome::Erased);
        }
        let person = if own { row.person.or(&user.person) } else { user.person.or(&row.person) };
        let replaces_email = row.email.is_some() && (own || user.email.is_none());
        let email = if replaces_email { row.email.as_ref() } else { user.email.as_ref() };
        let same = email == user.email.as_ref();
        let verified = (email.is_some() && email == row.verified_email()) || (user.email_verified && same);
        let newly_verified = verified && !(same && user.email_verified);
        if let Some(email) = email
            && newly_verified
            && self.is_verified_by_another(email, user)?
        {
            return Ok(ImportOutcome::EmailTaken);
        }
        let mut changes = self.describe(user, &person, email, verified)?;
        if let Some(blocked) = row.blocked {
            changes = changes.and(self.follow_block(user, blocked)?);
        }
        if changes.is_empty() {
            return Ok(ImportOutcome::Unchanged);
        }
        self.audit(actor, Action::Imported, user.id, changes)?;
        Ok(ImportOutcome::Updated)
    }
}
