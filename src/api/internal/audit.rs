//! Lines of the audit trail, and pages of them.

use std::collections::HashMap;
use std::sync::Arc;

use juniper::{GraphQLInputObject, ID, graphql_object};

use super::Account;
use super::actor::{self, AuditActor, People};
use super::node::NodeValue;
use crate::api::connection::{self, PageInfo};
use crate::api::{ApiError, Context, DateTime, Json, NodeId};
use crate::store::{AuditFilter, AuditLine, Page};
use crate::user::UserId;

/// One line of the audit trail: who changed what of whom.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    line: Arc<AuditLine>,
    /// Everybody whom the lines shown together name.
    people: People,
}

/// Which lines are wanted: those that meet all of it.
#[derive(Debug, Clone, Default, GraphQLInputObject)]
pub struct AuditEventFilter {
    /// About the user with this id.
    pub user_id: Option<ID>,
    /// Of this action, such as `user.roles_set`. An unknown one finds nothing.
    pub action: Option<String>,
}

impl AuditEventFilter {
    /// What the store understands.
    ///
    /// # Errors
    /// [`ApiError::NotFound`] when the id is no user's.
    pub(super) fn read(filter: Option<Self>) -> Result<AuditFilter, ApiError> {
        let Self { user_id, action } = filter.unwrap_or_default();
        let user = user_id.map(|id| super::user_id(&id)).transpose()?;
        Ok(AuditFilter { user, action })
    }
}

impl AuditEvent {
    /// Shows `lines` together.
    pub(super) fn of(lines: Vec<AuditLine>) -> Vec<Self> {
        let actor = |line: &AuditLine| actor::user(&line.actor_kind, line.actor_id.as_deref());
        let people = People::new(lines.iter().flat_map(|line| [line.target, actor(line)]).flatten());
        lines.into_iter().map(|line| Self { line: Arc::new(line), people: people.clone() }).collect()
    }

    /// Shows the trails of several users together.
    pub(super) fn trails(trails: HashMap<UserId, Page<AuditLine>>) -> HashMap<UserId, Page<Self>> {
        let (mut lengths, mut lines) = (Vec::new(), Vec::new());
        for (user, part) in trails {
            lengths.push((user, part.items.len(), part.more));
            lines.extend(part.items);
        }
        let mut events = Self::of(lines).into_iter();
        let part =
            |(user, length, more)| (user, Page { items: events.by_ref().take(length).collect(), more });
        lengths.into_iter().map(part).collect()
    }

    /// Where the line stands in every list of lines.
    pub(super) fn place(&self) -> i64 {
        self.line.id
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

    /// Who made it.
    fn actor(&self) -> AuditActor {
        AuditActor::new(&self.line.actor_kind, self.line.actor_id.as_deref(), &self.people)
    }

    /// What was done, such as `user.roles_set`.
    fn action(&self) -> &str {
        &self.line.action
    }

    /// Who was changed; null for what is about nobody, such as a deployment.
    async fn user(&self, context: &Context) -> Result<Option<Account>, ApiError> {
        self.people.get(context, self.line.target).await
    }

    /// By field: `{"old": …, "new": …}`, or `"redacted"` for personal ones, because the trail can not be erased.
    fn changes(&self) -> Json {
        Json(self.line.changes.clone())
    }

    /// The request it was part of.
    fn request_id(&self) -> Option<&str> {
        self.line.request_id.as_deref()
    }
}

/// Whose lines a connection counts, should somebody ask.
#[derive(Debug, Clone)]
pub(super) enum Counted {
    Filter(AuditFilter),
    Trail(Account),
}

/// A page of the audit trail.
#[derive(Debug, Clone)]
pub struct AuditEventConnection {
    page: connection::Edges<AuditEvent>,
    counted: Counted,
}

/// A line in a page.
#[derive(Debug, Clone, juniper::GraphQLObject)]
#[graphql(context = Context)]
pub struct AuditEventEdge {
    /// Where the line stands in the list.
    pub cursor: String,
    /// The line.
    pub node: AuditEvent,
}

impl AuditEventConnection {
    pub(super) fn new(page: connection::Edges<AuditEvent>, counted: Counted) -> Self {
        Self { page, counted }
    }
}

#[graphql_object]
#[graphql(context = Context)]
impl AuditEventConnection {
    /// The lines with their cursors.
    fn edges(&self) -> Vec<AuditEventEdge> {
        let edges = self.page.edges.iter().cloned();
        edges.map(|(cursor, node)| AuditEventEdge { cursor, node }).collect()
    }

    /// The lines without their cursors.
    fn nodes(&self) -> Vec<AuditEvent> {
        self.page.edges.iter().map(|(_, node)| node.clone()).collect()
    }

    /// Where the page stands in the list.
    fn page_info(&self) -> &PageInfo {
        &self.page.info
    }

    /// How many lines there are in all. Costs a walk over them, so ask for it only when it is shown;
    /// null, with an error, when that takes longer than the operation may.
    async fn total_count(&self, context: &Context) -> Result<Option<i32>, ApiError> {
        let count = match &self.counted {
            Counted::Trail(user) => user.trail_length(context).await?,
            Counted::Filter(filter) => {
                let filter = filter.clone();
                context.read(move |store| store.count_audit(&filter)).await?
            }
        };
        Ok(Some(i32::try_from(count).unwrap_or(i32::MAX)))
    }
}
