//! The outbox: which identities Auth0 has yet to block or unblock. Entries are written with the change and survive restarts.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::params;

use super::audit::{Action, Actor, Changes};
use super::columns::optional_time;
use super::query::first;
use super::users::by_auth0_id;
use super::write::Write;
use super::{Result, Store};
use crate::user::{Auth0Id, Status, User, UserId};

/// An entry of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockDelivery {
    /// The identity.
    pub auth0_id: Auth0Id,
    /// Whether Auth0 is to block it or to unblock it.
    pub blocked: bool,
    /// How many deliveries failed.
    pub attempts: u32,
    enqueued_at: i64,
}

impl Store {
    /// The entry that has been due longest. A read by key.
    pub fn next_due(&self) -> Result<Option<BlockDelivery>> {
        let now = self.now_millis();
        let sql = "SELECT auth0_id, blocked, attempts, enqueued_at FROM block_outbox WHERE due_at <= ?1
                   ORDER BY due_at LIMIT 1";
        self.read_by_key(|connection| {
            first(connection, sql, [now], |row| {
                Ok(BlockDelivery {
                    auth0_id: row.get(0)?,
                    blocked: row.get(1)?,
                    attempts: row.get(2)?,
                    enqueued_at: row.get(3)?,
                })
            })
        })
    }

    /// Removes an entry that Auth0 has received, unless it was enqueued again since. Of an erased user or an unlinked
    /// identity the outbox was the last place with the id, so the write-ahead log is cleared too.
    pub fn mark_delivered(&self, delivery: &BlockDelivery, actor: &Actor) -> Result<()> {
        let BlockDelivery { auth0_id, blocked, enqueued_at, .. } = delivery;
        let was_last_place = self.write(|write| {
            let sql = "DELETE FROM block_outbox WHERE auth0_id = ?1 AND enqueued_at = ?2 AND blocked = ?3";
            if write.run(sql, params![auth0_id, enqueued_at, blocked])? == 0 {
                return Ok(false);
            }
            let Some(user) = by_auth0_id(write.tx, auth0_id)? else { return Ok(true) };
            let changes = Changes::default().field("blockedAtAuth0", !blocked, *blocked);
            write.audit(actor, Action::BlockSent, user.id, changes)?;
            Ok(user.status == Status::Erased)
        })?;
        if was_last_place {
            self.clear_log()?;
        }
        Ok(())
    }

    /// Delays an entry that could not be delivered by `wait`.
    pub fn postpone(&self, delivery: &BlockDelivery, wait: Duration) -> Result<()> {
        self.write(|write| {
            let due = write.now.saturating_add(wait).unwrap_or(Timestamp::MAX).as_millisecond();
            let sql = "UPDATE block_outbox SET attempts = attempts + 1, due_at = ?3
                       WHERE auth0_id = ?1 AND enqueued_at = ?2";
            write.run(sql, params![delivery.auth0_id, delivery.enqueued_at, due]).map(drop)
        })
    }

    /// How many entries wait, and since when the oldest does.
    pub fn pending_deliveries(&self) -> Result<(u64, Option<Timestamp>)> {
        let sql = "SELECT count(*), min(enqueued_at) FROM block_outbox";
        let pending = self.read(|connection| {
            first(connection, sql, [], |row| {
                Ok((row.get::<_, i64>(0)?.unsigned_abs(), optional_time(row, 1)?))
            })
        })?;
        Ok(pending.unwrap_or_default())
    }
}

impl Write<'_> {
    /// Enqueues an entry for every identity of a user. The last entry of an identity is the one that counts.
    pub(crate) fn enqueue_blocks(&self, user: UserId, blocked: bool) -> Result<()> {
        self.enqueue(
            "SELECT auth0_id, ?1, ?2, ?2 FROM identities WHERE user_id = ?3",
            params![blocked, self.now_millis(), user],
        )
    }

    /// Enqueues a block of an identity that was just linked to `user`, if they are blocked.
    pub(crate) fn enqueue_block_of_new(&self, auth0_id: &Auth0Id, user: &User) -> Result<()> {
        if !self.block_at_auth0 || user.status != Status::Blocked {
            return Ok(());
        }
        self.enqueue("VALUES (?3, ?1, ?2, ?2)", params![true, self.now_millis(), auth0_id])
    }

    fn enqueue(&self, rows: &str, params: impl rusqlite::Params) -> Result<()> {
        let sql = format!(
            "INSERT INTO block_outbox (auth0_id, blocked, enqueued_at, due_at) {rows}
             ON CONFLICT (auth0_id) DO UPDATE SET
                 blocked = excluded.blocked, enqueued_at = excluded.enqueued_at, attempts = 0, due_at = excluded.due_at"
        );
        self.run(&sql, params).map(drop)
    }
}
