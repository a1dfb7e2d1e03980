//! The connection pool: lanes of connections that are lent for one query or one transaction.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::StoreError;

/// A fixed number of equal connections. The writers' lane has one, which is what makes it the one writer.
///
/// The lock is held to take a connection and to give it back, not while it works.
pub(super) struct Lane {
    state: Mutex<State>,
    returned: Condvar,
    /// How long a borrower waits before the answer is [`StoreError::Busy`].
    patience: Duration,
}

struct State {
    /// A stack: the connection used last has the warmest cache.
    idle: Vec<Connection>,
    lent: usize,
    closed: bool,
}

struct Loan<'a> {
    lane: &'a Lane,
    connection: Option<Connection>,
}

impl Lane {
    pub(super) fn new(idle: Vec<Connection>, patience: Duration) -> Self {
        let state = State { idle, lent: 0, closed: false };
        Self { state: Mutex::new(state), returned: Condvar::new(), patience }
    }

    /// Lends a connection to `work`. It comes back also when `work` panics.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when none came free in time, [`StoreError::Closed`], and those of `work`.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut loan = self.lend()?;
        match loan.connection.as_mut() {
            Some(connection) => work(connection),
            None => Err(StoreError::Closed),
        }
    }

    /// Lends no more, waits for what is lent, and hands all connections over. Empty the second time.
    pub(super) fn close(&self) -> Vec<Connection> {
        let mut state = self.lock();
        state.closed = true;
        self.returned.notify_all();
        let waited = self.returned.wait_timeout_while(state, self.patience, |state| state.lent > 0);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.idle)
    }

    fn lend(&self) -> Result<Loan<'_>, StoreError> {
        let waited = self
            .returned
            .wait_timeout_while(self.lock(), self.patience, |state| state.idle.is_empty() && !state.closed);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(StoreError::Closed);
        }
        let connection = state.idle.pop().ok_or(StoreError::Busy)?;
        state.lent += 1;
        Ok(Loan { lane: self, connection: Some(connection) })
    }

    /// Pushes and pops leave the state whole, so a poisoned lock still holds a good one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut state = self.lane.lock();
        state.lent = state.lent.saturating_sub(1);
        state.idle.extend(self.connection.take());
        let closed = state.closed;
        drop(state);
        // One connection came free, so one borrower is enough; once closed, only `close` waits.
        if closed { self.lane.returned.notify_all() } else { self.lane.returned.notify_one() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(connections: usize) -> Lane {
        let idle = (0..connections).map(|_| Connection::open_in_memory().unwrap()).collect();
        Lane::new(idle, Duration::from_millis(20))
    }

    #[test]
    fn a_lane_without_a_free_connection_is_busy() {
        let lane = lane(1);
        let inner = lane.with(|_| Ok(matches!(lane.with(|_| Ok(())), Err(StoreError::Busy)))).unwrap();
        assert!(inner);
        assert!(lane.with(|_| Ok(())).is_ok());
    }

    #[test]
    fn a_panic_gives_the_connection_back() {
        let lane = lane(1);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = lane.with(|_| -> Result<(), StoreError> { panic!("on purpose") });
        }));
        assert!(caught.is_err());
        assert!(lane.with(|_| Ok(())).is_ok());
    }

    #[test]
    fn a_closed_lane_lends_nothing_and_hands_over_once() {
        let lane = lane(2);
        assert_eq!(lane.close().len(), 2);
        assert!(matches!(lane.with(|_| Ok(())), Err(StoreError::Closed)));
        assert_eq!(lane.close().len(), 0);
    }

    #[test]
    fn a_borrower_waits_for_the_one_before() {
        let lane = lane(1);
        let count = Mutex::new(0);
        let add = || {
            *count.lock().unwrap() += 1;
            Ok(())
        };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| lane.with(|_| add()).unwrap());
            }
        });
        assert_eq!(*count.lock().unwrap(), 8);
    }
}
