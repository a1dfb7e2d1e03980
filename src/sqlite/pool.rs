//! The connection pool: a bounded number of equal connections, each lent for one query or one transaction.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::DatabaseError;

/// The writer's pool has one connection. The mutex is held to take and to return a connection, not while it works.
#[derive(Debug)]
pub(super) struct ConnectionPool<C> {
    state: Mutex<State<C>>,
    returned: Condvar,
    /// How long a caller waits for a connection before [`DatabaseError::Busy`].
    timeout: Duration,
    open: Opener<C>,
}

/// Opens a connection.
struct Opener<C>(Box<dyn Fn() -> Result<C, DatabaseError> + Send + Sync>);

impl<C> std::fmt::Debug for Opener<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opener")
    }
}

#[derive(Debug)]
struct State<C> {
    /// A stack: the connection used last has the warmest cache.
    idle: Vec<C>,
    lent: usize,
    /// Connections that may still be opened, when none is idle.
    unopened: usize,
    /// Callers that wait for a connection, or for all of them. Without one, a return makes no system call.
    waiting: usize,
    closed: bool,
}

/// Returned to its pool when dropped.
pub(super) struct PooledConnection<'a, C> {
    pool: &'a ConnectionPool<C>,
    connection: Option<C>,
}

impl<C> ConnectionPool<C> {
    pub(super) fn new(idle: Vec<C>, timeout: Duration) -> Self {
        let state = State { idle, lent: 0, unopened: 0, waiting: 0, closed: false };
        let open = Opener(Box::new(|| Err(DatabaseError::Busy)));
        Self { state: Mutex::new(state), returned: Condvar::new(), timeout, open }
    }

    /// A pool of one connection, which opens more, up to `max`, when it needs them: each takes 0.2 MiB.
    pub(super) fn growing(
        max: usize,
        timeout: Duration,
        open: impl Fn() -> Result<C, DatabaseError> + Send + Sync + 'static,
    ) -> Result<Self, DatabaseError> {
        let idle = vec![open()?];
        let state = State { idle, lent: 0, unopened: max.saturating_sub(1), waiting: 0, closed: false };
        Ok(Self { state: Mutex::new(state), returned: Condvar::new(), timeout, open: Opener(Box::new(open)) })
    }

    /// Runs `work` with a connection, which returns to the pool also when `work` panics.
    pub(super) fn with<T, E: From<DatabaseError>>(
        &self,
        work: impl FnOnce(&mut C) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut pooled = self.acquire()?;
        work(pooled.get()?)
    }

    /// Lends no more, waits for the connections that are lent, and returns all. Empty the second time.
    pub(super) fn close(&self) -> Vec<C> {
        let mut state = self.lock();
        state.closed = true;
        self.returned.notify_all();
        let mut state = self.wait_while(state, |state| state.lent > 0);
        std::mem::take(&mut state.idle)
    }

    pub(super) fn acquire(&self) -> Result<PooledConnection<'_, C>, DatabaseError> {
        let is_empty = |state: &State<C>| state.idle.is_empty() && state.unopened == 0;
        let mut state = self.wait_while(self.lock(), |state| is_empty(state) && !state.closed);
        if state.closed {
            return Err(DatabaseError::Closed);
        }
        if is_empty(&state) {
            return Err(DatabaseError::Busy);
        }
        state.lent += 1;
        if let Some(connection) = state.idle.pop() {
            return Ok(PooledConnection { pool: self, connection: Some(connection) });
        }
        state.unopened -= 1;
        drop(state);
        let error = match (self.open.0)() {
            Ok(connection) => return Ok(PooledConnection { pool: self, connection: Some(connection) }),
            Err(error) => error,
        };
        let mut state = self.lock();
        (state.lent, state.unopened) = (state.lent.saturating_sub(1), state.unopened + 1);
        self.returned.notify_all();
        // One that others use now will do as well.
        let must_wait = |state: &State<C>| state.idle.is_empty() && state.lent > 0 && !state.closed;
        let mut state = self.wait_while(state, must_wait);
        let connection = if state.closed { None } else { state.idle.pop() };
        state.lent += usize::from(connection.is_some());
        drop(state);
        connection
            .map(|connection| PooledConnection { pool: self, connection: Some(connection) })
            .ok_or(error)
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting
    }

    /// Waits at most for the timeout.
    fn wait_while<'a>(
        &self,
        mut state: MutexGuard<'a, State<C>>,
        condition: impl Fn(&State<C>) -> bool,
    ) -> MutexGuard<'a, State<C>> {
        if !condition(&state) {
            return state;
        }
        state.waiting += 1;
        let waited = self.returned.wait_timeout_while(state, self.timeout, |state| condition(state));
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state
    }

    /// Pushes and pops leave the state valid, so a poisoned lock still holds a good one.
    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> PooledConnection<'_, C> {
    pub(super) fn get(&mut self) -> Result<&mut C, DatabaseError> {
        self.connection.as_mut().ok_or(DatabaseError::Closed)
    }

    /// Returns the connection to the pool if another caller waits for it, and `true` then. That caller, one that overtakes it,
    /// or [`ConnectionPool::close`] gets it.
    pub(super) fn hand_on(&mut self) -> bool {
        self.give_back(|state| state.waiting > 0 && !state.closed)
    }

    fn give_back(&mut self, condition: impl Fn(&State<C>) -> bool) -> bool {
        let mut state = self.pool.lock();
        if self.connection.is_none() || !condition(&state) {
            return false;
        }
        state.lent = state.lent.saturating_sub(1);
        state.idle.extend(self.connection.take());
        let (closed, is_awaited) = (state.closed, state.waiting > 0);
        drop(state);
        // One connection came free, so one caller is enough; once closed, only `close` waits.
        match is_awaited {
            true if closed => self.pool.returned.notify_all(),
            true => self.pool.returned.notify_one(),
            false => {}
        }
        true
    }
}

