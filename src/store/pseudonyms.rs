//! Pseudonyms of Auth0 ids that may not be kept: an erased user's, and those that lead to no user any more. An Auth0 id can
//! contain an email (`waad|ada@example.com`).
//!
//! ```text
//!   erased|<HMAC-SHA-256 of the id, with a random key of the database, in hexadecimal>
//! ```
//!
//! A returning user is recognised by it; the id cannot be recovered from it. The key is in the same file, so someone who
//! has the file can confirm a guess.

use aws_lc_rs::{hmac, rand};
use data_encoding::HEXLOWER;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use super::query::all;
use super::write::Write;
use super::{Result, StoreError};

/// A key that makes pseudonyms.
pub(crate) struct PseudonymKey {
    bytes: [u8; 32],
    hmac: hmac::Key,
}

impl PseudonymKey {
    fn new(bytes: [u8; 32]) -> Self {
        Self { bytes, hmac: hmac::Key::new(hmac::HMAC_SHA256, &bytes) }
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The pseudonym of an id. It has the form of an Auth0 id.
    pub(crate) fn pseudonym(&self, auth0_id: &str) -> String {
        format!("erased|{}", HEXLOWER.encode(hmac::sign(&self.hmac, auth0_id.as_bytes()).as_ref()))
    }
}

/// The keys of a database, the one for new pseudonyms first; none until one is needed.
pub(crate) fn keys(connection: &Connection) -> Result<Vec<PseudonymKey>> {
    all(connection, "SELECT key FROM pseudonym_keys ORDER BY id", [], |row| {
        Ok(PseudonymKey::new(row.get(0)?))
    })
}

/// Adds the SQL function `pseudonym(key, auth0_id)`.
pub(crate) fn add_function(connection: &Connection) -> rusqlite::Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("pseudonym", 2, flags, |call| {
        Ok(PseudonymKey::new(call.get(0)?).pseudonym(call.get_raw(1).as_str()?))
    })
}

impl Write<'_> {
    /// The key for new pseudonyms, made when it is first needed.
    pub(crate) fn pseudonym_key(&self) -> Result<PseudonymKey> {
        if let Some(key) = keys(self.tx)?.into_iter().next() {
            return Ok(key);
        }
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_| StoreError::NoRandomness)?;
        self.run("INSERT INTO pseudonym_keys (key) VALUES (?1)", [bytes])?;
        Ok(PseudonymKey::new(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_an_hmac_that_only_its_key_makes() {
        // RFC 4231 §4.3; HMAC pads its key with zeros as well.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let expected = "erased|5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(PseudonymKey::new(key).pseudonym("what do ya want for nothing?"), expected);
        let pseudonym = |key| PseudonymKey::new([key; 32]).pseudonym("auth0|1");
        assert_ne!(pseudonym(1), pseudonym(2));
        assert!(expected.parse::<crate::user::Auth0Id>().is_ok());
    }
}
