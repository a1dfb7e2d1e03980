//! One change: the steps of the other files are its methods.

use std::cell::Cell;

use jiff::Timestamp;
use rusqlite::{Connection, Params};

use super::audit::ChainHash;
use super::{Result, query};
use crate::clock::Clock;
use crate::telemetry::RequestId;

/// Holds SQLite's write lock, so what it reads stays true until it ends.
pub(crate) struct Write<'a> {
    /// Within a transaction that holds the lock from its beginning.
    pub(crate) tx: &'a Connection,
    /// The one moment of this change, in whole milliseconds, as rows store it.
    pub(crate) now: Timestamp,
    pub(crate) request: Option<RequestId>,
    /// Whether blocks go to the outbox for Auth0.
    pub(crate) block_at_auth0: bool,
    /// The last audit line, once it was read.
    pub(crate) audit_head: Cell<Option<(i64, ChainHash)>>,
}

impl<'a> Write<'a> {
    pub(crate) fn new(
        tx: &'a Connection,
        clock: &Clock,
        request: Option<RequestId>,
        block_at_auth0: bool,
    ) -> Self {
        // Read under the lock, so that later changes have later moments.
        let now = clock.now();
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        Self { tx, now, request, block_at_auth0, audit_head: Cell::new(None) }
    }

    pub(crate) fn now_millis(&self) -> i64 {
        self.now.as_millisecond()
    }

    pub(crate) fn run(&self, sql: &str, params: impl Params) -> Result<usize> {
        query::run(self.tx, sql, params)
    }
}
