//! Deployments to tenants, and pages of them.

use juniper::{GraphQLEnum, ID, graphql_object};

use super::actor::AuditActor;
use super::node::{Deployment, NodeValue};
use crate::api::connection::connection;
use crate::api::paging::{ConnectionArgs, Nodes, read_number, write_number};
use crate::api::{ApiError, Context, DateTime, NodeId};
use crate::store::{self, DeploymentFilter, Page};

/// The outcome of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GraphQLEnum)]
pub enum DeploymentOutcome {
    /// Still running.
    Running,
    /// All changes were made.
    Applied,
    /// A change failed, and the deployment stopped there.
    Failed,
    /// The tenant was restored to its previous state.
    RolledBack,
    /// The deploying process has been silent for a minute; it was probably killed. Some changes may have been made.
    Interrupted,
}

same_variants!(
    DeploymentOutcome,
    store::DeploymentOutcome,
    Running | Applied | Failed | RolledBack | Interrupted
);

#[graphql_object]
#[graphql(context = Context, impl = NodeValue)]
impl Deployment {
    /// The global id.
    pub(super) fn id(&self) -> ID {
        NodeId::Deployment(self.row.id).into()
    }

    /// The tenant's domain.
    fn tenant(&self) -> &str {
        &self.row.tenant
    }

    /// The target's name in the configuration.
    fn target(&self) -> Option<&str> {
        self.row.target.as_deref()
    }

    /// Whether the bundle was deployed without its tests.
    fn untested(&self) -> bool {
        self.row.untested
    }

    /// The branch or tag, if the deployment came from a repository.
    fn git_ref(&self) -> Option<&str> {
        self.row.git_ref.as_deref()
    }

    /// The commit, if the deployment came from a repository.
    fn commit(&self) -> Option<&str> {
        self.row.commit.as_deref()
    }

    /// The actor who deployed.
    fn actor(&self) -> AuditActor {
        AuditActor::new(&self.row.actor_kind, self.row.actor_id.as_deref(), &self.people)
    }

    /// Number of planned changes.
    fn planned_changes(&self) -> i32 {
        i32::try_from(self.row.planned_changes).unwrap_or(i32::MAX)
    }

    /// The outcome.
    fn outcome(&self) -> DeploymentOutcome {
        self.row.outcome.into()
    }

    /// The reason of a failure, in one line.
    fn failure(&self) -> Option<&str> {
        self.row.failure.as_deref()
    }

    /// The plan as JSON, as `vestibule tenant plan --json` prints it. Null before it is made, and after 50 more deployments.
    async fn plan(&self, context: &Context) -> Result<Option<String>, ApiError> {
        let id = self.row.id;
        let plan = context.read_store(move |store| store.deployment_plan(id)).await?;
        // Twice: as it is read, and as it is put out.
        context.spend(plan.as_ref().map_or(0, String::len).saturating_mul(2)).await;
        Ok(plan)
    }

    /// What it did, line by line.
    async fn log(&self, context: &Context) -> Result<Vec<String>, ApiError> {
        let id = self.row.id;
        let log = context.read_store(move |store| store.deployment_log(id)).await?;
        let bytes: usize = log.iter().map(|line| line.line.len()).sum();
        context.spend(bytes.saturating_mul(2)).await;
        Ok(log.into_iter().map(|line| format!("{} {}", line.at, line.line)).collect())
    }

    /// When it began.
    fn begun_at(&self) -> DateTime {
        DateTime(self.row.begun_at)
    }

    /// When it ended; null while it runs, and if it was interrupted.
    fn ended_at(&self) -> Option<DateTime> {
        self.row.ended_at.map(DateTime)
    }
}

connection! {
    /// A page of deployments.
    DeploymentConnection, DeploymentEdge, Deployment, DeploymentFilter
}

impl DeploymentConnection {
    pub(super) async fn read(
        context: &Context,
        filter: DeploymentFilter,
        args: ConnectionArgs,
    ) -> Result<Self, ApiError> {
        let page_args = args.page_args(|key| read_number("deployment", key))?;
        let (is_filtered, store_filter) = (filter != DeploymentFilter::default(), filter.clone());
        let read =
            context.read_page(is_filtered, move |store| store.list_deployments(&store_filter, &page_args));
        let Page { items, more } = read.await?;
        let page = Page { items: Deployment::page(items), more };
        Ok(Self { page: Nodes::new(page, &args, sort_key), filter })
    }

    fn sort_key(&self, deployment: &Deployment) -> String {
        sort_key(deployment)
    }

    async fn count(&self, context: &Context) -> Result<u64, ApiError> {
        let filter = self.filter.clone();
        context.read_store(move |store| store.count_deployments(&filter)).await
    }
}

fn sort_key(deployment: &Deployment) -> String {
    write_number("deployment", deployment.row.id)
}
