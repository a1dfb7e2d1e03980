//! The query root of the Internal API.

use juniper::{ID, graphql_object};

use super::audit::{AuditEventConnection, AuditEventFilter};
use super::deployments::{DeploymentConnection, DeploymentOutcome};
use super::node::{Account, AuditEvent, Deployment, NodeValue};
use super::users::{UserConnection, UserFilter, UserOrder};
use crate::api::error::NullOnError;
use crate::api::paging::ConnectionArgs;
use crate::api::types::viewer;
use crate::api::{ApiError, Context, Email, NodeId};
use crate::scope;
use crate::store::DeploymentFilter;

/// The query root.
#[derive(Debug, Clone, Copy)]
pub struct Query;

#[graphql_object]
#[graphql(context = Context)]
impl Query {
    /// The current user; null for a machine.
    fn me(context: &Context) -> Option<Account> {
        Viewer::user(context)
    }

    /// The caller.
    fn viewer() -> Viewer {
        Viewer
    }

    /// The object with a global id; null for an unknown id. Users need `users:read`, audit events `audit:read`, deployments
    /// `deploy:read`.
    async fn node(context: &Context, id: ID) -> NullOnError<NodeValue> {
        Ok(match NodeId::parse(&id) {
            Some(NodeId::User(id)) => {
                context.require(scope::USERS_READ)?;
                context.store().user(id)?.map(Account::from).map(NodeValue::Account)
            }
            Some(NodeId::AuditEvent(line)) => {
                context.require(scope::AUDIT_READ)?;
                let line = context.read_store(move |store| store.audit_line(line)).await?;
                AuditEvent::page(line.into_iter().collect()).pop().map(NodeValue::AuditEvent)
            }
            Some(NodeId::Deployment(number)) => {
                context.require(scope::DEPLOY_READ)?;
                let deployment = context.read_store(move |store| store.deployment(number)).await?;
                Deployment::page(deployment.into_iter().collect()).pop().map(NodeValue::Deployment)
            }
            None => None,
        })
    }

    /// The user with our id, an Auth0 id (also a linked one), or an email (verified, or of a pre-provisioned user who has
    /// not logged in). Give exactly one of the three. Null for an unknown user. Needs `users:read`.
    pub fn user(
        context: &Context,
        id: Option<ID>,
        auth0_id: Option<String>,
        email: Option<Email>,
    ) -> NullOnError<Account> {
        context.require(scope::USERS_READ)?;
        let store = context.store();
        let user = match (id, auth0_id, email) {
            (Some(id), None, None) => id.parse().ok().map(|id| store.user(id)),
            (None, Some(id), None) => id.parse().ok().map(|id| store.user_by_auth0_id(&id)),
            (None, None, Some(email)) => Some(store.user_by_email(&email.0)),
            _ => return Err(ApiError::BadInput("Give exactly one of id, auth0Id and email.")),
        };
        Ok(user.transpose()?.flatten().map(Account::from))
    }

    /// The users that match `filter`, oldest first by default. Give `first` or `last`, 1 to 100 (default: `first: 50`), and
    /// cursors as `after` and `before`. Needs `users:read`.
    async fn users(
        context: &Context,
        filter: Option<UserFilter>,
        order_by: Option<UserOrder>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> NullOnError<UserConnection> {
        context.require(scope::USERS_READ)?;
        let args = ConnectionArgs { first, after, last, before };
        UserConnection::read(context, filter, order_by, args).await.map(Some)
    }

    /// The audit log, newest first. Give `first` or `last`, 1 to 100 (default: `first: 50`), and cursors as `after` and
    /// `before`. Needs `audit:read`.
    async fn audit_events(
        context: &Context,
        filter: Option<AuditEventFilter>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> NullOnError<AuditEventConnection> {
        context.require(scope::AUDIT_READ)?;
        let filter = AuditEventFilter::into_store(filter)?;
        let args = ConnectionArgs { first, after, last, before };
        AuditEventConnection::read(context, filter, args).await.map(Some)
    }

    /// The deployments, newest first, optionally of one `tenant` or with one `outcome`. Give `first` or `last`, 1 to 100
    /// (default: `first: 50`), and cursors as `after` and `before`. Needs `deploy:read`.
    async fn deployments(
        context: &Context,
        tenant: Option<String>,
        outcome: Option<DeploymentOutcome>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> NullOnError<DeploymentConnection> {
        context.require(scope::DEPLOY_READ)?;
        let filter = DeploymentFilter { tenant, outcome: outcome.map(Into::into) };
        let args = ConnectionArgs { first, after, last, before };
        DeploymentConnection::read(context, filter, args).await.map(Some)
    }
}

viewer! {
    /// The current user; null for a machine.
    fn user(context: &Context) -> Option<Account> {
        context.caller().user().map(|user| Account::single(user.row().clone()))
    }
}
