//! Events of the audit log, and pages of them.

use juniper::{GraphQLInputObject, ID, graphql_object};
use serde_json::Value;

use super::actor::AuditActor;
use super::node::{Account, AuditEvent, NodeValue};
use crate::api::connection::connection;
use crate::api::paging::{ConnectionArgs, Nodes};
use crate::api::{ApiError, Context, DateTime, Json, NodeId};
use crate::store::{AuditFilter, Page};

/// Filters audit events by all given conditions.
#[derive(Debug, Clone, Default, GraphQLInputObject)]
pub struct AuditEventFilter {
    /// Changes to this user.
    pub user_id: Option<ID>,
    /// An action, such as `user.roles_set`. An unknown action matches nothing.
    pub action: Option<String>,
}

impl AuditEventFilter {
    /// The store's filter. Fails if the id isn't a user's.
    pub(super) fn into_store(filter: Option<Self>) -> Result<AuditFilter, ApiError> {
        let Self { user_id, action } = filter.unwrap_or_default();
        let user = user_id.map(|id| NodeId::user(&id)).transpose()?;
        Ok(AuditFilter { user, action })
    }
}

#[graphql_object]
#[graphql(context = Context, impl = NodeValue)]
impl AuditEvent {
    /// The global id.
    pub(super) fn id(&self) -> ID {
        NodeId::AuditEvent(self.line.id).into()
    }

    /// When the change was made.
    fn at(&self) -> DateTime {
        DateTime(self.line.at)
    }

    /// The actor who made it.
    fn actor(&self) -> AuditActor {
        AuditActor::new(&self.line.actor_kind, self.line.actor_id.as_deref(), &self.people)
    }

    /// The action, such as `user.roles_set`.
    fn action(&self) -> &str {
        &self.line.action
    }

    /// The changed user; null for a change that isn't of a user, such as a deployment.
    async fn user(&self, context: &Context) -> Result<Option<Account>, ApiError> {
        self.people.get(context, self.line.target).await
    }

    /// The changed fields: `{"old": …, "new": …}`, or `"redacted"` for personal data, because the audit log can't be erased.
    fn changes(&self) -> Json<&Value> {
        Json(&self.line.changes)
    }

    /// The id of the request that made the change.
    fn request_id(&self) -> Option<&str> {
        self.line.request_id.as_deref()
    }
}

/// The events that a connection counts.
#[derive(Debug, Clone)]
pub(super) enum AuditScope {
    Filter(AuditFilter),
    User(Account),
}

connection! {
    /// A page of audit events.
    AuditEventConnection, AuditEventEdge, AuditEvent, AuditScope
}

impl AuditEventConnection {
    pub(super) async fn read(
        context: &Context,
        filter: AuditFilter,
        args: ConnectionArgs,
    ) -> Result<Self, ApiError> {
        let (store_filter, page_args) = (filter.clone(), args.page_args(AuditEvent::read_cursor)?);
        let is_filtered = filter != AuditFilter::default();
        let read = context.read_page(is_filtered, move |store| store.list_audit(&store_filter, &page_args));
        let Page { items, more } = read.await?;
        let page = Nodes::new(Page { items: AuditEvent::page(items), more }, &args, AuditEvent::sort_key);
        Ok(Self { page, filter: AuditScope::Filter(filter) })
    }

    fn sort_key(&self, event: &AuditEvent) -> String {
        event.sort_key()
    }

    async fn count(&self, context: &Context) -> Result<u64, ApiError> {
        match &self.filter {
            AuditScope::User(Account { user, page }) => {
                let count = page
                    .audit_counts
                    .get(context, &user.id, |store, users| store.audit_counts_by_user(users));
                Ok(count.await?.unwrap_or_default())
            }
            AuditScope::Filter(filter) => {
                let filter = filter.clone();
                context.read_store(move |store| store.count_audit(&filter)).await
            }
        }
    }
}
