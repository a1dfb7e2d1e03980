//! The root of the Internal API's queries.

use juniper::{ID, graphql_object};

use super::audit::{AuditEventConnection, AuditEventFilter, Counted};
use super::deployments::{DeploymentConnection, DeploymentOutcome};
use super::node::NodeValue;
use super::users::{UserConnection, UserFilter, UserOrder};
use super::viewer::Viewer;
use super::{Account, AuditEvent, Deployment};
use crate::api::connection::{Edges, Paging};
use crate::api::{ApiError, Context, Email, NodeId};
use crate::scope;
use crate::store::{DeploymentFilter, Page};

/// Where queries begin.
#[derive(Debug, Clone, Copy)]
pub struct Query;

#[graphql_object]
#[graphql(context = Context)]
impl Query {
    /// The current user; null for a machine.
    fn me(context: &Context) -> Result<Option<Account>, ApiError> {
        Viewer::user(context)
    }

    /// Who is calling.
    fn viewer() -> Viewer {
        Viewer
    }

    /// Something by its global id; null when there is no such thing. Users need `users:read`, audit events
    /// `audit:read`, deployments `deploy:read`.
    async fn node(context: &Context, id: ID) -> Result<Option<NodeValue>, ApiError> {
        Ok(match id.parse() {
            Ok(NodeId::User(id)) => {
                context.require(scope::USERS_READ)?;
                context.store().user(id)?.and_then(Account::alone).map(NodeValue::Account)
            }
            Ok(NodeId::AuditEvent(line)) => {
                context.require(scope::AUDIT_READ)?;
                let line = context.read(move |store| store.audit_line(line)).await?;
                AuditEvent::of(line.into_iter().collect()).pop().map(NodeValue::AuditEvent)
            }
            Ok(NodeId::Deployment(number)) => {
                context.require(scope::DEPLOY_READ)?;
                let deployment = context.read(move |store| store.deployment(number)).await?;
                Deployment::of(deployment.into_iter().collect()).pop().map(NodeValue::Deployment)
            }
            // What is no id is nothing's.
            Err(_) => None,
        })
    }

    /// One user: by our id, by Auth0's (also a linked one), or by email (verified, or pre-provisioned and not claimed
    /// yet). Give exactly one. Null when there is none. Needs `users:read`.
    pub fn user(
        context: &Context,
        id: Option<ID>,
        auth0_id: Option<String>,
        email: Option<Email>,
    ) -> Result<Option<Account>, ApiError> {
        context.require(scope::USERS_READ)?;
        let store = context.store();
        // What is no id is nobody's.
        let found = match (id, auth0_id, email) {
            (Some(id), None, None) => id.parse().ok().map(|id| store.user(id)),
            (None, Some(id), None) => id.parse().ok().map(|id| store.user_by_auth0_id(&id)),
            (None, None, Some(email)) => Some(store.user_by_email(&email.0)),
            _ => return Err(ApiError::BadInput("Give exactly one of id, auth0Id and email.")),
        };
        Ok(found.transpose()?.flatten().and_then(Account::alone))
    }

    /// Users whom `filter` lets through, in an order (the oldest first by default): `first` from the beginning or
    /// `last` from the end, 1 to 100 of them (50 when neither is given), after and before cursors. Needs `users:read`.
    async fn users(
        context: &Context,
        filter: Option<UserFilter>,
        order_by: Option<UserOrder>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Option<UserConnection>, ApiError> {
        context.require(scope::USERS_READ)?;
        let paging = Paging { first, after, last, before };
        UserConnection::read(context, filter, order_by, paging).await.map(Some)
    }

    /// Lines of the audit trail, the newest first: `first` from the beginning or `last` from the end, 1 to 100 of them
    /// (50 when neither is given), after and before cursors. Needs `audit:read`.
    async fn audit_events(
        context: &Context,
        filter: Option<AuditEventFilter>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Option<AuditEventConnection>, ApiError> {
        context.require(scope::AUDIT_READ)?;
        let filter = AuditEventFilter::read(filter)?;
        let paging = Paging { first, after, last, before };
        let (wanted, slice) = (filter.clone(), paging.slice()?);
        let part = context.read(move |store| store.list_audit(&wanted, &slice)).await?;
        let events = Page { items: AuditEvent::of(part.items), more: part.more };
        let page = Edges::new(events, &paging, AuditEvent::place);
        Ok(Some(AuditEventConnection::new(page, Counted::Filter(filter))))
    }

    /// Deployments, the newest first; to one `tenant`, with one `outcome`: `first` from the beginning or `last` from the
    /// end, 1 to 100 of them (50 when neither is given), after and before cursors. Needs `deploy:read`.
    async fn deployments(
        context: &Context,
        tenant: Option<String>,
        outcome: Option<DeploymentOutcome>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Option<DeploymentConnection>, ApiError> {
        context.require(scope::DEPLOY_READ)?;
        let filter = DeploymentFilter { tenant, outcome: outcome.map(Into::into) };
        DeploymentConnection::read(context, filter, Paging { first, after, last, before }).await.map(Some)
    }
}
