//! The last good signing keys of each issuer, which serve while Auth0 is unreachable.

use jiff::Timestamp;
use rusqlite::params;

use super::columns::time;
use super::query::first;
use super::{Result, Store};

/// A key set as it was fetched. The gate decides whether it is young enough to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedKeys {
    /// The JWKS document (RFC 7517 §5), byte for byte.
    pub jwks: String,
    /// When it was fetched from the issuer.
    pub fetched_at: Timestamp,
}

impl Store {
    /// Saves the key set of `issuer`. An older fetch never replaces a newer one: two processes may share the file.
    pub fn save_keys(&self, issuer: &str, jwks: &str, fetched_at: Timestamp) -> Result<()> {
        let sql = "INSERT INTO signing_keys (issuer, jwks, fetched_at) VALUES (?1, ?2, ?3)
                   ON CONFLICT (issuer) DO UPDATE SET jwks = excluded.jwks, fetched_at = excluded.fetched_at
                   WHERE excluded.fetched_at >= signing_keys.fetched_at";
        self.write(|write| write.run(sql, params![issuer, jwks, fetched_at.as_millisecond()]).map(drop))
    }

    /// The key set of `issuer` that was saved last.
    pub fn load_keys(&self, issuer: &str) -> Result<Option<SavedKeys>> {
        let sql = "SELECT jwks, fetched_at FROM signing_keys WHERE issuer = ?1";
        self.read_by_key(|connection| {
            first(connection, sql, [issuer], |row| {
                Ok(SavedKeys { jwks: row.get(0)?, fetched_at: time(row, 1)? })
            })
        })
    }
}
