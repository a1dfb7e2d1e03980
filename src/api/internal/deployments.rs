//! Deployments to tenants, and pages of them.

use std::sync::Arc;

use juniper::{GraphQLEnum, GraphQLObject, ID, graphql_object};

use super::actor::{self, AuditActor, People};
use super::node::NodeValue;
use crate::api::connection::{self, Cursor, PageInfo, Paging};
use crate::api::{ApiError, Context, DateTime, NodeId};
use crate::store::{self, DeploymentFilter, Page, PageArgs};

/// A deployment of a tenant's configuration: what was planned, by whom, and how it ended.
#[derive(Debug, Clone)]
pub struct Deployment {
    deployment: Arc<store::Deployment>,
    people: People,
}

/// How a deployment stands or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GraphQLEnum)]
pub enum DeploymentOutcome {
    /// It is under way.
    Running,
    /// All changes were made.
    Applied,
    /// It stopped at a change that could not be made.
    Failed,
    /// The tenant is as it was before.
    RolledBack,
    /// Whoever deployed gave no sign for a minute: killed, most likely. Some changes may have been made.
    Interrupted,
}

impl Deployment {
    /// Shows `deployments` together.
    pub(super) fn of(deployments: Vec<store::Deployment>) -> Vec<Self> {
        let named = |of: &store::Deployment| actor::user(&of.actor_kind, of.actor_id.as_deref());
        let people = People::new(deployments.iter().filter_map(named));
        let show = |of| Self { deployment: Arc::new(of), people: people.clone() };
        deployments.into_iter().map(show).collect()
    }
}

#[graphql_object]
#[graphql(context = Context, impl = NodeValue)]
impl Deployment {
    /// The global id.
    pub(super) fn id(&self) -> ID {
        NodeId::Deployment(self.deployment.id).into()
    }

    /// The tenant's domain.
    fn tenant(&self) -> &str {
        &self.deployment.planned.tenant
    }

    /// The branch or tag it came from, if it came from a repository.
    fn git_ref(&self) -> Option<&str> {
        self.deployment.planned.git_ref.as_deref()
    }

    /// The commit it came from, if it came from a repository.
    fn commit(&self) -> Option<&str> {
        self.deployment.planned.commit.as_deref()
    }

    /// Who deployed.
    fn actor(&self) -> AuditActor {
        let store::Deployment { actor_kind, actor_id, .. } = &*self.deployment;
        AuditActor::new(actor_kind, actor_id.as_deref(), &self.people)
    }

    /// How many changes were planned.
    fn planned_changes(&self) -> i32 {
        i32::try_from(self.deployment.planned.changes).unwrap_or(i32::MAX)
    }

    /// How it stands or ended.
    fn outcome(&self) -> DeploymentOutcome {
        self.deployment.outcome.into()
    }

    /// Why it failed, in a line.
    fn failure(&self) -> Option<&str> {
        self.deployment.failure.as_deref()
    }

    /// When it began.
    fn begun_at(&self) -> DateTime {
        DateTime(self.deployment.begun_at)
    }

    /// When it ended; null while it runs, and when it was interrupted.
    fn ended_at(&self) -> Option<DateTime> {
        self.deployment.ended_at.map(DateTime)
    }
}

/// A page of deployments.
#[derive(Debug, Clone)]
pub struct DeploymentConnection {
    page: connection::Edges<Deployment>,
    filter: DeploymentFilter,
}

/// A deployment in a page.
#[derive(Debug, Clone, GraphQLObject)]
#[graphql(context = Context)]
pub struct DeploymentEdge {
    /// Where the deployment stands in the list.
    pub cursor: String,
    /// The deployment.
    pub node: Deployment,
}

/// A place among deployments: the number of one.
struct Number(i64);

impl Cursor for Number {
    fn write(&self) -> String {
        format!("deployment:{}", self.0)
    }

    fn read(text: &str) -> Option<Self> {
        text.strip_prefix("deployment:")?.parse().ok().map(Self)
    }
}

impl DeploymentConnection {
    /// Asks the store for a page.
    ///
    /// # Errors
    /// [`ApiError::BadInput`] as [`Paging::slice`] has it.
    pub(super) async fn read(
        context: &Context,
        filter: DeploymentFilter,
        paging: Paging,
    ) -> Result<Self, ApiError> {
        let PageArgs { after, before, limit, from_end } = paging.slice::<Number>()?;
        let number = |place: Option<Number>| place.map(|Number(number)| number);
        let slice = PageArgs { after: number(after), before: number(before), limit, from_end };
        let wanted = filter.clone();
        let part = context.read(move |store| store.list_deployments(&wanted, &slice)).await?;
        let part = Page { items: Deployment::of(part.items), more: part.more };
        let page = connection::Edges::new(part, &paging, |shown: &Deployment| Number(shown.deployment.id));
        Ok(Self { page, filter })
    }
}

#[graphql_object]
#[graphql(context = Context)]
impl DeploymentConnection {
    /// The deployments with their cursors.
    fn edges(&self) -> Vec<DeploymentEdge> {
        let edges = self.page.edges.iter().cloned();
        edges.map(|(cursor, node)| DeploymentEdge { cursor, node }).collect()
    }

    /// The deployments without their cursors.
    fn nodes(&self) -> Vec<Deployment> {
        self.page.edges.iter().map(|(_, node)| node.clone()).collect()
    }

    /// Where the page stands in the list.
    fn page_info(&self) -> &PageInfo {
        &self.page.info
    }

    /// How many deployments there are in all. Costs a walk over them, so ask for it only when it is shown; null, with
    /// an error, when that takes longer than the operation may.
    async fn total_count(&self, context: &Context) -> Result<Option<i32>, ApiError> {
        let filter = self.filter.clone();
        let count = context.read(move |store| store.count_deployments(&filter)).await?;
        Ok(Some(i32::try_from(count).unwrap_or(i32::MAX)))
    }
}

impl From<store::DeploymentOutcome> for DeploymentOutcome {
    fn from(outcome: store::DeploymentOutcome) -> Self {
        match outcome {
            store::DeploymentOutcome::Running => Self::Running,
            store::DeploymentOutcome::Applied => Self::Applied,
            store::DeploymentOutcome::Failed => Self::Failed,
            store::DeploymentOutcome::RolledBack => Self::RolledBack,
            store::DeploymentOutcome::Interrupted => Self::Interrupted,
        }
    }
}

impl From<DeploymentOutcome> for store::DeploymentOutcome {
    fn from(outcome: DeploymentOutcome) -> Self {
        match outcome {
            DeploymentOutcome::Running => Self::Running,
            DeploymentOutcome::Applied => Self::Applied,
            DeploymentOutcome::Failed => Self::Failed,
            DeploymentOutcome::RolledBack => Self::RolledBack,
            DeploymentOutcome::Interrupted => Self::Interrupted,
        }
    }
}
