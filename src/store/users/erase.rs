//! Erasing a user's data. What stays is a tombstone: the row without it.

use jiff::Timestamp;
use rusqlite::params;
use serde_json::Value;

use super::describe::fields;
use crate::sqlite::DatabaseError;
use crate::store::audit::Changes;
use crate::store::query::value;
use crate::store::write::Write;
use crate::store::{Result, Store};
use crate::user::{User, UserId};

impl Store {
    /// Empties the write-ahead log, where erased pages outlive the transaction. While another process is busy with it, that
    /// is left to the next checkpoint.
    pub(crate) fn clear_log(&self) -> Result<()> {
        match self.database.checkpoint() {
            Err(error @ DatabaseError::Busy) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "erased data may stay in the write-ahead log until the next checkpoint"
                );
                Ok(())
            }
            outcome => Ok(outcome?),
        }
    }
}

impl Write<'_> {
    /// Turns a row into a tombstone.
    pub(crate) fn erase(&self, id: UserId, valid_from: Option<Timestamp>) -> Result<()> {
        let sql = "UPDATE users SET status = 'erased', email = NULL, email_verified = 0, name = NULL, given_name = NULL,
                       family_name = NULL, nickname = NULL, picture = NULL, phone = NULL, roles = '[]', profile = NULL,
                       profile_fetched_at = NULL, tokens_valid_from = ?2, updated_at = ?3
                   WHERE id = ?1";
        self.run(sql, params![id, valid_from.map(Timestamp::as_millisecond), self.now_millis()])?;
        self.run("DELETE FROM accepted_terms WHERE user_id = ?1", [id])?;
        // A client can put anything into its keys.
        self.run("DELETE FROM idempotency_keys WHERE user_id = ?1", [id])?;
        self.pseudonymize_identities(id)
    }

    /// Replaces the ids of all identities of a user by pseudonyms.
    fn pseudonymize_identities(&self, id: UserId) -> Result<()> {
        let any: Option<i64> = value(self.tx, "SELECT 1 FROM identities WHERE user_id = ?1 LIMIT 1", [id])?;
        if any.is_none() {
            return Ok(());
        }
        let key = self.pseudonym_key()?;
        // The row first: its reference to the identity is checked when the transaction ends.
        for sql in [
            "UPDATE users SET auth0_id = pseudonym(?2, auth0_id) WHERE id = ?1 AND auth0_id IS NOT NULL",
            "UPDATE identities SET auth0_id = pseudonym(?2, auth0_id) WHERE user_id = ?1",
        ] {
            self.run(sql, params![id, key.as_bytes()])?;
        }
        Ok(())
    }
}

/// The fields that an erasure removes.
pub(crate) fn erased_fields(user: &User) -> Changes {
    let changes = Changes::default()
        .redacted_if(fields(&user.person).map(|(name, value)| (name, value.is_some())))
        .redacted_if([("email", user.email.is_some()), ("profile", user.profile.is_some())]);
    if user.roles.is_empty() {
        return changes;
    }
    changes.field("roles", user.roles.clone(), Value::Array(Vec::new()))
}
