//! What can be fetched again by its id.

use juniper::{ID, graphql_interface};

use super::{Account, AuditEvent, Deployment};
use crate::api::Context;

/// Something that can be fetched again by its id, as the Relay object identification specification has it.
#[graphql_interface]
#[graphql(name = "Node", for = [Account, AuditEvent, Deployment], enum = NodeValue, context = Context)]
pub trait Node {
    /// The global id: opaque, and it stays.
    fn id(&self) -> ID;
}
