//! The subscription root of the Internal API.

use futures_util::StreamExt;
use juniper::{ID, graphql_subscription};

use super::audit::AuditEventFilter;
use super::node::{Account, AuditEvent, Deployment};
use crate::api::changes::{self, Updates};
use crate::api::{ApiError, Context, NodeId};
use crate::{scope, store};

/// The subscription root.
#[derive(Debug, Clone, Copy)]
pub struct Subscription;

#[graphql_subscription]
#[graphql(context = Context)]
impl Subscription {
    /// Each user who changed, after the change; with an id, only that user. Needs `users:read`.
    async fn user_changed(context: &Context, id: Option<ID>) -> Result<Updates<Account>, ApiError> {
        context.require(scope::USERS_READ)?;
        let wanted = id.map(|id| NodeId::user(&id)).transpose()?;
        let store = context.store().clone();
        let changes = changes::stream(&store)?.filter_map(move |change| {
            let user = change.map(|change| change.user.filter(|user| wanted.is_none_or(|id| id == *user)));
            let account = user
                .transpose()
                .map(|user| store.user(user?)?.map(Account::single).ok_or(ApiError::NO_SUCH_USER));
            std::future::ready(account)
        });
        Ok(changes.boxed())
    }

    /// Each new event of the audit log that matches `filter`. Needs `audit:read`.
    async fn audit_event_added(
        context: &Context,
        filter: Option<AuditEventFilter>,
    ) -> Result<Updates<AuditEvent>, ApiError> {
        context.require(scope::AUDIT_READ)?;
        let filter = AuditEventFilter::into_store(filter)?;
        let store = context.store().clone();
        let changes = changes::stream(&store)?.filter_map(move |change| {
            let number = change.map(|change| {
                let matches = filter.user.is_none_or(|user| change.user == Some(user))
                    && filter.action.as_ref().is_none_or(|action| change.action == *action);
                matches.then_some(change.audit)
            });
            let event = number.transpose().map(|number| {
                let line = store.audit_line(number?)?.into_iter().collect();
                AuditEvent::page(line).pop().ok_or(ApiError::NotFound("There is no such audit event."))
            });
            std::future::ready(event)
        });
        Ok(changes.boxed())
    }

    /// Each deployment that begins or ends, after the change; with a tenant's domain, only those to it. Needs `deploy:read`.
    async fn deployment_changed(
        context: &Context,
        tenant: Option<String>,
    ) -> Result<Updates<Deployment>, ApiError> {
        context.require(scope::DEPLOY_READ)?;
        let store = context.store().clone();
        let changes = changes::stream(&store)?.filter_map(move |change| {
            let row = change.and_then(|change| {
                Ok(change.deployment.map(|id| store.deployment(id)).transpose()?.flatten())
            });
            let is_wanted =
                |row: &store::Deployment| tenant.as_ref().is_none_or(|tenant| *tenant == row.tenant);
            let wanted = row.map(|row| Deployment::page(row.into_iter().filter(is_wanted).collect()).pop());
            std::future::ready(wanted.transpose())
        });
        Ok(changes.boxed())
    }
}
