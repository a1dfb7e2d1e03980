//! Deployments to tenants: what was deployed, by whom, and how it ended. Read here; written in
//! `deployment_records.rs`.

use jiff::Timestamp;
use rusqlite::{Row, params_from_iter};

use super::columns::{optional_time, time};
use super::query::{Query, count, first, text};
use super::{Page, PageArgs, Result, Store, StoreError};

/// A deployment, running or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "most names say it")]
pub struct Deployment {
    /// Rises with every deployment.
    pub id: i64,
    /// The tenant's domain.
    pub tenant: String,
    pub git_ref: Option<String>,
    pub commit: Option<String>,
    pub planned_changes: u32,
    /// The kind of actor that deployed, as in the audit log.
    pub actor_kind: String,
    /// The user's or the client's id.
    pub actor_id: Option<String>,
    pub begun_at: Timestamp,
    /// When it ended; `None` while it runs, and when it was interrupted.
    pub ended_at: Option<Timestamp>,
    pub outcome: DeploymentOutcome,
    pub failure: Option<String>,
    /// The target's name in the configuration.
    pub target: Option<String>,
    /// Whether the bundle was deployed without its tests.
    pub untested: bool,
    /// The deployment that this one undoes.
    pub undoes: Option<i64>,
}

/// The state of a deployment. An interrupted one gives no sign of life any more; one that was rolled back was applied and
/// then undone by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each name says what happened")]
pub enum DeploymentOutcome {
    Running,
    Applied,
    Failed,
    RolledBack,
    Interrupted,
}

/// Which deployments to list: those that meet every condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name says what must be equal")]
pub struct DeploymentFilter {
    pub tenant: Option<String>,
    pub outcome: Option<DeploymentOutcome>,
}

/// The columns that [`read_deployment`] reads, in its order.
const SELECT: &str = "SELECT id, tenant, git_ref, git_commit, changes, actor_kind, actor_id, begun_at, ended_at, outcome, \
                      message, alive_until, target, untested, undoes FROM deployments";

impl Store {
    /// The deployment with this id.
    pub fn deployment(&self, id: i64) -> Result<Option<Deployment>> {
        let (sql, now) = (format!("{SELECT} WHERE id = ?1"), self.now_millis());
        self.read_by_key(|connection| first(connection, &sql, [id], |row| read_deployment(row, now)))
    }

    /// A page of the deployments that `filter` selects, the newest first. Costs its length; with both a tenant and an
    /// outcome, the number of deployments to the tenant.
    pub fn list_deployments(
        &self,
        filter: &DeploymentFilter,
        args: &PageArgs<i64>,
    ) -> Result<Page<Deployment>> {
        let now = self.now_millis();
        let query = filter.query(SELECT, now);
        self.read(|connection| Page::read(connection, query, args, |row| read_deployment(row, now)))
    }

    /// How many deployments `filter` selects. Reads all of them.
    pub fn count_deployments(&self, filter: &DeploymentFilter) -> Result<u64> {
        let query = filter.query("SELECT count(*) FROM deployments", self.now_millis());
        self.read(|connection| count(connection, &query.sql, params_from_iter(query.values)))
    }
}

impl DeploymentOutcome {
    /// The condition on the rows with this outcome, whose parameter is the present moment if it has one.
    fn condition(self) -> &'static str {
        match self {
            Self::Running => "outcome IS NULL AND alive_until > ?",
            Self::Interrupted => "outcome IS NULL AND alive_until <= ?",
            Self::Applied => "outcome = 'applied'",
            Self::Failed => "outcome = 'failed'",
            Self::RolledBack => "outcome = 'rolled_back'",
        }
    }
}

impl DeploymentFilter {
    fn query(&self, select: &str, now: i64) -> Query {
        let mut query = Query::new(select);
        if let Some(tenant) = &self.tenant {
            query.and("tenant = ?", [text(tenant)]);
        }
        if let Some(condition) = self.outcome.map(DeploymentOutcome::condition) {
            query.and(condition, condition.contains('?').then(|| now.into()));
        }
        query
    }
}

fn read_deployment(row: &Row<'_>, now: i64) -> Result<Deployment> {
    let (outcome, alive_until): (Option<String>, i64) = (row.get(9)?, row.get(11)?);
    Ok(Deployment {
        id: row.get(0)?,
        tenant: row.get(1)?,
        git_ref: row.get(2)?,
        commit: row.get(3)?,
        planned_changes: row.get(4)?,
        actor_kind: row.get(5)?,
        actor_id: row.get(6)?,
        begun_at: time(row, 7)?,
        ended_at: optional_time(row, 8)?,
        outcome: match outcome.as_deref() {
            None if alive_until > now => DeploymentOutcome::Running,
            None => DeploymentOutcome::Interrupted,
            Some("applied") => DeploymentOutcome::Applied,
            Some("failed") => DeploymentOutcome::Failed,
            Some("rolled_back") => DeploymentOutcome::RolledBack,
            Some(other) => return Err(StoreError::damaged("deployments.outcome", other)),
        },
        failure: row.get(10)?,
        target: row.get(12)?,
        untested: row.get(13)?,
        undoes: row.get(14)?,
    })
}
