//! The two doors: the GraphQL endpoint, its context, and the schemas behind it.
//!
//! Owns what happens between an HTTP request and its reply: path → method → caller → body → execute → reply. Leans on
//! the gate for who is calling and on the store for what they may see. Never reads the configuration.
//!
//! A team with a schema of its own gives it to [`door`] in place of ours; its resolvers get a [`Context`] with the
//! [`Caller`](crate::auth::Caller).

mod settings;
mod endpoint;
mod host;
mod cors;
mod request;
mod operations;
mod documents;
mod socket;
mod schema;
mod cost;
mod shared_state;
mod context;
mod outcome;
mod reply;
mod health;
mod graphiql;
mod metrics;
mod error;
mod scalar;
mod json;
mod node;
pub mod connection;
mod batch;
mod changes;
mod person;
mod viewer;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod public;
pub mod internal;

pub use context::Context;
pub use documents::{ManifestError, TrustedDocuments};
pub use endpoint::{Services, door};
pub use error::ApiError;
pub use host::restrict_hosts;
pub use json::Json;
pub use metrics::metrics;
pub use node::NodeId;
pub use scalar::{DateTime, Email};
pub use schema::{Root, Schema, SubscriptionRoot};
pub use settings::{
    Documents as DocumentSettings, DoorSettings, Http as HttpSettings, Limits, Socket as SocketSettings,
};
pub use shared_state::SharedState;
pub use socket::WebSockets;
pub use viewer::ViewerKind;
