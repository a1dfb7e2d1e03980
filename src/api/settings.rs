//! `[public]`, `[internal]` and `[http]` in the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::auth::{self, ClaimsSettings, Need, Policy};
use crate::scope::Permissions;

/// One door.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The API's identifier at Auth0: the `aud` its tokens must hold.
    pub audience: String,
    /// Permissions a caller must hold, all of them.
    pub need: Permissions,
    /// Whether callers without a token are let in, with no current user.
    pub anonymous: bool,
    /// Whether the schema may be asked for.
    pub introspection: bool,
    /// Whether a page to try operations on, GraphiQL, stands at `/`.
    pub graphiql: bool,
    /// The application that page logs people in with; without one it has no log in.
    pub graphiql_client_id: Option<String>,
    /// Origins whose pages may read the door's answers and open its WebSocket.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Host names the door answers to; all, if there are none.
    pub hosts: Vec<String>,
    /// What one request may cost.
    pub limits: Limits,
    /// What WebSockets may use.
    pub socket: Socket,
    /// TrustedDocuments documents.
    pub documents: Documents,
}

impl DoorSettings {
    /// What the door wants of its callers.
    pub fn rules(&self, claims: &ClaimsSettings) -> auth::DoorRules {
        auth::DoorRules {
            policy: Policy::new(claims, &self.audience),
            need: Need { permissions: self.need.clone(), anonymous: self.anonymous },
        }
    }
}

/// What one request may cost. What is over a limit is refused, and told which limit it was.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body: usize,
    /// Tokens of a GraphQL document.
    pub tokens: usize,
    /// Nested selection sets of an operation.
    pub depth: usize,
    /// Fields of an operation, fragments expanded.
    pub fields: usize,
    /// Fields of an operation at its root.
    pub root_fields: usize,
    /// Aliases of an operation, fragments expanded.
    pub aliases: usize,
    /// Directives of an operation, fragments expanded.
    pub directives: usize,
    /// Fields that an operation may make the server give: those inside a page count once for each of its items.
    pub cost: u64,
    /// How long an operation may run.
    #[serde(with = "humantime_serde")]
    pub time: Duration,
    /// Bytes of an answer.
    pub response: usize,
    /// Validated operations that are kept, so that a repeated one is neither parsed nor validated again.
    pub kept: usize,
}

/// TrustedDocuments documents: operations that requests name by an id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documents {
    /// The folder of their manifests; without one there are none.
    pub dir: Option<PathBuf>,
    /// Whether nothing else is served.
    pub only: bool,
}

/// What WebSockets may use, besides the limits of each operation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Socket {
    /// Connections that are open at once; more are refused.
    pub connections: usize,
    /// Operations of a connection that run at once; more are refused.
    pub operations: usize,
    /// Bytes of a message from the client.
    pub message: usize,
    /// How long the client may take to send `connection_init`.
    #[serde(with = "humantime_serde")]
    pub init: Duration,
}

/// How connections are held, on every listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// How long a new connection may stay silent.
    #[serde(with = "humantime_serde")]
    pub first_byte: Duration,
    /// How long a request's headers may take to arrive.
    #[serde(with = "humantime_serde")]
    pub header: Duration,
    /// How long a request's body may take to arrive.
    #[serde(with = "humantime_serde")]
    pub body: Duration,
    /// How long a connection may stay open between requests.
    #[serde(with = "humantime_serde")]
    pub idle: Duration,
    /// Connections a listener holds at once; more are closed on arrival.
    pub connections: usize,
    /// How long requests under way may take to end once the server was told to stop.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}
