//! The query root of the Public API.

use juniper::{ID, graphql_object};

use super::me::{Me, NodeValue};
use crate::api::types::viewer;
use crate::api::{Context, NodeId};

/// The query root.
#[derive(Debug, Clone, Copy)]
pub struct Query;

#[graphql_object]
#[graphql(context = Context)]
impl Query {
    /// The current user; null for a machine and for a caller without a token.
    fn me(context: &Context) -> Option<Me> {
        Viewer::user(context)
    }

    /// The caller.
    fn viewer() -> Viewer {
        Viewer
    }

    /// The object with a global id: your own user, and null for every other id.
    fn node(context: &Context, id: ID) -> Option<NodeValue> {
        let id = NodeId::parse(&id)?;
        let user = context.caller().user().filter(|user| NodeId::User(user.id()) == id);
        user.cloned().map(|user| NodeValue::Me(Me(user)))
    }
}

viewer! {
    /// The current user; null for a machine and for a caller without a token.
    fn user(context: &Context) -> Option<Me> {
        context.caller().user().cloned().map(Me)
    }
}
