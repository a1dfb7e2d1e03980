//! Who is calling.

use std::sync::Arc;

use juniper::graphql_object;

use super::Account;
use crate::api::{ApiError, Context, ViewerKind};

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

    /// The current user; null for a machine.
    pub(super) fn user(context: &Context) -> Result<Option<Account>, ApiError> {
        let row = context.caller().user().map(|user| context.row(user)).transpose()?;
        Ok(row.and_then(|row| Account::alone(Arc::unwrap_or_clone(row))))
    }

    /// The machine's client id; null for a person.
    fn client_id(context: &Context) -> Option<&str> {
        context.caller().client_id()
    }

    /// What they may do: a machine by its scopes, a person by their roles.
    fn permissions(context: &Context) -> Vec<&str> {
        context.caller().permissions().iter().collect()
    }
}
