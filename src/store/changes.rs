//! What staff and users change of a row: status, roles, a sign-out everywhere.
//!
//! Each of them that takes something away also revokes the tokens issued so far, because those still say otherwise.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::params;
use serde_json::Value;

use super::audit::{Action, Actor, Changes};
use super::{Store, StoreError, Write};
use crate::user::{Status, User, UserId};

impl Store {
    /// Blocks, unblocks or erases a user. Blocking and erasing withdraw their tokens; unblocking gives none back.
    /// Setting the status they have changes nothing.
    ///
    /// Erasing removes all that tells of the person, from the file and its write-ahead log too, and lets go of the
    /// copies that were kept before migrating. Backups are their owner's to let go of. A tombstone stays, to which
    /// pseudonyms of their Auth0 ids lead, so that a token that is still valid does not make them anew. What Auth0 has
    /// yet to be told of them keeps the id until it is told.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Erased`], because an erasure can not be undone; else as every write.
    pub fn set_status(&self, id: UserId, status: Status, actor: &Actor) -> Result<User, StoreError> {
        self.change_status(id, status, self.shared.block_at_auth0, actor)
    }

    /// Like [`Store::set_status`], and Auth0 is told too, whatever `store.block_at_auth0` says: again, if the status
    /// is the one they have.
    ///
    /// # Errors
    /// As [`Store::set_status`].
    pub fn set_status_also_at_auth0(
        &self,
        id: UserId,
        status: Status,
        actor: &Actor,
    ) -> Result<User, StoreError> {
        self.change_status(id, status, true, actor)
    }

    fn change_status(
        &self,
        id: UserId,
        status: Status,
        at_auth0_too: bool,
        actor: &Actor,
    ) -> Result<User, StoreError> {
        let user = self.write(|write| {
            let user = write.existing(id)?;
            // Of somebody erased nobody knows the ids any more; what Auth0 was to be told of them then waits already.
            if at_auth0_too && user.status != Status::Erased {
                write.wish_blocks(id, status != Status::Active)?;
            }
            if user.status == status {
                return Ok(user);
            }
            let user = not_erased(user)?;
            let mut changes = Changes::default().field("status", user.status.as_str(), status.as_str());
            let valid_from = match status {
                Status::Active => user.tokens_valid_from,
                Status::Blocked | Status::Erased => {
                    changes = write.revoked(&user, changes);
                    Some(write.revocation(&user))
                }
            };
            if status == Status::Erased {
                changes = erased(&user, changes);
                write.erase(id, valid_from)?;
            } else {
                write.put_status(id, status, valid_from)?;
            }
            write.audit(actor, Action::StatusSet, id, changes)?;
            write.existing(id)
        })?;
        if status == Status::Erased {
            self.scrub();
            if let Err(error) = self.database.remove_kept_copies() {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "an erased person is still in a copy from before a migration; remove <database>.schema-* by hand"
                );
            }
        }
        Ok(user)
    }

    /// Replaces a user's roles, kept in order and without repetitions, and revokes their tokens: those carry the
    /// old roles. The roles they have change nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Erased`], else as every write.
    pub fn set_roles(&self, id: UserId, roles: &[String], actor: &Actor) -> Result<User, StoreError> {
        self.change_roles(id, |_| roles.to_vec(), actor)
    }

    /// Like [`Store::set_roles`], to what `wanted` makes of the roles they have. Nobody changes them in between.
    ///
    /// # Errors
    /// As [`Store::set_roles`].
    pub fn change_roles(
        &self,
        id: UserId,
        wanted: impl FnOnce(&[String]) -> Vec<String>,
        actor: &Actor,
    ) -> Result<User, StoreError> {
        self.write(|write| {
            let user = not_erased(write.existing(id)?)?;
            let roles = in_order(&wanted(&user.roles));
            if in_order(&user.roles) == roles {
                return Ok(user);
            }
            let changes = Changes::default().field("roles", user.roles.clone(), roles.clone());
            let mut statement = write.tx.prepare_cached(
                "UPDATE users SET roles = ?2, tokens_valid_from = ?3, updated_at = ?4 WHERE id = ?1",
            )?;
            statement.execute(params![
                id.as_bytes(),
                Value::from(roles.clone()).to_string(),
                write.revocation(&user).as_millisecond(),
                write.now.as_millisecond(),
            ])?;
            write.audit(actor, Action::RolesSet, id, write.revoked(&user, changes))?;
            write.existing(id)
        })
    }

    /// Withdraws all tokens issued so far.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Erased`], else as every write.
    pub fn sign_out_everywhere(&self, id: UserId, actor: &Actor) -> Result<User, StoreError> {
        self.write(|write| {
            let user = not_erased(write.existing(id)?)?;
            let mut statement = write
                .tx
                .prepare_cached("UPDATE users SET tokens_valid_from = ?2, updated_at = ?3 WHERE id = ?1")?;
            statement.execute(params![
                id.as_bytes(),
                write.revocation(&user).as_millisecond(),
                write.now.as_millisecond(),
            ])?;
            write.audit(actor, Action::SignedOut, id, write.revoked(&user, Changes::default()))?;
            write.existing(id)
        })
    }

    /// Takes what was erased out of the write-ahead log: there, its old pages outlive the transaction.
    /// The erasure stands whether or not this succeeds now; every checkpoint does the same.
    pub(super) fn scrub(&self) {
        if let Err(error) = self.database.checkpoint() {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "erased data may stay in the write-ahead log until the next checkpoint"
            );
        }
    }
}

