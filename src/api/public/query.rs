//! The root of the Public API's queries.

use juniper::{ID, graphql_object};

use super::Me;
use super::node::NodeValue;
use super::viewer::Viewer;
use crate::api::{Context, NodeId};

/// Where queries begin.
#[derive(Debug, Clone, Copy)]
pub struct Query;

#[graphql_object]
#[graphql(context = Context)]
impl Query {
    /// The current user; null for a machine and for a caller without a token.
    fn me(context: &Context) -> Option<Me> {
        context.caller().user().cloned().map(Me)
    }

    /// Who is calling.
    fn viewer() -> Viewer {
        Viewer
    }

    /// Something by its global id. Here you find yourself, and null for everything else.
    fn node(context: &Context, id: ID) -> Option<NodeValue> {
        let wanted = id.parse::<NodeId>().ok()?;
        let user = context.caller().user().filter(|user| NodeId::User(user.id()) == wanted);
        user.cloned().map(|user| NodeValue::Me(Me(user)))
    }
}
