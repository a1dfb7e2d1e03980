//! Who was erased, so that a backup from before does not bring them back.
//!
//! Of their Auth0 ids only pseudonyms are left, so the keys that made these come along: ids that the backup still has are
//! compared by them, and by them the ids that it does not have are known when they come back.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::audit::{Action, Actor, Changes};
use super::pseudonym::{self, Key};
use super::users::{by_id, moment, user_id};
use super::{StoreError, Write};
use crate::user::{Status, User, UserId};

/// The people a database has erased.
pub(super) struct Erasures {
    tombstones: Vec<Tombstone>,
    /// What their pseudonyms were made with.
    keys: Vec<Key>,
}

/// What is left of somebody.
#[derive(Debug)]
struct Tombstone {
    id: UserId,
    tokens_valid_from: Option<Timestamp>,
    created_at: i64,
    pseudonyms: Vec<String>,
    /// The row that this one was merged into. Its person was not erased, unless they were afterwards.
    merged_into: Option<UserId>,
}

impl Erasures {
    /// Those in this database.
    pub(super) fn read(connection: &Connection) -> Result<Self, StoreError> {
        let mut statement = connection
            .prepare("SELECT id, tokens_valid_from, created_at FROM users WHERE status = 'erased'")?;
        let mut rows = statement.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let id = user_id(row.get(0)?);
            all.push(Tombstone {
                id,
                tokens_valid_from: moment("users.tokens_valid_from", row.get(1)?)?,
                created_at: row.get(2)?,
                pseudonyms: pseudonyms(connection, id)?,
                merged_into: merged_into(connection, id)?,
            });
        }
        Ok(Self { tombstones: without_mere_merges(all), keys: pseudonym::keys(connection)? })
    }

    /// Erases all of them here too, and tells how many of them were not yet.
    pub(super) fn apply(&self, write: &Write<'_>) -> Result<usize, StoreError> {
        for key in &self.keys {
            write
                .tx
                .prepare_cached("INSERT INTO pseudonym_keys (key) VALUES (?1) ON CONFLICT DO NOTHING")?
                .execute([key.as_bytes()])?;
        }
        // Before anything is erased here and the ids are gone.
        let unknown = self.unknown(&write.tx)?;
        let mut count = 0;
        for tombstone in &self.tombstones {
            match by_id(&write.tx, tombstone.id)? {
                Some(user) if user.status == Status::Erased => {}
                Some(user) => {
                    write.erase_again(&user, tombstone)?;
                    count += 1;
                }
                // They came after the backup was made. Without a row their token would make them anew.
                None => {
                    write.insert_tombstone(tombstone)?;
                    count += 1;
                }
            }
            write.lead_to(tombstone, &unknown)?;
        }
        Ok(count)
    }

    /// The pseudonyms of ids that lead to nobody here. One pass over all identities.
    fn unknown(&self, connection: &Connection) -> Result<HashSet<String>, StoreError> {
        let all = self.tombstones.iter().flat_map(|tombstone| &tombstone.pseudonyms);
        let mut unknown: HashSet<String> = all.cloned().collect();
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

/// Two rows that became one leave a tombstone too, but nobody asked to be forgotten: a backup from before brings back
/// the two. Unless the one was erased later; then both are.
fn without_mere_merges(all: Vec<Tombstone>) -> Vec<Tombstone> {
    let (mut merged, mut erased): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|tombstone| tombstone.merged_into.is_some());
    loop {
        let ids: BTreeSet<UserId> = erased.iter().map(|tombstone| tombstone.id).collect();
        let (found, rest): (Vec<_>, Vec<_>) = merged
            .into_iter()
            .partition(|tombstone| tombstone.merged_into.is_some_and(|id| ids.contains(&id)));
        if found.is_empty() {
            return erased;
        }
        erased.extend(found);
        merged = rest;
    }
}

/// Of a tombstone's identities.
fn pseudonyms(connection: &Connection, user: UserId) -> Result<Vec<String>, StoreError> {
    let identities = super::identities::of(connection, user)?;
    Ok(identities.into_iter().map(|identity| identity.auth0_id.to_string()).collect())
}

/// By the line of the trail that tells how the row became a tombstone.
fn merged_into(connection: &Connection, user: UserId) -> Result<Option<UserId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT changes ->> '$.mergedInto.new' FROM audit
         WHERE target = ?1 AND changes ->> '$.status.new' = 'erased' ORDER BY id DESC LIMIT 1",
    )?;
    let into: Option<Option<String>> = statement.query_one([user.as_bytes()], |row| row.get(0)).optional()?;
    into.flatten()
        .map(|text| text.parse().map_err(|error| StoreError::damaged("audit.changes", error)))
        .transpose()
}

impl Write<'_> {
    fn erase_again(&self, user: &User, tombstone: &Tombstone) -> Result<(), StoreError> {
        let changes = Changes::default().field("status", user.status.as_str(), Status::Erased.as_str());
        let changes = super::changes::erased(user, self.revoked(user, changes));
        self.erase(user.id, tombstone.tokens_valid_from.max(Some(self.revocation(user))))?;
        self.audit(&Actor::Cli, Action::StatusSet, user.id, changes)
    }

    fn insert_tombstone(&self, tombstone: &Tombstone) -> Result<(), StoreError> {
        let mut statement = self.tx.prepare_cached(
            "INSERT INTO users (id, email_verified, status, roles, tokens_valid_from, created_at, updated_at)
             VALUES (?1, 0, 'erased', '[]', ?2, ?3, ?4)",
        )?;
        statement.execute(params![
            tombstone.id.as_bytes(),
            tombstone.tokens_valid_from.map(Timestamp::as_millisecond),
            tombstone.created_at,
            self.now.as_millisecond(),
        ])?;
        let changes = Changes::default().field("status", Value::Null, Status::Erased.as_str());
        self.audit(&Actor::Cli, Action::StatusSet, tombstone.id, changes)
    }

    /// Leads the identities of a tombstone to it, those that lead to nobody here.
    fn lead_to(&self, tombstone: &Tombstone, unknown: &HashSet<String>) -> Result<(), StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("INSERT INTO identities (auth0_id, user_id, linked_at) VALUES (?1, ?2, ?3)")?;
        for pseudonym in tombstone.pseudonyms.iter().filter(|pseudonym| unknown.contains(*pseudonym)) {
            statement.execute(params![pseudonym, tombstone.id.as_bytes(), self.now.as_millisecond()])?;
        }
        let mut statement = self.tx.prepare_cached(
            "UPDATE users SET auth0_id = (SELECT auth0_id FROM identities WHERE user_id = ?1 ORDER BY linked_at LIMIT 1)
             WHERE id = ?1 AND auth0_id IS NULL",
        )?;
        statement.execute([tombstone.id.as_bytes()])?;
        Ok(())
    }
}
