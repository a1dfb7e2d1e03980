//! The subscription root of the Public API.

use futures_util::StreamExt;
use juniper::graphql_subscription;

use super::me::Me;
use crate::api::changes::{self, Updates};
use crate::api::{ApiError, Context};
use crate::user::Status;

/// The subscription root.
#[derive(Debug, Clone, Copy)]
pub struct Subscription;

#[graphql_subscription]
#[graphql(context = Context)]
impl Subscription {
    /// The current user, after each change. Ends when the user is erased.
    async fn me_changed(context: &Context) -> Result<Updates<Me>, ApiError> {
        let id = context.current_user()?.id();
        let store = context.store().clone();
        let mine = changes::stream(&store)?.filter(move |change| {
            std::future::ready(change.as_ref().map_or(true, |change| change.user == Some(id)))
        });
        let rows = mine.map(move |change| match change.map(|_| store.user(id)) {
            Ok(row) => Ok(row?.filter(|user| user.status != Status::Erased)),
            Err(error) => Err(error),
        });
        let updates = rows.map(Result::transpose).take_while(|row| std::future::ready(row.is_some()));
        Ok(updates.filter_map(|row| std::future::ready(row.map(|row| row.map(Me::from)))).boxed())
    }
}
