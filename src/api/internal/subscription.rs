//! The root of the Internal API's subscriptions.

use futures_util::StreamExt;
use juniper::{ID, graphql_subscription};

use super::audit::AuditEventFilter;
use super::{Account, AuditEvent, user_id};
use crate::api::changes::{self, Updates};
use crate::api::{ApiError, Context};
use crate::scope;

/// Where subscriptions begin.
#[derive(Debug, Clone, Copy)]
pub struct Subscription;

#[graphql_subscription]
#[graphql(context = Context)]
impl Subscription {
    /// A user as they are after each change: of everybody, or of the one with this id. Needs `users:read`.
    async fn user_changed(context: &Context, id: Option<ID>) -> Result<Updates<Account>, ApiError> {
        context.require(scope::USERS_READ)?;
        let wanted = id.map(|id| user_id(&id)).transpose()?;
        let store = context.store().clone();
        let changes = changes::of(&store)?.filter_map(move |change| {
            let user = change.map(|change| change.user.filter(|user| wanted.is_none_or(|id| id == *user)));
            let account = user.transpose().map(|user| match store.user(user?)?.and_then(Account::alone) {
                Some(account) => Ok(account),
                None => Err(ApiError::NotFound("There is no such user.")),
            });
            std::future::ready(account)
        });
        Ok(changes.boxed())
    }

    /// Each line of the audit trail that `filter` lets through, as it is written. Needs `audit:read`.
    async fn audit_event_added(
        context: &Context,
        filter: Option<AuditEventFilter>,
    ) -> Result<Updates<AuditEvent>, ApiError> {
        context.require(scope::AUDIT_READ)?;
        let filter = AuditEventFilter::read(filter)?;
        let store = context.store().clone();
        let changes = changes::of(&store)?.filter_map(move |change| {
            let wanted = change.map(|change| {
                let meets = filter.user.is_none_or(|user| change.user == Some(user))
                    && filter.action.as_ref().is_none_or(|action| change.action == *action);
                meets.then_some(change.audit)
            });
            let event = wanted.transpose().map(|line| {
                let line = store.audit_line(line?)?.into_iter().collect();
                AuditEvent::of(line).pop().ok_or(ApiError::NotFound("There is no such audit event."))
            });
            std::future::ready(event)
        });
        Ok(changes.boxed())
    }
}
