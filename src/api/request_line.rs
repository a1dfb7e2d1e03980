//! The log line of a request or an operation: one, when it ends.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::operations::PreparedOperation;
use crate::auth::{Caller, Principal};
use crate::clock::Clock;
use crate::telemetry::{RequestId, RequestLog};

/// The most characters of an operation's name in the log; clients choose it.
const NAME_MAX: usize = 64;

/// The line of one request. Dropping it before the request has ended logs that the client cancelled it.
pub(super) struct RequestLine {
    pub(super) door: &'static str,
    pub(super) request: RequestId,
    log: Arc<RequestLog>,
    clock: Clock,
    /// On the monotonic clock.
    begun: Duration,
    operation: Option<Arc<PreparedOperation>>,
    caller: Option<Pseudonym>,
    has_ended: bool,
}

impl RequestLine {
    /// The line of a request that began at `begun` on the monotonic clock.
    pub(super) fn new(
        door: &'static str,
        request: RequestId,
        log: &Arc<RequestLog>,
        clock: &Clock,
        begun: Duration,
    ) -> Self {
        let (log, clock) = (Arc::clone(log), clock.clone());
        let (operation, caller, has_ended) = Default::default();
        Self { door, request, log, clock, begun, operation, caller, has_ended }
    }

    /// Adds the caller's pseudonym.
    pub(super) fn set_caller(&mut self, caller: &Caller) {
        if self.log.is_enabled() {
            self.caller = Some(match caller.principal() {
                Principal::User(user) => Pseudonym::User(self.log.pseudonym(user.id())),
                Principal::Machine(client) => Pseudonym::Machine(self.log.pseudonym(client)),
                Principal::Anonymous => Pseudonym::Anonymous,
            });
        }
    }

    /// Adds the operation's name.
    pub(super) fn set_operation(&mut self, operation: &Arc<PreparedOperation>) {
        self.operation = Some(Arc::clone(operation));
    }

    /// Logs how the request ended; once, whatever is reported later.
    pub(super) fn end(&mut self, outcome: &OutcomeLabel<'_>) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let OutcomeLabel { outcome, stage, has_failed } = *outcome;
        if !(has_failed || stage.is_some() || self.log.is_enabled()) {
            return;
        }
        let name = self.operation.as_ref().and_then(|operation| operation.name());
        let operation = name.map(|name| name.get(..NAME_MAX).unwrap_or(name));
        let took = self.clock.elapsed().saturating_sub(self.begun);
        let ms = (took.as_secs_f64() * 1e6).round() / 1e3;
        let Self { door, request, caller, .. } = self;
        let (door, caller) = (*door, caller.as_ref().map(tracing::field::display));
        if has_failed {
            tracing::error!(door, operation, outcome, ms, %request, caller, "request");
        } else {
            tracing::info!(door, operation, outcome, stage, ms, %request, caller, "request");
        }
    }

    /// Logs that a subscription has no more events.
    pub(super) fn complete(&mut self) {
        self.end(&OutcomeLabel::of("ok"));
    }
}

/// How a request ended, for the log.
pub(super) struct OutcomeLabel<'a> {
    /// `ok`, or a code.
    pub(super) outcome: &'a str,
    /// The stage of the gate that refused it.
    pub(super) stage: Option<&'static str>,
    /// Whether the server failed.
    pub(super) has_failed: bool,
}

impl<'a> OutcomeLabel<'a> {
    /// Neither refused nor failed.
    pub(super) fn of(outcome: &'a str) -> Self {
        Self { outcome, stage: None, has_failed: false }
    }
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        self.end(&OutcomeLabel::of("cancelled"));
    }
}

/// A caller, by a keyed hash of their id.
enum Pseudonym {
    User(u64),
    Machine(u64),
    Anonymous,
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(hash) => write!(f, "user-{:012x}", hash >> 16),
            Self::Machine(hash) => write!(f, "machine-{:012x}", hash >> 16),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}
