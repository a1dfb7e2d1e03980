//! Which versions of the terms a user has agreed to.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::Value;

use super::audit::{Action, Actor, Changes};
use super::changes::not_erased;
use super::users::from_millis;
use super::{Store, StoreError};
use crate::user::{User, UserId};

/// A version of the terms is named in at most so many characters.
pub const TERMS_MAX_CHARS: usize = 64;

/// That a user agreed, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedTerms {
    /// As the frontend names it: `2026-05`, `v3`, …
    pub version: String,
    /// The first time.
    pub accepted_at: Timestamp,
}

impl Store {
    /// Notes that a user agreed to a version of the terms. Agreeing again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Erased`]; [`StoreError::Invalid`] for a version that is empty, longer
    /// than [`TERMS_MAX_CHARS`] or holds what can not be printed; else as every write.
    pub fn accept_terms(&self, id: UserId, version: &str, actor: &Actor) -> Result<User, StoreError> {
        let printable = |c: char| !c.is_control() && !c.is_whitespace();
        if version.is_empty() || version.chars().count() > TERMS_MAX_CHARS || !version.chars().all(printable)
        {
            return Err(StoreError::Invalid("a version of the terms has 1 to 64 characters without spaces"));
        }
        self.write(|write| {
            let user = not_erased(write.existing(id)?)?;
            let mut statement = write.tx.prepare_cached(
                "INSERT OR IGNORE INTO accepted_terms (user_id, version, accepted_at) VALUES (?1, ?2, ?3)",
            )?;
            let now = write.now.as_millisecond();
            if statement.execute(params![id.as_bytes(), version, now])? == 0 {
                return Ok(user);
            }
            let changes = Changes::default().field("terms", Value::Null, version);
            write.audit(actor, Action::TermsAccepted, id, changes)?;
            Ok(user)
        })
    }

    /// What a user agreed to, the latest last.
    ///
    /// # Errors
    /// As every read: [`StoreError::Busy`], [`StoreError::Closed`], [`StoreError::Damaged`].
    pub fn accepted_terms(&self, id: UserId) -> Result<Vec<AcceptedTerms>, StoreError> {
        self.read(|connection| of(connection, id))
    }
}

pub(super) fn of(connection: &Connection, id: UserId) -> Result<Vec<AcceptedTerms>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT version, accepted_at FROM accepted_terms WHERE user_id = ?1 ORDER BY accepted_at, version",
    )?;
    let mut rows = statement.query([id.as_bytes()])?;
    let mut terms = Vec::new();
    while let Some(row) = rows.next()? {
        let accepted_at = from_millis("accepted_terms.accepted_at", row.get(1)?)?;
        terms.push(AcceptedTerms { version: row.get(0)?, accepted_at });
    }
    Ok(terms)
}
