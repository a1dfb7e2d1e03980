//! What both doors share.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use super::WebSockets;
use crate::auth::Gate;
use crate::pool::Pool;
use crate::sqlite::Database;
use crate::store::Store;
use crate::telemetry::{RequestLog, Tally};

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
    /// The team's own tables, if it has any.
    pub database: Option<Database>,
    /// Time for a request's body to arrive.
    pub body_timeout: Duration,
    /// Number of refused requests, by door and code.
    pub refusals: Arc<Tally>,
    /// Which requests are logged.
    pub request_log: Arc<RequestLog>,
    /// The open WebSockets.
    pub sockets: WebSockets,
    /// The tenant's issuer, with its final slash. GraphiQL logs in there.
    pub issuer: String,
}

/// A value of any type that a team's resolvers share; `()` without one. [`Context::state`](super::Context::state) returns it.
pub type SharedState = Arc<dyn Any + Send + Sync>;
