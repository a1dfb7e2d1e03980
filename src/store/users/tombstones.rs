//! The erased users of a database, erased again in a backup that replaces it.
//!
//! Only pseudonyms of their Auth0 ids are left, so the keys of the pseudonyms are copied too: ids that the backup still has
//! are compared by them, and later logins are recognised by them.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::Value;

use super::erase::erased_fields;
use super::find::by_id;
use super::identities;
use super::merge::merged_into;
use crate::store::Result;
use crate::store::audit::{Action, Actor, Changes};
use crate::store::columns::optional_time;
use crate::store::pseudonyms::{self, PseudonymKey};
use crate::store::query::all;
use crate::store::write::Write;
use crate::user::{Status, User, UserId};

/// The erased users of a database.
pub(crate) struct Tombstones {
    all: Vec<Tombstone>,
    /// The keys of their pseudonyms.
    keys: Vec<PseudonymKey>,
}

#[derive(Debug)]
struct Tombstone {
    id: UserId,
    tokens_valid_from: Option<Timestamp>,
    created_at: i64,
    pseudonyms: Vec<String>,
}

impl Tombstones {
    /// Reads those of a database.
    pub(crate) fn read(connection: &Connection) -> Result<Self> {
        let sql = "SELECT id, tokens_valid_from, created_at FROM users WHERE status = 'erased'";
        let tombstones = all(connection, sql, [], |row| {
            let id = row.get(0)?;
            if lives_on(connection, id)? {
                return Ok(None);
            }
            let identities = identities::of(connection, id)?;
            let pseudonyms = identities.into_iter().map(|identity| identity.auth0_id.to_string()).collect();
            let (tokens_valid_from, created_at) = (optional_time(row, 1)?, row.get(2)?);
            Ok(Some(Tombstone { id, tokens_valid_from, created_at, pseudonyms }))
        })?;
        Ok(Self { all: tombstones.into_iter().flatten().collect(), keys: pseudonyms::keys(connection)? })
    }

    /// Erases these users in another database, and returns how many were not erased there.
    pub(crate) fn apply(&self, write: &Write<'_>) -> Result<usize> {
        for key in &self.keys {
            let sql = "INSERT INTO pseudonym_keys (key) VALUES (?1) ON CONFLICT DO NOTHING";
            write.run(sql, [key.as_bytes()])?;
        }
        // Before an erasure removes ids.
        let unknown = self.unknown_pseudonyms(write.tx)?;
        let mut count = 0;
        for tombstone in &self.all {
            let user = by_id(write.tx, tombstone.id)?;
            count += usize::from(user.as_ref().is_none_or(|user| user.status != Status::Erased));
            match user {
                Some(user) if user.status == Status::Erased => {}
                Some(user) => write.erase_again(&user, tombstone)?,
                // Created after the backup. Without a row their token would create them again.
                None => write.insert_tombstone(tombstone)?,
            }
            write.link_pseudonyms(tombstone, &unknown)?;
        }
        Ok(count)
    }

    /// The pseudonyms whose ids lead to no user there. Reads all identities once.
    fn unknown_pseudonyms(&self, connection: &Connection) -> Result<HashSet<String>> {
        let pseudonyms = self.all.iter().flat_map(|tombstone| &tombstone.pseudonyms);
        let mut unknown: HashSet<String> = pseudonyms.cloned().collect();
        if unknown.is_empty() {
            return Ok(unknown);
        }
        let mut statement = connection.prepare("SELECT auth0_id FROM identities")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let auth0_id: String = row.get(0)?;
            unknown.remove(&auth0_id);
            for key in &self.keys {
                unknown.remove(&key.pseudonym(&auth0_id));
            }
        }
        Ok(unknown)
    }
}

/// Whether a tombstone is that of a merge, which erases no one: an earlier backup restores both users. Unless the user they
/// were merged into was erased later; then both were.
fn lives_on(connection: &Connection, mut id: UserId) -> Result<bool> {
    while let Some(into) = merged_into(connection, id)? {
        if by_id(connection, into)?.is_some_and(|user| user.status != Status::Erased) {
            return Ok(true);
        }
        id = into;
    }
    Ok(false)
}

impl Write<'_> {
    fn erase_again(&self, user: &User, tombstone: &Tombstone) -> Result<()> {
        let changes = Changes::default()
            .field("status", user.status.as_str(), Status::Erased.as_str())
            .and(self.revocation_change(user))
            .and(erased_fields(user));
        self.erase(user.id, tombstone.tokens_valid_from.max(Some(self.revocation_time(user))))?;
        self.audit(&Actor::Cli, Action::StatusSet, user.id, changes)
    }

    fn insert_tombstone(&self, tombstone: &Tombstone) -> Result<()> {
        let Tombstone { id, tokens_valid_from, created_at, .. } = tombstone;
        let sql =
            "INSERT INTO users (id, email_verified, status, roles, tokens_valid_from, created_at, updated_at)
                   VALUES (?1, 0, 'erased', '[]', ?2, ?3, ?4)";
        let valid_from = tokens_valid_from.map(Timestamp::as_millisecond);
        self.run(sql, params![id, valid_from, created_at, self.now_millis()])?;
        let changes = Changes::default().field("status", Value::Null, Status::Erased.as_str());
        self.audit(&Actor::Cli, Action::StatusSet, *id, changes)
    }

    /// Adds the identities of a tombstone that lead to no user.
    fn link_pseudonyms(&self, tombstone: &Tombstone, unknown: &HashSet<String>) -> Result<()> {
        for pseudonym in tombstone.pseudonyms.iter().filter(|pseudonym| unknown.contains(*pseudonym)) {
            let sql = "INSERT INTO identities (auth0_id, user_id, linked_at) VALUES (?1, ?2, ?3)";
            self.run(sql, params![pseudonym, tombstone.id, self.now_millis()])?;
        }
        let sql = "UPDATE users
                   SET auth0_id = (SELECT auth0_id FROM identities WHERE user_id = ?1 ORDER BY linked_at LIMIT 1)
                   WHERE id = ?1 AND auth0_id IS NULL";
        self.run(sql, [tombstone.id]).map(drop)
    }
}
