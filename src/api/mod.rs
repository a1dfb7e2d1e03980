//! The two doors: the GraphQL endpoint, its context, and the schemas behind it.
//!
//! Owns everything between an HTTP request and its response: path → method → caller → body → execute → response. Uses `auth` to
//! authenticate callers and `store` for data. Never reads the configuration.
//!
//! To serve a schema of your own, pass it to `door` instead of ours. Its resolvers get a [`Context`] with the
//! [`Caller`](crate::auth::Caller).

mod settings;
mod endpoint;
mod door;
mod host;
mod cors;
mod request;
mod request_error;
mod operations;
mod trusted_documents;
mod schema;
mod fields;
mod cost;
mod introspection;
mod services;
mod budget;
mod context;
mod bounded_json;
mod response;
mod request_line;
mod shares;
mod socket;
mod health;
mod graphiql;
mod metrics;
mod webhooks;
mod deployment_queue;
mod deployment_requests;
mod error;
mod types;
mod json;
mod node_id;
mod list;
pub mod paging;
mod connection;
mod batch;
mod changes;
mod mutation_rate;
mod mutation_types;
#[cfg(any(test, fuzzing))]
#[path = "tests/fuzzing.rs"]
pub mod fuzzing;
pub mod public;
pub mod internal;

pub use context::Context;
pub use deployment_requests::{CiTokens, deployment_requests};
pub use door::DoorReload;
pub use endpoint::door;
pub use error::ApiError;
pub use graphiql::explanation;
pub use host::restrict_hosts;
pub use json::Json;
pub use list::{List, ListItem, TextField};
pub use metrics::metrics;
pub use node_id::NodeId;
pub use schema::{Root, Schema, SubscriptionRoot};
pub use services::{Services, SharedState};
pub use settings::{DocumentSettings, DoorSettings, HttpSettings, Limits, SocketSettings};
pub use shares::{Share, Shares};
pub use socket::WebSockets;
pub use trusted_documents::{ManifestError, TrustedDocuments};
pub use types::{AcceptedTerms, DateTime, Email, ViewerKind};
pub use webhooks::webhooks;