impl<C> Drop for PooledConnection<'_, C> {
    fn drop(&mut self) {
        self.give_back(|_| true);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rusqlite::Connection;

    use super::*;

    fn pool(connections: usize) -> ConnectionPool<Connection> {
        let idle = (0..connections).map(|_| Connection::open_in_memory().unwrap()).collect();
        ConnectionPool::new(idle, Duration::from_millis(20))
    }

    fn try_use(pool: &ConnectionPool<Connection>) -> Result<(), DatabaseError> {
        pool.with(|_| Ok(()))
    }

    #[test]
    fn a_pool_without_a_free_connection_is_busy() {
        let pool = pool(1);
        let inner = pool.with(|_| Ok::<_, DatabaseError>(try_use(&pool))).unwrap();
        assert!(matches!(inner, Err(DatabaseError::Busy)));
        assert!(try_use(&pool).is_ok());
    }

    #[test]
    fn connections_are_opened_when_they_are_needed() {
        let opened = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&opened);
        let open = move || match counted.fetch_add(1, Ordering::Relaxed) {
            1 => Err(DatabaseError::Closed),
            _ => Ok(Connection::open_in_memory()?),
        };
        let pool = ConnectionPool::growing(2, Duration::from_millis(20), open).unwrap();
        for _ in 0..2 {
            try_use(&pool).unwrap();
        }
        assert_eq!(opened.load(Ordering::Relaxed), 1);
        // The second cannot be opened, and is opened when it is needed again.
        let second = || pool.with(|_| Ok::<_, DatabaseError>(try_use(&pool))).unwrap();
        assert!(matches!(second(), Err(DatabaseError::Closed)));
        second().unwrap();
        let third = || pool.with(|_| pool.with(|_| Ok::<_, DatabaseError>(try_use(&pool))));
        assert!(matches!(third().unwrap(), Err(DatabaseError::Busy)));
        assert_eq!((opened.load(Ordering::Relaxed), pool.close().len()), (3, 2));
    }

    #[test]
    fn in_place_of_a_connection_that_cannot_be_opened_one_that_comes_back_is_used() {
        let opened = AtomicUsize::new(0);
        let open = move || match opened.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(Connection::open_in_memory()?),
            _ => Err(DatabaseError::Closed),
        };
        let pool = ConnectionPool::growing(2, Duration::from_secs(60), open).unwrap();
        pool.with(|_| {
            std::thread::scope(|scope| {
                let second = scope.spawn(|| try_use(&pool));
                while pool.waiting() == 0 {
                    std::thread::yield_now();
                }
                assert!(!second.is_finished());
                pool.lock().idle.push(Connection::open_in_memory().unwrap());
                pool.returned.notify_all();
                second.join().unwrap()
            })
        })
        .unwrap();
    }

    #[test]
    fn a_panic_returns_the_connection() {
        let pool = pool(1);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = pool.with(|_| -> Result<(), DatabaseError> { panic!("on purpose") });
        }));
        assert!(caught.is_err());
        assert!(try_use(&pool).is_ok());
    }

    #[test]
    fn a_closed_pool_lends_nothing_and_returns_its_connections_once() {
        let pool = pool(2);
        assert_eq!(pool.close().len(), 2);
        assert!(matches!(try_use(&pool), Err(DatabaseError::Closed)));
        assert_eq!(pool.close().len(), 0);
    }

    #[test]
    fn callers_wait_for_each_other() {
        let idle = vec![Connection::open_in_memory().unwrap()];
        let pool = ConnectionPool::new(idle, Duration::from_secs(60));
        let count = Mutex::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let add = |_: &mut Connection| -> Result<(), DatabaseError> {
                        *count.lock().unwrap() += 1;
                        Ok(())
                    };
                    pool.with(add).unwrap();
                });
            }
        });
        assert_eq!(*count.lock().unwrap(), 8);
    }
}
