//! Idempotency keys of creations. The key is the `clientMutationId` of a mutation; a repetition by the same actor within a
//! day returns the user created the first time.

use rusqlite::params;

use super::audit::Actor;
use super::query::value;
use super::write::Write;
use super::{Result, StoreError};
use crate::user::UserId;

/// How long a key is remembered, in milliseconds.
const KEPT_FOR: i64 = 24 * 60 * 60 * 1000;

/// The longest key, in bytes.
const KEY_MAX: usize = 255;

/// Refuses a key that could not be stored.
///
/// # Errors
/// [`StoreError::Invalid`].
pub(crate) fn check_key(key: &str) -> Result<()> {
    let fits = !key.is_empty() && key.len() <= KEY_MAX;
    if fits { Ok(()) } else { Err(StoreError::Invalid("a client mutation id has 1 to 255 bytes")) }
}

impl Write<'_> {
    /// The user that `actor` created with `key`.
    pub(crate) fn created_with_key(&self, actor: &Actor, key: &str) -> Result<Option<UserId>> {
        let sql = "SELECT user_id FROM idempotency_keys WHERE actor = ?1 AND key = ?2 AND created_at > ?3";
        value(&self.tx, sql, params![actor.key(), key, self.now_millis().saturating_sub(KEPT_FOR)])
    }

    /// Remembers that `actor` created `user` with `key`, and forgets old keys.
    pub(crate) fn remember_key(&self, actor: &Actor, key: &str, user: UserId) -> Result<()> {
        let now = self.now_millis();
        self.run("DELETE FROM idempotency_keys WHERE created_at <= ?1", [now.saturating_sub(KEPT_FOR)])?;
        let sql = "INSERT INTO idempotency_keys (actor, key, user_id, created_at) VALUES (?1, ?2, ?3, ?4)";
        self.run(sql, params![actor.key(), key, user, now]).map(drop)
    }
}
