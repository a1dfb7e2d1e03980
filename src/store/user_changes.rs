//! Which users changed lately, in memory: what was read of a row is used until the row changes, so most requests need no
//! query and no lock.
//!
//! Triggers number the changes in the table `user_changes`, which keeps the latest; `PRAGMA data_version` shows cheaply
//! whether any process wrote. It is read again by the first request after [`KNOWN_FOR`], so however busy the process is, no
//! row is used longer than that after another process changed it. The memory has a fixed size: users share its slots, and a
//! change of one of them makes the rows of the others be read once more.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::query::{all, value};
use super::{Result, Shared, Store};
use crate::clock::Clock;
use crate::user::UserId;

/// How long a read of the changes counts: the time after which a change by another process applies here at the latest. A busy
/// server then reads 50 times a second, for some microseconds, and an idle one twice, for its subscribers.
const KNOWN_FOR: Duration = Duration::from_millis(20);

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
    /// Until when `slots` count, in whole milliseconds on the monotonic clock. 0: not at all, as the last read failed.
    known_until: AtomicU64,
    /// When to read again after a failure.
    retry_at: AtomicU64,
    /// `None` once closed. The thread that locks it applies changes, so none is missed.
    reader: Mutex<Option<Reader>>,
}

struct Reader {
    /// A connection of its own: `data_version` changes when any connection but the one that asks has written.
    connection: Connection,
    data_version: Option<i64>,
    seq: i64,
    /// Whether the last read failed, which is logged once.
    fails: bool,
}

impl Store {
    /// The number of the last change that this process knows.
    pub fn latest_change(&self) -> ChangeNumber {
        ChangeNumber(self.shared.user_changes.latest.load(Ordering::Acquire))
    }

    /// Whether the user's row is known not to have changed since: through this process at all, through others until 20 ms ago.
    /// Reads numbers in memory, and now and then the changes of other processes. False when these cannot be read.
    pub fn is_unchanged(&self, user: UserId, since: ChangeNumber) -> bool {
        let Shared { user_changes: changes, clock, .. } = &*self.shared;
        changes.are_known(clock)
            && changes.slot(user).is_some_and(|slot| slot.load(Ordering::Acquire) <= since.0)
    }

    /// Waits until each process that has the database open applies what this handle or a clone of it changed. Blocks for 20 ms;
    /// returns at once if nothing was written.
    #[expect(clippy::disallowed_methods, reason = "a command waits, which serves no request")]
    pub fn wait_until_known(&self) {
        if self.database.has_written() {
            std::thread::sleep(KNOWN_FOR);
        }
    }
}

impl UserChanges {
    pub(crate) fn load(connection: Connection, clock: &Clock) -> Result<Self> {
        let changes = Self {
            slots: (0..SLOTS).map(|_| AtomicI64::new(1)).collect(),
            latest: AtomicI64::new(1),
            known_until: AtomicU64::new(millis(clock.elapsed() + KNOWN_FOR)),
            retry_at: AtomicU64::new(0),
            reader: Mutex::new(None),
        };
        let mut reader = Reader { connection, data_version: None, seq: 0, fails: false };
        changes.apply(&mut reader)?;
        *changes.lock() = Some(reader);
        Ok(changes)
    }

    /// Applies what any process committed before this call.
    pub(crate) fn catch_up(&self, clock: &Clock) {
        self.read(self.lock().as_mut(), clock);
    }

    pub(crate) fn close(&self) {
        drop(self.lock().take());
    }

    /// Whether the changes are known that any process committed [`KNOWN_FOR`] ago. Reads them if that is due.
    fn are_known(&self, clock: &Clock) -> bool {
        let now = millis(clock.elapsed());
        let are = || now < self.known_until.load(Ordering::Acquire);
        if are() {
            return true;
        }
        let has_failed = || now < self.retry_at.load(Ordering::Acquire);
        if has_failed() {
            return false;
        }
        let mut reader = self.lock();
        // Another request may have tried meanwhile.
        are() || !has_failed() && self.read(reader.as_mut(), clock)
    }

    /// Returns whether the changes were read; false once closed.
    fn read(&self, reader: Option<&mut Reader>, clock: &Clock) -> bool {
        let Some(reader) = reader else { return false };
        let until = millis(clock.elapsed() + KNOWN_FOR);
        let outcome = self.apply(reader);
        if let Err(error) = &outcome
            && !reader.fails
        {
            let error = error as &dyn std::error::Error;
            tracing::error!(
                error,
                "cannot read which users changed; until that works, each request reads its user"
            );
        }
        reader.fails = outcome.is_err();
        let (known_until, retry_at) = if reader.fails { (0, until) } else { (until, 0) };
        self.retry_at.store(retry_at, Ordering::Release);
        self.known_until.store(known_until, Ordering::Release);
        !reader.fails
    }

    fn lock(&self) -> MutexGuard<'_, Option<Reader>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Whole milliseconds. Two moments rounded down to fewer than twenty apart are less than twenty apart.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
