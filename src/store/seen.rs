//! The keys by which users are found, in memory: what an import of many asks instead of indexes.
//!
//! Hashes of 64 bits, some 17 bytes a key with their table. A key that is not among them is surely nobody's; one that is,
//! is somebody's but for once in a thousand billion rows, and so is looked up.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use rusqlite::Connection;

use super::StoreError;
use super::import::ImportRow;
use super::pseudonym::{self, Key};

/// All keys of a database, and of what is being imported into it.
pub(super) struct TokenCache {
    auth0_ids: HashSet<u64>,
    /// Verified ones, and those of rows that wait for their person.
    emails: HashSet<u64>,
    /// What erased people's ids are known by.
    pseudonyms: Vec<Key>,
    hasher: RandomState,
}

impl TokenCache {
    /// What is in the database.
    ///
    /// # Errors
    /// As every read.
    pub(super) fn of(connection: &Connection) -> Result<Self, StoreError> {
        let hasher = RandomState::new();
        let all = |sql| -> Result<HashSet<u64>, StoreError> {
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            let mut hashes = HashSet::new();
            while let Some(row) = rows.next()? {
                hashes.insert(hasher.hash_one(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?));
            }
            Ok(hashes)
        };
        Ok(Self {
            auth0_ids: all("SELECT auth0_id FROM identities")?,
            emails: all("SELECT email FROM users WHERE email_verified = 1 UNION ALL
                 SELECT email FROM users WHERE auth0_id IS NULL AND email IS NOT NULL")?,
            pseudonyms: pseudonym::keys(connection)?,
            hasher,
        })
    }

    /// Whether nobody can be found by the row's keys. The next row with one of them is not new any more.
    pub(super) fn is_new(&mut self, row: &ImportRow) -> bool {
        let mut new = true;
        if let Some(auth0_id) = &row.auth0_id {
            let auth0_id = auth0_id.as_str();
            new &= self.auth0_ids.insert(self.hasher.hash_one(auth0_id));
            new &= !self
                .pseudonyms
                .iter()
                .any(|key| self.auth0_ids.contains(&self.hasher.hash_one(key.pseudonym(auth0_id).as_str())));
        }
        if let Some(email) = row.key_email() {
            new &= self.emails.insert(self.hasher.hash_one(email.as_str()));
        }
        new
    }
}
