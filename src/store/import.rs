//! Users from an export of Auth0's: many rows a transaction, and again without harm. `bulk` does it batch by batch.
//!
//! A row finds its user by Auth0 id, else by verified email, by the rules of every login. What the export says of the
//! row's own identity is taken over; what it says of a linked one, or of somebody found by email alone, only fills
//! gaps. Nobody is unblocked, nothing is emptied, and an email that is verified here stays so.

use serde::{Deserialize, Serialize};

use super::audit::{Action, Actor, Changes};
use super::rows::{Details, NewUser};
use super::users::{by_auth0_id, by_email};
use super::{LinkEmail, Store, StoreError, Write};
use crate::user::{Auth0Id, Email, Person, Status, User};

/// One user of an export. What is absent says nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ImportRow {
    /// Who they are to Auth0. Without it the row is pre-provisioned: whoever first comes with its email, verified, is
    /// its person.
    pub auth0_id: Option<Auth0Id>,
    /// Required without `auth0_id`.
    pub email: Option<Email>,
    /// Whether Auth0 has seen to it that the email is theirs.
    pub email_verified: bool,
    /// What they are called.
    pub person: Person,
    /// Whether Auth0 turns them away.
    pub blocked: bool,
}

impl ImportRow {
    /// Whether it has no key by which anybody could be found to be this user.
    pub(super) fn is_nobody(&self) -> bool {
        self.auth0_id.is_none() && self.email.is_none()
    }

    /// The email by which its user is found, and is to be found: an unverified one of somebody with an identity finds
    /// nobody.
    pub(super) fn key_email(&self) -> Option<&Email> {
        self.email.as_ref().filter(|_| self.email_verified || self.auth0_id.is_none())
    }

    fn verified_email(&self) -> Option<&Email> {
        self.email.as_ref().filter(|_| self.email_verified)
    }

    fn new_user(&self) -> NewUser<'_> {
        NewUser {
            auth0_id: self.auth0_id.as_ref(),
            email: self.email.as_ref(),
            email_verified: self.verified_email().is_some(),
            person: &self.person,
            status: if self.blocked { Status::Blocked } else { Status::Active },
            roles: &[],
            profile: None,
            // An export can be of any age.
            fetched: false,
        }
    }
}

/// How to import.
#[derive(Debug, Clone, Copy)]
pub struct ImportRules {
    /// Whether a row with a new identity and the verified email of somebody with another is linked to them.
    pub link: LinkEmail,
    /// Finds out what would become of each row, and undoes it.
    pub dry_run: bool,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Imported {
    /// A user was made.
    Added,
    /// A user was changed.
    Changed,
    /// Everything was so already.
    Unchanged,
    /// Nothing was done, because the user was erased and stays so.
    Erased,
    /// Nothing was done, because somebody else has the email verified.
    EmailTaken,
    /// Nothing was done: with neither Auth0 id nor email, nobody could ever be found to be this user.
    Nobody,
}

impl Store {
    /// Imports `rows` in one transaction, and tells of each in order what became of it. Each change leaves a line in
    /// the trail. Other processes wait for the write lock meanwhile, so some thousand rows at a time are enough.
    ///
    /// # Errors
    /// As every write; then none of the rows was imported.
    pub fn import(
        &self,
        rows: &[ImportRow],
        rules: ImportRules,
        actor: &Actor,
    ) -> Result<Vec<Imported>, StoreError> {
        let all = |write: &Write<'_>| rows.iter().map(|row| write.import(row, rules.link, actor)).collect();
        if rules.dry_run { self.rehearse(all) } else { self.write(all) }
    }

    /// Adds `rows` to a database that was laid [`bare`](super::bare). Nobody can be found by their keys.
    pub(super) fn import_new(&self, rows: &[ImportRow], actor: &Actor) -> Result<Vec<Imported>, StoreError> {
        self.write(|write| {
            for row in rows {
                let (id, changes) = write.put_row(&row.new_user())?;
                write.audit(actor, Action::Imported, id, changes)?;
            }
            Ok(vec![Imported::Added; rows.len()])
        })
    }
}

impl Write<'_> {
    fn import(&self, row: &ImportRow, link: LinkEmail, actor: &Actor) -> Result<Imported, StoreError> {
        if row.is_nobody() {
            return Ok(Imported::Nobody);
        }
        if let Some(auth0_id) = &row.auth0_id
            && let Some(user) = by_auth0_id(&self.tx, auth0_id)?
        {
            let own = user.auth0_id.as_ref() == Some(auth0_id);
            return self.bring_up(&user, row, own, actor);
        }
        let found = row.key_email().map(|email| by_email(&self.tx, email)).transpose()?.flatten();
        match (found, &row.auth0_id) {
            (Some(user), Some(auth0_id)) => self.link_imported(&user, auth0_id, row, link, actor),
            // An unverified email says nothing about somebody who has an identity.
            (Some(user), None) if !row.email_verified && user.auth0_id.is_some() => Ok(Imported::EmailTaken),
            (Some(user), None) => self.bring_up(&user, row, false, actor),
            (None, _) => {
                self.insert_row(&row.new_user(), actor, Action::Imported)?;
                Ok(Imported::Added)
            }
        }
    }

    fn link_imported(
        &self,
        user: &User,
        auth0_id: &Auth0Id,
        row: &ImportRow,
        link: LinkEmail,
        actor: &Actor,
    ) -> Result<Imported, StoreError> {
        let details = Details { person: &row.person, profile: None };
        match self.link(user, auth0_id, Some(details), link, actor) {
            Ok(linked) => {
                self.bring_up(&linked, row, false, actor)?;
                Ok(Imported::Changed)
            }
            // Told before anything is written.
            Err(StoreError::EmailConflict) => Ok(Imported::EmailTaken),
            Err(error) => Err(error),
        }
    }

    /// Changes a user to what the row says: all of it when the row is of their `own` identity, else what they lack.
    fn bring_up(
        &self,
        user: &User,
        row: &ImportRow,
        own: bool,
        actor: &Actor,
    ) -> Result<Imported, StoreError> {
        if user.status == Status::Erased {
            return Ok(Imported::Erased);
        }
        let person = if own { row.person.or(&user.person) } else { user.person.or(&row.person) };
        let email = match (&user.email, &row.email) {
            (old, Some(new)) if own || old.is_none() => Some(new),
            (old, _) => old.as_ref(),
        };
        let same = email == user.email.as_ref();
        let said = email.is_some() && email == row.verified_email();
        let verified = said || (user.email_verified && same);
        if let Some(email) = email
            && verified
            && !(same && user.email_verified)
            && self.is_taken(email, user)?
        {
            return Ok(Imported::EmailTaken);
        }
        let mut changes = self.describe(user, &person, email, verified)?;
        if row.blocked && user.status == Status::Active {
            changes = changes.and(self.block_imported(user)?);
        }
        if changes.is_empty() {
            return Ok(Imported::Unchanged);
        }
        self.audit(actor, Action::Imported, user.id, changes)?;
        Ok(Imported::Changed)
    }

    fn block_imported(&self, user: &User) -> Result<Changes, StoreError> {
        self.put_status(user.id, Status::Blocked, Some(self.revocation(user)))?;
        let changes = Changes::default().field("status", user.status.as_str(), Status::Blocked.as_str());
        Ok(self.revoked(user, changes))
    }
}
