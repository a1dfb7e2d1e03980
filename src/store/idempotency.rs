//! Changes that would do harm or fail when they are repeated, made so that a repetition finds them done.

use rusqlite::{OptionalExtension, params};

use super::users::{by_auth0_id, user_id};
use super::{Actor, NewUser, Store, StoreError, Write};
use crate::user::{Auth0Id, Status, User, UserId};

/// How long a creation is remembered by its mutation id, in milliseconds.
const REMEMBERED: i64 = 24 * 60 * 60 * 1000;
/// The longest mutation id that is remembered, in bytes.
const ID_MAX: usize = 255;

impl Store {
    /// [`Store::create`], but the same `actor` with the same `mutation` id within a day gets the user made the first
    /// time, as they now are.
    ///
    /// # Errors
    /// As [`Store::create`]; [`StoreError::IdempotencyKeyReused`] when the first time somebody else was meant;
    /// [`StoreError::Invalid`] for an id that is empty or longer than 255 bytes.
    pub fn create_idempotent(
        &self,
        expected: &NewUser,
        mutation: &str,
        actor: &Actor,
    ) -> Result<User, StoreError> {
        if mutation.is_empty() || mutation.len() > ID_MAX {
            return Err(StoreError::Invalid("a client mutation id has 1 to 255 bytes"));
        }
        let actor_key = actor.key();
        self.write(|write| {
            if let Some(user) = write.created_before(&actor_key, mutation)? {
                let same = user.email == expected.email
                    && expected.auth0_id.as_ref().is_none_or(|id| user.auth0_id.as_ref() == Some(id));
                return if same { Ok(user) } else { Err(StoreError::IdempotencyKeyReused) };
            }
            let user = write.create(expected, actor)?;
            write.remember(&actor_key, mutation, user.id)?;
            Ok(user)
        })
    }

    /// [`Store::unlink_identity`], but an identity that leads to nobody is no error: that is what was asked for.
    ///
    /// # Errors
    /// As [`Store::unlink_identity`].
    pub fn unlink_idempotent(
        &self,
        id: UserId,
        auth0_id: &Auth0Id,
        actor: &Actor,
    ) -> Result<User, StoreError> {
        match self.unlink_identity(id, auth0_id, actor) {
            Err(StoreError::NotLinked(_)) => self.write(|write| match by_auth0_id(&write.tx, auth0_id)? {
                Some(_) => Err(StoreError::NotLinked(id)),
                None => write.existing(id),
            }),
            done => done,
        }
    }

    /// [`Store::merge`], but what was merged into `kept` already stays so, and is no error.
    ///
    /// # Errors
    /// As [`Store::merge`].
    pub fn merge_idempotent(&self, kept: UserId, gone: UserId, actor: &Actor) -> Result<User, StoreError> {
        match self.merge(kept, gone, actor) {
            Err(StoreError::Erased(id)) if id == gone => self.write(|write| {
                let user = write.existing(kept)?;
                let done = user.status != Status::Erased && write.merged_into(gone)? == Some(kept);
                if done { Ok(user) } else { Err(StoreError::Erased(gone)) }
            }),
            done => done,
        }
    }
}

impl Write<'_> {
    fn created_before(&self, actor: &str, mutation: &str) -> Result<Option<User>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT user_id FROM idempotency_keys WHERE actor = ?1 AND key = ?2 AND created_at > ?3",
        )?;
        let since = self.now.as_millisecond().saturating_sub(REMEMBERED);
        let found: Option<[u8; 16]> =
            statement.query_one(params![actor, mutation, since], |row| row.get(0)).optional()?;
        found.map(|id| self.existing(user_id(id))).transpose()
    }

    fn remember(&self, actor: &str, mutation: &str, user: UserId) -> Result<(), StoreError> {
        let now = self.now.as_millisecond();
        self.tx
            .prepare_cached("DELETE FROM idempotency_keys WHERE created_at <= ?1")?
            .execute([now.saturating_sub(REMEMBERED)])?;
        self.tx
            .prepare_cached(
                "INSERT INTO idempotency_keys (actor, key, user_id, created_at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![actor, mutation, user.as_bytes(), now])?;
        Ok(())
    }

    /// Whom a tombstone was merged into, by its trail.
    fn merged_into(&self, gone: UserId) -> Result<Option<UserId>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT changes ->> '$.mergedInto.new' FROM audit
             WHERE target = ?1 AND +action = 'user.merged' ORDER BY id DESC LIMIT 1",
        )?;
        let into: Option<Option<String>> =
            statement.query_one([gone.as_bytes()], |row| row.get(0)).optional()?;
        Ok(into.flatten().and_then(|id| id.parse().ok()))
    }
}
