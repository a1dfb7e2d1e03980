//! The versions of the terms that a user accepted.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde_json::Value;

use crate::store::audit::{Action, Actor, Changes};
use crate::store::columns::time;
use crate::store::query::{all, count};
use crate::store::{Result, Store, StoreError};
use crate::user::{User, UserId};

/// The longest name of a version, in characters.
pub const TERMS_MAX_CHARS: usize = 32;

/// The most versions that one user can accept.
pub const TERMS_MAX_VERSIONS: u64 = 100;

/// An accepted version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedTerms {
    /// As the frontend names it: `2026-05`, `v3`, …
    pub version: String,
    /// The first time.
    pub accepted_at: Timestamp,
}

impl Store {
    /// Records that a user accepted a version of the terms. Accepting it again changes nothing. The version comes from the
    /// user and goes into the audit log, which is never erased: so no address or sentence fits.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for other text than ASCII letters, digits, dots, hyphens and underscores, or too much.
    pub fn accept_terms(&self, id: UserId, version: &str, actor: &Actor) -> Result<User> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if version.is_empty() || version.len() > TERMS_MAX_CHARS || !version.bytes().all(fits) {
            return Err(StoreError::Invalid(
                "a version of the terms has 1 to 32 letters, digits, dots, hyphens and underscores, such as 2026-05",
            ));
        }
        self.write(|write| {
            let user = write.not_erased(id)?;
            let sql = "INSERT INTO accepted_terms (user_id, version, accepted_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
            if write.run(sql, params![id, version, write.now_millis()])? == 0 {
                return Ok(user);
            }
            let sql = "SELECT count(*) FROM accepted_terms WHERE user_id = ?1";
            if count(write.tx, sql, [id])? > TERMS_MAX_VERSIONS {
                return Err(StoreError::Invalid("a user can accept at most 100 versions of the terms"));
            }
            let changes = Changes::default().field("terms", Value::Null, version);
            write.audit(actor, Action::TermsAccepted, id, changes)?;
            Ok(user)
        })
    }

    /// What a user accepted, the latest last.
    pub fn accepted_terms(&self, id: UserId) -> Result<Vec<AcceptedTerms>> {
        self.read_by_key(|connection| of(connection, id))
    }
}

/// What a user accepted, the latest last.
pub(crate) fn of(connection: &Connection, id: UserId) -> Result<Vec<AcceptedTerms>> {
    let sql =
        "SELECT version, accepted_at FROM accepted_terms WHERE user_id = ?1 ORDER BY accepted_at, version";
    all(connection, sql, [id], read_terms)
}

pub(crate) fn read_terms(row: &Row<'_>) -> Result<AcceptedTerms> {
    Ok(AcceptedTerms { version: row.get(0)?, accepted_at: time(row, 1)? })
}
