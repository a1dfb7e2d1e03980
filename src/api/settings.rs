//! The settings of `[public]`, `[internal]` and `[http]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::auth::{self, ClaimsSettings, Need, Policy};
use crate::scope::Permissions;

/// `[public]` or `[internal]`: one door.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorSettings {
    /// Address the door listens on.
    pub listen: SocketAddr,
    /// The API's identifier at Auth0: the audience (`aud`) that tokens must have.
    pub audience: String,
    /// Permissions that a caller must have, all of them.
    pub need: Permissions,
    /// Whether callers without a token are accepted, with no current user.
    pub anonymous: bool,
    /// Whether introspection is enabled.
    pub introspection: bool,
    /// Whether GraphiQL is served at `/`.
    pub graphiql: bool,
    /// Client id of the application that GraphiQL logs in with; without one it has no login.
    pub graphiql_client_id: Option<String>,
    /// Origins whose pages may read responses and open WebSockets.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Request headers that those pages may send, besides `Authorization` and `Content-Type`.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Host names that requests may use; empty accepts all.
    pub hosts: Vec<String>,
    /// Limits of one request.
    pub limits: Limits,
    /// How many mutations a person may make.
    pub mutations: MutationSettings,
    /// Limits of WebSockets.
    pub socket: SocketSettings,
    /// Trusted documents.
    pub documents: DocumentSettings,
}

impl DoorSettings {
    /// The host of an origin listed as `http://localhost:*`: pages of a loopback host on any port.
    pub fn any_port_host(origin: &str) -> Option<&str> {
        let host = origin.strip_prefix("http://")?.strip_suffix(":*")?;
        ["localhost", "127.0.0.1", "[::1]"].contains(&host).then_some(host)
    }

    /// What the door requires of its callers.
    pub fn rules(&self, claims: &ClaimsSettings) -> auth::DoorRules {
        let need = Need { permissions: self.need.clone(), anonymous: self.anonymous };
        auth::DoorRules::new(Policy::new(claims, &self.audience), need)
    }
}

/// Limits of one request. An error names the limit that a request exceeds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a request body.
    pub body: usize,
    /// Tokens of a GraphQL document.
    pub tokens: usize,
    /// Nested selection sets of an operation.
    pub depth: usize,
    /// Fields of an operation, fragments expanded.
    pub fields: usize,
    /// Root fields of an operation.
    pub root_fields: usize,
    /// Aliases of an operation, fragments expanded.
    pub aliases: usize,
    /// Directives of an operation, fragments expanded.
    pub directives: usize,
    /// Cost of an operation: each field costs 1, and a field inside a page counts once for each of its items.
    pub cost: u64,
    /// Time that an operation may run.
    #[serde(with = "humantime_serde")]
    pub time: Duration,
    /// Bytes of a response.
    pub response: usize,
    /// Validated operations that are cached, so that a repeated document is neither parsed nor validated again.
    pub kept: usize,
}

/// How many mutations a person may make. 0 is no limit, and machines have none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MutationSettings {
    /// In a minute.
    pub per_minute: u64,
    /// In a day.
    pub per_day: u64,
}

/// Where trusted documents come from. Requests name them by id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentSettings {
    /// Folder of the manifests; without one there are no trusted documents.
    pub dir: Option<PathBuf>,
    /// Whether all other documents are refused.
    pub only: bool,
}

/// Limits of WebSockets, besides those of each operation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketSettings {
    /// Open connections; more are refused. Those without an accepted `connection_init` may be a tenth of them.
    pub connections: usize,
    /// Open connections of one user or machine; more are closed. 0 for no limit.
    pub per_caller: usize,
    /// Concurrent operations of a connection; more are refused.
    pub operations: usize,
    /// Bytes of a message from the client.
    pub message: usize,
    /// Time for the client to send `connection_init`.
    #[serde(with = "humantime_serde")]
    pub init: Duration,
}

/// Timeouts and limits of connections, for every listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// Time until the first byte of a new connection.
    #[serde(with = "humantime_serde")]
    pub first_byte: Duration,
    /// Time for a request's headers to arrive.
    #[serde(with = "humantime_serde")]
    pub header: Duration,
    /// Time for a request's body to arrive.
    #[serde(with = "humantime_serde")]
    pub body: Duration,
    /// Time that a connection may stay open between requests.
    #[serde(with = "humantime_serde")]
    pub idle: Duration,
    /// Open connections of a listener; more are closed on arrival.
    pub connections: usize,
    /// Open connections of one remote address, WebSockets too; more are closed on arrival. 0 for no limit.
    pub per_address: usize,
    /// Time for running requests to end when the server stops.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}
