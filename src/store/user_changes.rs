//! Which users changed lately, in memory: what was read of a row is used until the row changes, so most requests need no
//! query and no lock.
//!
//! Triggers number the changes in the table `user_changes`, which keeps the latest; `PRAGMA data_version` shows cheaply
//! whether any process wrote. The memory has a fixed size: users share its slots, and a change of one of them makes the
//! rows of the others be read once more.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::query::{all, value};
use super::{Result, Store};
use crate::user::UserId;

/// 128 KiB. With a thousand active users, one change makes a sixteenth of another row be read again.
const SLOTS: usize = 16 * 1024;

/// Up to which change the rows of users are known. Take it before the row is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ChangeNumber(pub i64);

pub(crate) struct UserChanges {
    /// The number of the last change of a user in each slot.
    slots: Box<[AtomicI64]>,
    /// The last change that is in `slots`. From 1, so that 0 is older than everything.
    latest: AtomicI64,
    /// `None` once closed. The thread that locks it applies changes, so none is missed.
    reader: Mutex<Option<Reader>>,
}

struct Reader {
    /// A connection of its own: `data_version` changes when any connection but the one that asks has written.
    connection: Connection,
    data_version: Option<i64>,
    seq: i64,
}

impl Store {
    /// The number of the last change that this process knows: its own when their call returns, those of others after the
    /// next [`Store::poll_changes`]. When the database fails, the last known changes hold, and the log says so.
    pub fn latest_change(&self) -> ChangeNumber {
        ChangeNumber(self.shared.user_changes.latest.load(Ordering::Acquire))
    }

    /// Whether the user's row did not change since, as far as this process knows. Reads one number in memory.
    pub fn is_unchanged(&self, user: UserId, since: ChangeNumber) -> bool {
        let changes = &self.shared.user_changes;
        changes.slot(user).is_some_and(|slot| slot.load(Ordering::Acquire) <= since.0)
    }
}

impl UserChanges {
    pub(crate) fn load(connection: Connection) -> Result<Self> {
        let changes = Self {
            slots: (0..SLOTS).map(|_| AtomicI64::new(1)).collect(),
            latest: AtomicI64::new(1),
            reader: Mutex::new(None),
        };
        let mut reader = Reader { connection, data_version: None, seq: 0 };
        changes.apply(&mut reader)?;
        *changes.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        Ok(changes)
    }

    /// Applies what any process committed before this call.
    pub(crate) fn catch_up(&self) {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = reader.as_mut()
            && let Err(error) = self.apply(reader)
        {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "cannot read which users changed; the last known changes hold");
        }
    }

    pub(crate) fn close(&self) {
        drop(self.reader.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn apply(&self, reader: &mut Reader) -> Result<()> {
        let data_version = value(&reader.connection, "PRAGMA data_version", [])?;
        if reader.data_version == data_version {
            return Ok(());
        }
        let sql = "SELECT seq, user_id FROM user_changes WHERE seq > ?1 ORDER BY seq";
        let changes: Vec<(i64, UserId)> =
            all(&reader.connection, sql, [reader.seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if let (Some((first, _)), Some((last, _))) = (changes.first(), changes.last()) {
            // Changes that are gone can have been of any user.
            if *first > reader.seq + 1 {
                self.slots.iter().for_each(|slot| slot.store(last + 1, Ordering::Release));
            }
            for (seq, user) in &changes {
                if let Some(slot) = self.slot(*user) {
                    slot.fetch_max(seq + 1, Ordering::AcqRel);
                }
            }
            // After the slots: a row that is read from here on includes these changes.
            self.latest.store(last + 1, Ordering::Release);
            reader.seq = *last;
        }
        reader.data_version = data_version;
        Ok(())
    }

    /// The end of an id is random (RFC 9562).
    fn slot(&self, user: UserId) -> Option<&AtomicI64> {
        let [.., high, low] = user.as_bytes();
        self.slots.get(usize::from(u16::from_be_bytes([*high, *low])) % SLOTS)
    }
}
