//! Deployments to tenants: what is deployed, by whom, and how it ended. A process that was killed reports nothing more, so a
//! deployment counts as interrupted a minute after its last sign of life, and does not hold up the next one.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::audit::{Action, Actor, Changes};
use super::columns::{optional_time, time};
use super::query::{Query, count, first, text, value};
use super::write::Write;
use super::{Page, PageArgs, Result, Store, StoreError};
use crate::user::is_visible;

/// How long a deployment may give no sign of life before it counts as interrupted.
pub const DEPLOYMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest message of a failure, in characters.
pub const DEPLOYMENT_FAILURE_MAX_CHARS: usize = 1000;

/// A deployment about to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedDeployment {
    /// The tenant's domain.
    pub tenant: String,
    /// The branch or tag it comes from.
    pub git_ref: Option<String>,
    /// The commit it comes from.
    pub commit: Option<String>,
    /// The number of planned changes.
    pub changes: u32,
}

/// A deployment, running or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "most names say it")]
pub struct Deployment {
    /// Rises with every deployment.
    pub id: i64,
    pub planned: PlannedDeployment,
    /// The kind of [`Actor`] that deployed: `user`, `machine`, `cli` or `webhook`.
    pub actor_kind: String,
    /// The user's or the client's id.
    pub actor_id: Option<String>,
    pub begun_at: Timestamp,
    /// When it ended; `None` while it runs, and when it was interrupted.
    pub ended_at: Option<Timestamp>,
    pub outcome: DeploymentOutcome,
    pub failure: Option<String>,
}

/// The state of a deployment. An interrupted one gives no sign of life any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each name says what happened")]
pub enum DeploymentOutcome {
    Running,
    Applied,
    Failed,
    RolledBack,
    Interrupted,
}

/// The end of a deployment, as its process reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name says what happened")]
pub enum DeploymentEnd<'a> {
    Applied,
    /// A change failed: which and why, in one line for people, without secrets.
    Failed(&'a str),
    RolledBack,
}

/// Which deployments to list: those that meet every condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name says what must be equal")]
pub struct DeploymentFilter {
    pub tenant: Option<String>,
    pub outcome: Option<DeploymentOutcome>,
}

const NOT_RUNNING: StoreError = StoreError::Invalid("No such deployment is under way.");

/// The columns that [`read_deployment`] reads, in its order.
const SELECT: &str = "SELECT id, tenant, git_ref, git_commit, changes, actor_kind, actor_id, begun_at, ended_at, outcome, \
                      message, alive_until FROM deployments";

impl Store {
    /// Records that a deployment begins, and returns its id.
    ///
    /// # Errors
    /// [`StoreError::DeploymentRunning`] while another one to the tenant is under way.
    pub fn begin_deployment(&self, planned: &PlannedDeployment, actor: &Actor) -> Result<i64> {
        let PlannedDeployment { tenant, git_ref, commit, changes } = planned;
        if tenant.is_empty() {
            return Err(StoreError::Invalid("A deployment is to a tenant."));
        }
        self.write(|write| {
            let now = write.now_millis();
            let sql = "SELECT id FROM deployments WHERE tenant = ?1 AND outcome IS NULL AND alive_until > ?2";
            if let Some(other) = value(&write.tx, sql, params![tenant, now])? {
                return Err(StoreError::DeploymentRunning(other));
            }
            let (kind, id) = actor.parts();
            let sql = "INSERT INTO deployments
                           (tenant, git_ref, git_commit, actor_kind, actor_id, changes, begun_at, alive_until)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id";
            let values = params![tenant, git_ref, commit, kind, id, changes, now, alive_until(write)];
            let id = write.tx.query_one(sql, values, |row| row.get(0))?;
            let mut line = about(id, tenant).field("plannedChanges", (), *changes);
            for (name, value) in [("gitRef", git_ref), ("commit", commit)] {
                if let Some(value) = value {
                    line = line.field(name, (), value.as_str());
                }
            }
            write.audit(actor, Action::DeploymentBegun, None, line)?;
            Ok(id)
        })
    }

    /// Records a sign of life of a deployment, due well within [`DEPLOYMENT_TIMEOUT`] of the last one.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when it is not under way, or not any more: stop then, because another may have begun.
    pub fn keep_deployment_alive(&self, id: i64) -> Result<()> {
        let sql =
            "UPDATE deployments SET alive_until = ?2 WHERE id = ?1 AND outcome IS NULL AND alive_until > ?3";
        self.write(|write| match write.run(sql, params![id, alive_until(write), write.now_millis()])? {
            0 => Err(NOT_RUNNING),
            _ => Ok(()),
        })
    }

