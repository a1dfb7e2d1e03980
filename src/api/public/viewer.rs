//! Who is calling.

use juniper::graphql_object;

use super::Me;
use crate::api::{Context, ViewerKind};

/// Who is calling, and what they may do.
#[derive(Debug, Clone, Copy)]
pub struct Viewer;

#[graphql_object]
#[graphql(context = Context)]
impl Viewer {
    /// What kind of caller it is.
    fn kind(context: &Context) -> ViewerKind {
        context.caller().principal().into()
    }

    /// The current user; null for a machine and for a caller without a token.
    fn user(context: &Context) -> Option<Me> {
        context.caller().user().cloned().map(Me)
    }

    /// The machine's client id; null for anybody else.
    fn client_id(context: &Context) -> Option<&str> {
        context.caller().client_id()
    }

    /// What they may do: a machine by its scopes, a person by their roles.
    fn permissions(context: &Context) -> Vec<&str> {
        context.caller().permissions().iter().collect()
    }
}
