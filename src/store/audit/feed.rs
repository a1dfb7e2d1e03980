//! The feed of changes, for subscriptions: every change has an audit line.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::chain;
use crate::sqlite::DatabaseError;
use crate::store::query::all;
use crate::store::{Result, Store};
use crate::user::UserId;

/// How many changes a receiver may be behind before it misses some.
const CAPACITY: usize = 1024;

/// A committed change. It carries no values: a receiver reads those with its own permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The id of its audit line. Rises by one.
    pub audit: i64,
    /// The user who was changed.
    pub user: Option<UserId>,
    /// The deployment that began or ended.
    pub deployment: Option<i64>,
    /// The word of an [`Action`](super::Action), or one that a newer version of the program wrote.
    pub action: String,
}

pub(crate) struct Feed {
    /// `None` once closed. The thread that locks it sends the next changes, so each is sent once and in order.
    state: Mutex<Option<FeedState>>,
}

struct FeedState {
    sender: broadcast::Sender<Change>,
    /// The last line that was sent, or skipped while there was no receiver.
    last: i64,
}

impl Store {
    /// Subscribes to changes from now on: those of this process when their call returns, those of another one at the next
    /// [`Store::poll_changes`]. A receiver that falls 1,024 behind gets `Lagged`. All end when the store closes.
    pub fn subscribe(&self) -> Result<broadcast::Receiver<Change>> {
        let mut state = self.shared.feed.lock();
        let state = state.as_mut().ok_or(DatabaseError::Closed)?;
        if state.sender.receiver_count() == 0 {
            state.last = self.read_by_key(chain::head)?.map_or(0, |(id, _)| id);
        }
        Ok(state.sender.subscribe())
    }

    /// Reads what other processes changed, for the rows in use and the feed. The app calls it twice a second, inline, for the
    /// feed: [`Store::is_unchanged`] reads the changes itself.
    pub fn poll_changes(&self) {
        // In this order: a subscriber who learns of a block finds the user blocked.
        self.shared.user_changes.catch_up(&self.shared.clock);
        self.publish_changes();
    }

    /// Sends what was committed since the last call. Reads nothing while there is no receiver.
    pub(crate) fn publish_changes(&self) {
        if let Some(state) = self.shared.feed.lock().as_mut()
            && state.sender.receiver_count() > 0
            && let Err(error) = self.send_new_lines(state)
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot read the latest changes; subscribers get them with the next change"
            );
        }
    }

    fn send_new_lines(&self, state: &mut FeedState) -> Result<()> {
        let sql = "SELECT id, target, CASE WHEN action LIKE 'deployment.%' THEN changes ->> '$.deployment.new' END, action
                   FROM audit WHERE id > ?1 ORDER BY id";
        let changes = self.read_by_key(|connection| {
            all(connection, sql, [state.last], |row| {
                let (audit, user) = (row.get(0)?, row.get(1)?);
                Ok(Change { audit, user, deployment: row.get(2)?, action: row.get(3)? })
            })
        })?;
        if !changes.is_empty() {
            // A subscriber who learns of a block by another process must find the user blocked.
            self.shared.user_changes.catch_up(&self.shared.clock);
        }
        for change in changes {
            state.last = change.audit;
            // It fails when the last receiver has gone.
            drop(state.sender.send(change));
        }
        Ok(())
    }
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(Some(FeedState { sender: broadcast::Sender::new(CAPACITY), last: 0 })) }
    }

    pub(crate) fn close(&self) {
        drop(self.lock().take());
    }

    fn lock(&self) -> MutexGuard<'_, Option<FeedState>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
