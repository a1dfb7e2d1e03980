//! The last good signing keys of each issuer, which serve while Auth0 is away.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::users::from_millis;
use super::{Store, StoreError};

/// A key set as it was fetched. Whether it is still young enough to serve is the gate's to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedKeys {
    /// The JWKS document (RFC 7517 §5), byte for byte.
    pub jwks: String,
    /// When the issuer gave it out.
    pub fetched_at: Timestamp,
}

impl Store {
    /// Keeps the key set of `issuer`. An older fetch never replaces a newer one: two processes may share the file.
    ///
    /// # Errors
    /// As every write: [`StoreError::Busy`], [`StoreError::Closed`], or what SQLite says.
    pub fn save_keys(&self, issuer: &str, jwks: &str, fetched_at: Timestamp) -> Result<(), StoreError> {
        self.write(|write| {
            let mut statement = write.tx.prepare_cached(
                "INSERT INTO signing_keys (issuer, jwks, fetched_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (issuer) DO UPDATE SET jwks = excluded.jwks, fetched_at = excluded.fetched_at
                 WHERE excluded.fetched_at >= signing_keys.fetched_at",
            )?;
            statement.execute(params![issuer, jwks, fetched_at.as_millisecond()])?;
            Ok(())
        })
    }

    /// The key set of `issuer` as it was last saved.
    ///
    /// # Errors
    /// As every read: [`StoreError::Database`].
    pub fn load_keys(&self, issuer: &str) -> Result<Option<SavedKeys>, StoreError> {
        let found: Option<(String, i64)> = self.look_up(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT jwks, fetched_at FROM signing_keys WHERE issuer = ?1")?;
            Ok(statement.query_one([issuer], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
        })?;
        found
            .map(|(jwks, millis)| {
                Ok(SavedKeys { jwks, fetched_at: from_millis("signing_keys.fetched_at", millis)? })
            })
            .transpose()
    }
}
