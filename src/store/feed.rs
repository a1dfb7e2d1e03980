//! What changes, as it changes: for subscriptions. The audit trail is the feed, since every change has a line in it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::users::user_id;
use super::{Store, StoreError, chain};
use crate::sqlite::DatabaseError;
use crate::user::UserId;

/// How many changes a receiver may be behind before it is told that it missed some.
const BEHIND_MAX: u16 = 1024;

/// Something that was committed. Carries no value: whoever wants more reads it, with their own permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The id of its line in the audit trail. Rises, by one.
    pub audit: i64,
    /// Who was changed.
    pub user: Option<UserId>,
    /// The word of an [`Action`](super::Action), or one that a newer process wrote.
    pub action: String,
}

pub(super) struct Feed {
    /// `None` once closed. Whoever holds the lock tells the next lines, so they are told once and in order.
    told: Mutex<Option<Told>>,
}

struct Told {
    tell: broadcast::Sender<Change>,
    /// The last line that was told, or passed over because nobody listened.
    last: i64,
}

impl Store {
    /// Gives what changes from now on: changes by this process when their call returns, those by another process at
    /// the next [`Store::poll_changes`]. A receiver that falls far behind is told so (`Lagged`); when the store closes, all
    /// receivers end.
    ///
    /// # Errors
    /// As every read.
    pub fn subscribe(&self) -> Result<broadcast::Receiver<Change>, StoreError> {
        let mut told = self.shared.feed.lock();
        let told = told.as_mut().ok_or(DatabaseError::Closed)?;
        if told.tell.receiver_count() == 0 {
            told.last = self.look_up(chain::head)?.map_or(0, |(id, _)| id);
        }
        Ok(told.tell.subscribe())
    }

    /// Notices what other processes changed: for the revocations and for the feed. The app calls it twice a second. Takes
    /// microseconds, and a millisecond or two when somebody listens and much has changed.
    pub fn poll_changes(&self) {
        self.shared.revocations.catch_up();
        self.tell();
    }

    /// Tells what was committed since the last time. Costs nothing while nobody listens.
    pub(super) fn tell(&self) {
        if let Some(told) = self.shared.feed.lock().as_mut()
            && told.tell.receiver_count() > 0
            && let Err(error) = self.tell_lines(told)
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "can not read what changed; subscribers are told with the next change"
            );
        }
    }

    fn tell_lines(&self, told: &mut Told) -> Result<(), StoreError> {
        self.look_up(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT id, target, action FROM audit WHERE id > ?1 ORDER BY id")?;
            let mut rows = statement.query([told.last])?;
            while let Some(row) = rows.next()? {
                let change = Change {
                    audit: row.get(0)?,
                    user: row.get::<_, Option<[u8; 16]>>(1)?.map(user_id),
                    action: row.get(2)?,
                };
                told.last = change.audit;
                // Without a receiver there is nobody to tell.
                drop(told.tell.send(change));
            }
            Ok(())
        })
    }
}

impl Feed {
    pub(super) fn new() -> Self {
        let told = Told { tell: broadcast::Sender::new(BEHIND_MAX.into()), last: 0 };
        Self { told: Mutex::new(Some(told)) }
    }

    pub(super) fn close(&self) {
        drop(self.lock().take());
    }

    fn lock(&self) -> MutexGuard<'_, Option<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