    /// Records how a deployment ended, also of one that counted as interrupted.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when it is not under way, or the failure is no line of [`DEPLOYMENT_FAILURE_MAX_CHARS`].
    pub fn end_deployment(&self, id: i64, end: DeploymentEnd<'_>, actor: &Actor) -> Result<Deployment> {
        let (outcome, failure) = match end {
            DeploymentEnd::Applied => (DeploymentOutcome::Applied, None),
            DeploymentEnd::Failed(why) => (DeploymentOutcome::Failed, Some(why)),
            DeploymentEnd::RolledBack => (DeploymentOutcome::RolledBack, None),
        };
        let fits =
            |why: &str| (1..=DEPLOYMENT_FAILURE_MAX_CHARS).contains(&why.chars().count()) && is_visible(why);
        if !failure.is_none_or(fits) {
            return Err(StoreError::Invalid(
                "The reason of a failed deployment is a line of 1 to 1000 characters.",
            ));
        }
        self.write(|write| {
            let now = write.now_millis();
            let sql = "UPDATE deployments SET outcome = ?2, message = ?3, ended_at = ?4 WHERE id = ?1 AND outcome IS NULL";
            if write.run(sql, params![id, outcome.as_str(), failure, now])? == 0 {
                return Err(NOT_RUNNING);
            }
            let deployment = by_id(&write.tx, id, now)?.ok_or(NOT_RUNNING)?;
            // Without the reason: the audit log keeps every word for ever.
            let changes = about(id, &deployment.planned.tenant).field("outcome", "running", outcome.as_str());
            write.audit(actor, Action::DeploymentEnded, None, changes)?;
            Ok(deployment)
        })
    }

    /// The deployment with this id.
    pub fn deployment(&self, id: i64) -> Result<Option<Deployment>> {
        let now = self.shared.clock.now().as_millisecond();
        self.read(|connection| by_id(connection, id, now))
    }

    /// A page of the deployments that `filter` selects, the newest first. Costs its length; with both a tenant and an
    /// outcome, the number of deployments to the tenant.
    pub fn list_deployments(
        &self,
        filter: &DeploymentFilter,
        args: &PageArgs<i64>,
    ) -> Result<Page<Deployment>> {
        let now = self.shared.clock.now().as_millisecond();
        let query = filter.query(SELECT, now);
        self.read(|connection| Page::read(connection, query, args, |row| read_deployment(row, now)))
    }

    /// How many deployments `filter` selects. Reads all of them.
    pub fn count_deployments(&self, filter: &DeploymentFilter) -> Result<u64> {
        let now = self.shared.clock.now().as_millisecond();
        let query = filter.query("SELECT count(*) FROM deployments", now);
        self.read(|connection| count(connection, &query.sql, params_from_iter(query.values)))
    }
}

impl DeploymentOutcome {
    /// The word in the row and in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Interrupted => "interrupted",
        }
    }

    fn read(word: Option<&str>, alive_until: i64, now: i64) -> Result<Self> {
        let Some(word) = word else {
            return Ok(if alive_until > now { Self::Running } else { Self::Interrupted });
        };
        let ended = [Self::Applied, Self::Failed, Self::RolledBack];
        let outcome = ended.into_iter().find(|outcome| outcome.as_str() == word);
        outcome.ok_or_else(|| StoreError::damaged("deployments.outcome", word))
    }
}

impl DeploymentFilter {
    fn query(&self, select: &str, now: i64) -> Query {
        let mut query = Query::new(select);
        if let Some(tenant) = &self.tenant {
            query.and("tenant = ?", [text(tenant)]);
        }
        match self.outcome {
            None => {}
            Some(DeploymentOutcome::Running) => {
                query.and("outcome IS NULL AND alive_until > ?", [now.into()])
            }
            Some(DeploymentOutcome::Interrupted) => {
                query.and("outcome IS NULL AND alive_until <= ?", [now.into()]);
            }
            Some(outcome) => query.and("outcome = ?", [text(outcome.as_str())]),
        }
        query
    }
}

fn by_id(connection: &Connection, id: i64, now: i64) -> Result<Option<Deployment>> {
    first(connection, &format!("{SELECT} WHERE id = ?1"), [id], |row| read_deployment(row, now))
}

fn read_deployment(row: &Row<'_>, now: i64) -> Result<Deployment> {
    let outcome: Option<String> = row.get(9)?;
    Ok(Deployment {
        id: row.get(0)?,
        planned: PlannedDeployment {
            tenant: row.get(1)?,
            git_ref: row.get(2)?,
            commit: row.get(3)?,
            changes: row.get(4)?,
        },
        actor_kind: row.get(5)?,
        actor_id: row.get(6)?,
        begun_at: time(row, 7)?,
        ended_at: optional_time(row, 8)?,
        outcome: DeploymentOutcome::read(outcome.as_deref(), row.get(11)?, now)?,
        failure: row.get(10)?,
    })
}

fn alive_until(write: &Write<'_>) -> i64 {
    write.now.saturating_add(DEPLOYMENT_TIMEOUT).unwrap_or(write.now).as_millisecond()
}

/// The deployment that an audit line is about, in its changes: a line's target is a user.
fn about(id: i64, tenant: &str) -> Changes {
    Changes::default().field("deployment", (), id).field("tenant", (), tenant)
}
