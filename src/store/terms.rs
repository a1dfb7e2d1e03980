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
pub const TERMS_MAX_CHARS: usize = 32;

/// A user agrees to at most so many versions. Whoever needs more did not agree to terms but keeps a diary.
pub const TERMS_MAX_VERSIONS: i64 = 100;

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
    /// The version stands in the trail, which forgets nothing, and it comes from the person: so it has no room for an
    /// address or a sentence.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Erased`]; [`StoreError::Invalid`] for a version that is empty, longer
    /// than [`TERMS_MAX_CHARS`] or holds more than ASCII letters, digits, dots, hyphens and underscores, and for one more than
    /// [`TERMS_MAX_VERSIONS`]; else as every write.
    pub fn accept_terms(&self, id: UserId, version: &str, actor: &Actor) -> Result<User, StoreError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if version.is_empty() || version.len() > TERMS_MAX_CHARS || !version.bytes().all(plain) {
            return Err(StoreError::Invalid(
                "a version of the terms has 1 to 32 letters, digits, dots, hyphens and underscores, such as 2026-05",
            ));
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
            let mut statement =
                write.tx.prepare_cached("SELECT count(*) FROM accepted_terms WHERE user_id = ?1")?;
            if statement.query_one([id.as_bytes()], |row| row.get::<_, i64>(0))? > TERMS_MAX_VERSIONS {
                return Err(StoreError::Invalid(
                    "the user agreed to 100 versions of the terms, which is all there is room for",
                ));
            }
            let changes = Changes::default().field("terms", Value::Null, version);
            write.audit(actor, Action::TermsAccepted, id, changes)?;
            Ok(user)
        })
    }

    /// What a user agreed to, the latest last.
    ///
    /// # Errors
    /// As every read: [`StoreError::Database`].
    pub fn accepted_terms(&self, id: UserId) -> Result<Vec<AcceptedTerms>, StoreError> {
        self.look_up(|connection| of(connection, id))
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
