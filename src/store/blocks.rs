//! What Auth0 has yet to be told: who is blocked there. Written with the change itself, worked off in the background,
//! still there after a restart.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::params;

use super::audit::{Action, Actor, Changes};
use super::users::{by_auth0_id, from_millis};
use super::{Store, StoreError, Write, identities};
use crate::user::{Auth0Id, Status, User, UserId};

/// That an identity be blocked at Auth0, or no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockDelivery {
    /// Whom it is about.
    pub auth0_id: Auth0Id,
    /// Blocked, or not.
    pub blocked: bool,
    /// How often Auth0 was told in vain.
    pub tries: u32,
    enqueued_at: i64,
}

impl Store {
    /// The wish that is due longest, if one is due. A point read.
    ///
    /// # Errors
    /// As every read: [`StoreError::Database`].
    pub fn next_due(&self) -> Result<Option<BlockDelivery>, StoreError> {
        let now = self.shared.clock.now().as_millisecond();
        self.look_up(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT auth0_id, blocked, attempts, enqueued_at FROM block_outbox WHERE due_at <= ?1
                 ORDER BY due_at LIMIT 1",
            )?;
            let mut rows = statement.query([now])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let auth0_id: String = row.get(0)?;
            Ok(Some(BlockDelivery {
                auth0_id: auth0_id
                    .parse()
                    .map_err(|error| StoreError::damaged("block_outbox.auth0_id", error))?,
                blocked: row.get(1)?,
                tries: row.get(2)?,
                enqueued_at: row.get(3)?,
            }))
        })
    }

    /// Auth0 knows now. A wish that was made in the meantime stays. Of somebody erased, or of an identity that leads to
    /// nobody any more, this was the last place where the id stood: it goes from the write-ahead log too.
    ///
    /// # Errors
    /// As every write.
    pub fn mark_delivered(&self, wish: &BlockDelivery, actor: &Actor) -> Result<(), StoreError> {
        let last_place = self.write(|write| {
            let done = write
                .tx
                .prepare_cached(
                    "DELETE FROM block_outbox WHERE auth0_id = ?1 AND enqueued_at = ?2 AND blocked = ?3",
                )?
                .execute(params![wish.auth0_id.as_str(), wish.enqueued_at, wish.blocked])?;
            if done == 0 {
                return Ok(false);
            }
            let Some(user) = by_auth0_id(&write.tx, &wish.auth0_id)? else { return Ok(true) };
            let changes = Changes::default().field("blockedAtAuth0", !wish.blocked, wish.blocked);
            write.audit(actor, Action::BlockSent, user.id, changes)?;
            Ok(user.status == Status::Erased)
        })?;
        if last_place {
            self.scrub();
        }
        Ok(())
    }

    /// Auth0 could not be told: not to be tried again before `wait` has passed.
    ///
    /// # Errors
    /// As every write.
    pub fn postpone(&self, wish: &BlockDelivery, wait: Duration) -> Result<(), StoreError> {
        self.write(|write| {
            let due = write.now.saturating_add(wait).unwrap_or(Timestamp::MAX).as_millisecond();
            write
                .tx
                .prepare_cached(
                    "UPDATE block_outbox SET attempts = attempts + 1, due_at = ?3 WHERE auth0_id = ?1 AND enqueued_at = ?2",
                )?
                .execute(params![wish.auth0_id.as_str(), wish.enqueued_at, due])?;
            Ok(())
        })
    }

    /// How many wishes wait, and since when the oldest does.
    ///
    /// # Errors
    /// As every read.
    pub fn pending_deliveries(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT count(*), min(enqueued_at) FROM block_outbox")?;
            let (count, oldest): (i64, Option<i64>) =
                statement.query_one([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let oldest = oldest.map(|millis| from_millis("block_outbox.enqueued_at", millis)).transpose()?;
            Ok((count.unsigned_abs(), oldest))
        })
    }
}

impl Write<'_> {
    /// Wishes it for every identity of a user. The last wish of an identity is the one that counts.
    pub(super) fn wish_blocks(&self, id: UserId, blocked: bool) -> Result<(), StoreError> {
        identities::of(&self.tx, id)?
            .iter()
            .try_for_each(|identity| self.wish_block(&identity.auth0_id, blocked))
    }

    /// Wishes that Auth0 blocks an identity that leads to `user` from now on, if they are blocked.
    pub(super) fn wish_block_of_new(&self, auth0_id: &Auth0Id, user: &User) -> Result<(), StoreError> {
        let wished = self.block_at_auth0 && user.status == Status::Blocked;
        if wished { self.wish_block(auth0_id, true) } else { Ok(()) }
    }

    fn wish_block(&self, auth0_id: &Auth0Id, blocked: bool) -> Result<(), StoreError> {
        let mut statement = self.tx.prepare_cached(
            "INSERT INTO block_outbox (auth0_id, blocked, enqueued_at, due_at) VALUES (?1, ?2, ?3, ?3)
             ON CONFLICT (auth0_id) DO UPDATE SET
                 blocked = excluded.blocked, enqueued_at = excluded.enqueued_at, attempts = 0, due_at = excluded.due_at",
        )?;
        statement.execute(params![auth0_id.as_str(), blocked, self.now.as_millisecond()])?;
        Ok(())
    }
}
