//! What stands in the place of an Auth0 id that may not be kept: an erased person's, or one that leads to nobody any more.
//! An Auth0 id can contain an email (`waad|ada@example.com`).
//!
//! ```text
//!   erased|<HMAC-SHA-256 of the id, with a random key of the database, in hexadecimal>
//! ```
//!
//! It leads from the id to the tombstone, so that a token that is still good makes nobody anew, and not from the tombstone
//! to the id. Whoever has the file can still try out an id that they guess: the key stands in the same file, or the
//! server could not tell either.

use aws_lc_rs::hmac;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, params};

use super::{StoreError, Write};
use crate::sqlite::hex;
use crate::user::UserId;

/// One of the database's keys.
pub(super) struct Key {
    bytes: [u8; 32],
    hmac: hmac::Key,
}

impl Key {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self { bytes, hmac: hmac::Key::new(hmac::HMAC_SHA256, &bytes) }
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Itself of the form of an Auth0 id.
    pub(super) fn pseudonym(&self, auth0_id: &str) -> String {
        format!("erased|{}", hex(hmac::sign(&self.hmac, auth0_id.as_bytes()).as_ref()))
    }
}

/// The keys of a database, the one that makes new pseudonyms first. None until it has any.
pub(super) fn keys(connection: &Connection) -> Result<Vec<Key>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT key FROM pseudonym_keys ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(Key::new(row.get(0)?));
    }
    Ok(keys)
}

/// Adds the SQL function `pseudonym(key, auth0_id)`.
pub(super) fn add_function(connection: &Connection) -> rusqlite::Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("pseudonym", 2, flags, |call| {
        let key = Key::new(call.get(0)?);
        Ok(key.pseudonym(call.get_raw(1).as_str()?))
    })
}

impl Write<'_> {
    /// Puts pseudonyms in the place of all identities of a user.
    pub(super) fn forget_identities(&self, id: UserId) -> Result<(), StoreError> {
        if super::identities::of(&self.tx, id)?.is_empty() {
            return Ok(());
        }
        let key = self.pseudonym_key()?;
        // The row's own first: what it names is there again when the transaction ends.
        for sql in [
            "UPDATE users SET auth0_id = pseudonym(?2, auth0_id) WHERE id = ?1 AND auth0_id IS NOT NULL",
            "UPDATE identities SET auth0_id = pseudonym(?2, auth0_id) WHERE user_id = ?1",
        ] {
            self.tx.prepare_cached(sql)?.execute(params![id.as_bytes(), key.as_bytes()])?;
        }
        Ok(())
    }

    /// The key for new pseudonyms, made when it is needed first.
    pub(super) fn pseudonym_key(&self) -> Result<Key, StoreError> {
        self.tx
            .prepare_cached(
                "INSERT INTO pseudonym_keys (key) SELECT randomblob(32)
                 WHERE NOT EXISTS (SELECT 1 FROM pseudonym_keys)",
            )?
            .execute([])?;
        let mut statement = self.tx.prepare_cached("SELECT key FROM pseudonym_keys ORDER BY id LIMIT 1")?;
        Ok(Key::new(statement.query_one([], |row| row.get(0))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_an_hmac_that_only_its_key_makes() {
        // RFC 4231 §4.3, its key filled up with the zeros that HMAC fills it up with.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let expected = "erased|5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(Key::new(key).pseudonym("what do ya want for nothing?"), expected);
        assert_ne!(Key::new([1; 32]).pseudonym("auth0|1"), Key::new([2; 32]).pseudonym("auth0|1"));
        assert!(expected.parse::<crate::user::Auth0Id>().is_ok());
    }
}
