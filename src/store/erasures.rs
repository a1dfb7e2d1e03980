//! Who was erased, so that a backup from before does not bring them back.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::audit::{Action, Actor, Changes};
use super::users::{by_auth0_id, by_id, moment, user_id};
use super::{StoreError, Write};
use crate::user::{Auth0Id, Status, User, UserId};

/// The people a database has erased.
#[derive(Debug, Default)]
pub(super) struct Erasures(Vec<Tombstone>);

/// What is left of somebody.
#[derive(Debug)]
struct Tombstone {
    id: UserId,
    tokens_valid_from: Option<Timestamp>,
    created_at: i64,
    identities: Vec<Auth0Id>,
    /// The row that this one was merged into. Its person was not erased, unless they were afterwards.
    merged_into: Option<UserId>,
}

impl Erasures {
    /// Those in this database, of whatever schema.
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
                identities: identities(connection, id)?,
                merged_into: merged_into(connection, id)?,
            });
        }
        Ok(Self(all).without_mere_merges())
    }

    /// Erases all of them here too, and tells how many of them were not yet.
    pub(super) fn apply(&self, write: &Write<'_>) -> Result<usize, StoreError> {
        let mut count = 0;
        for tombstone in &self.0 {
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
            write.lead_to(tombstone)?;
        }
        Ok(count)
    }

    /// Two rows that became one leave a tombstone too, but nobody asked to be forgotten: a backup from before brings
    /// back the two. Unless the one was erased later; then both are.
    fn without_mere_merges(self) -> Self {
        let (mut merged, mut erased): (Vec<_>, Vec<_>) =
            self.0.into_iter().partition(|tombstone| tombstone.merged_into.is_some());
        loop {
            let ids: BTreeSet<UserId> = erased.iter().map(|tombstone| tombstone.id).collect();
            let (found, rest): (Vec<_>, Vec<_>) = merged
                .into_iter()
                .partition(|tombstone| tombstone.merged_into.is_some_and(|id| ids.contains(&id)));
            if found.is_empty() {
                return Self(erased);
            }
            erased.extend(found);
            merged = rest;
        }
    }
}

fn identities(connection: &Connection, user: UserId) -> Result<Vec<Auth0Id>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT auth0_id FROM identities WHERE user_id = ?1 ORDER BY linked_at")?;
    let mut rows = statement.query([user.as_bytes()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        all.push(text.parse().map_err(|error| StoreError::damaged("identities.auth0_id", error))?);
    }
    Ok(all)
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
        let changes = super::changes::erased(user, self.withdrawn(user, changes));
        self.erase(user.id, tombstone.tokens_valid_from.max(Some(self.withdrawal(user))))?;
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
    fn lead_to(&self, tombstone: &Tombstone) -> Result<(), StoreError> {
        for auth0_id in &tombstone.identities {
            if by_auth0_id(&self.tx, auth0_id)?.is_none() {
                self.add_identity(auth0_id, tombstone.id)?;
            }
        }
        let mut statement = self.tx.prepare_cached(
            "UPDATE users SET auth0_id = (SELECT auth0_id FROM identities WHERE user_id = ?1 ORDER BY linked_at LIMIT 1)
             WHERE id = ?1 AND auth0_id IS NULL",
        )?;
        statement.execute([tombstone.id.as_bytes()])?;
        Ok(())
    }
}