impl Write<'_> {
    /// Where the tokens of `user` start to be valid after a revocation. Never earlier than it was, should the
    /// machine's clock be set back.
    pub(super) fn revocation(&self, user: &User) -> Timestamp {
        user.tokens_valid_from.map_or(self.now, |before| before.max(self.now))
    }

    pub(super) fn revoked(&self, user: &User, changes: Changes) -> Changes {
        let before = user.tokens_valid_from.map(|moment| moment.to_string());
        changes.field("tokensValidFrom", before, self.revocation(user).to_string())
    }

    pub(super) fn erase(&self, id: UserId, valid_from: Option<Timestamp>) -> Result<(), StoreError> {
        let mut statement = self.tx.prepare_cached(
            "UPDATE users SET status = 'erased', email = NULL, email_verified = 0, name = NULL, given_name = NULL,
                 family_name = NULL, nickname = NULL, picture = NULL, phone = NULL, roles = '[]', profile = NULL,
                 profile_fetched_at = NULL, tokens_valid_from = ?2, updated_at = ?3
             WHERE id = ?1",
        )?;
        statement.execute(params![
            id.as_bytes(),
            valid_from.map(Timestamp::as_millisecond),
            self.now.as_millisecond(),
        ])?;
        self.tx.prepare_cached("DELETE FROM accepted_terms WHERE user_id = ?1")?.execute([id.as_bytes()])?;
        // A mutation's id is whatever its client makes it of.
        self.tx
            .prepare_cached("DELETE FROM idempotency_keys WHERE user_id = ?1")?
            .execute([id.as_bytes()])?;
        self.forget_identities(id)
    }
}

pub(super) fn not_erased(user: User) -> Result<User, StoreError> {
    if user.status == Status::Erased { Err(StoreError::Erased(user.id)) } else { Ok(user) }
}

/// What an erasure takes away.
pub(super) fn erased(user: &User, mut changes: Changes) -> Changes {
    if user.email.is_some() {
        changes = changes.personal("email");
    }
    for (name, value) in super::rows::fields(&user.person) {
        if value.is_some() {
            changes = changes.personal(name);
        }
    }
    if user.profile.is_some() {
        changes = changes.personal("profile");
    }
    if !user.roles.is_empty() {
        changes = changes.field("roles", user.roles.clone(), Value::Array(Vec::new()));
    }
    changes
}

pub(super) fn in_order(roles: &[String]) -> Vec<String> {
    roles.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}
