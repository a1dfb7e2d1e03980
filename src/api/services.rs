//! What both doors share.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use super::WebSockets;
use crate::auth::Gate;
use crate::pool::Pool;
use crate::store::Store;
use crate::telemetry::Tally;

/// What both doors share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Services {
    /// Authenticates callers.
    pub gate: Gate,
    /// Our database.
    pub store: Store,
    /// Threads for blocking work.
    pub pool: Pool,
    /// Threads for requests to Auth0, and nothing else.
    pub auth0_pool: Pool,
    /// What the resolvers of a team's own schemas share.
    pub state: SharedState,
    /// Time for a request's body to arrive.
    pub body_timeout: Duration,
    /// Number of refused requests, by door and code.
    pub refusals: Arc<Tally>,
    /// The open WebSockets.
    pub sockets: WebSockets,
    /// The tenant's issuer, with its final slash. GraphiQL logs in there.
    pub issuer: String,
}

/// A value of any type that a team's resolvers share. [`Context::state`](super::Context::state) returns it. Cheap to
/// clone.
#[derive(Clone)]
pub struct SharedState(Arc<dyn Any + Send + Sync>);

impl SharedState {
    /// Shares `value` among all requests of both doors.
    pub fn new<T: Send + Sync + 'static>(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// The value, if it has this type.
    pub(super) fn get<T: 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

/// No state, for schemas without one.
impl Default for SharedState {
    fn default() -> Self {
        Self::new(())
    }
}

impl std::fmt::Debug for SharedState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedState").finish_non_exhaustive()
    }
}
