//! The root of the Public API's queries.

use juniper::graphql_object;

use super::Me;
use crate::api::Context;

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
}
