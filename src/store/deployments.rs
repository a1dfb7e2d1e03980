//! What is deployed to a tenant, by whom, and how it ended. Whoever deploys says so before, meanwhile and afterwards.
//!
//! A process that is killed says nothing any more. So its deployment is told as interrupted a minute after its last
//! sign, and keeps nobody from the next one.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::audit::{Action, Actor, Changes};
use super::list_audit::{bounds, one_more};
use super::users::{from_millis, moment};
use super::{PAGE_MAX, Page, PageArgs, Store, StoreError, Write};

/// How long a deployment may give no sign before it is told as interrupted.
pub const DEPLOYMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest message of a failure, in characters.
pub const DEPLOYMENT_FAILURE_MAX_CHARS: usize = 1000;

/// A deployment that is to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedDeployment {
    /// The tenant's domain.
    pub tenant: String,
    /// The branch or tag it comes from.
    pub git_ref: Option<String>,
    /// The commit it comes from.
    pub commit: Option<String>,
    /// How many changes will be made.
    pub changes: u32,
}

/// A deployment, as it now stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Rises with every deployment.
    pub id: i64,
    /// What was planned.
    pub planned: PlannedDeployment,
    /// `user`, `machine`, `cli` or `webhook`: who deployed.
    pub actor_kind: String,
    /// The user's or the client's id.
    pub actor_id: Option<String>,
    /// When it began.
    pub begun_at: Timestamp,
    /// When it ended; not known of an interrupted one.
    pub ended_at: Option<Timestamp>,
    /// How it stands or ended.
    pub outcome: DeploymentOutcome,
    /// Why it failed.
    pub failure: Option<String>,
}

/// How a deployment stands or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeploymentOutcome {
    /// It is under way.
    Running,
    /// All changes were made.
    Applied,
    /// It stopped at a change that could not be made.
    Failed,
    /// The tenant is as it was before.
    RolledBack,
    /// Whoever deployed gives no sign any more.
    Interrupted,
}

/// The end of a deployment, as whoever deploys tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentEnd<'a> {
    /// All changes were made.
    Applied,
    /// A change could not be made. The text says which and why, in one line for people, and holds no secret.
    Failed(&'a str),
    /// The tenant is as it was before.
    RolledBack,
}

/// Which deployments are wanted: those that meet all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentFilter {
    /// To this tenant.
    pub tenant: Option<String>,
    /// That stand or ended so.
    pub outcome: Option<DeploymentOutcome>,
}

impl Store {
    /// Notes that a deployment begins; gives its id.
    ///
    /// # Errors
    /// [`StoreError::DeploymentRunning`] while another one to the tenant is under way; [`StoreError::Invalid`]; else as every
    /// write.
    pub fn begin_deployment(&self, planned: &PlannedDeployment, actor: &Actor) -> Result<i64, StoreError> {
        if planned.tenant.is_empty() {
            return Err(StoreError::Invalid("A deployment is to a tenant."));
        }
        self.write(|write| {
            let now = write.now.as_millisecond();
            let other = "SELECT id FROM deployments WHERE tenant = ?1 AND outcome IS NULL AND alive_until > ?2";
            let other = write.tx.query_row(other, params![planned.tenant, now], |row| row.get(0)).optional()?;
            if let Some(other) = other {
                return Err(StoreError::DeploymentRunning(other));
            }
            let (actor_kind, actor_id) = actor.parts();
            write.tx.execute(
                "INSERT INTO deployments (tenant, git_ref, git_commit, actor_kind, actor_id, changes, begun_at, alive_until)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    planned.tenant,
                    planned.git_ref,
                    planned.commit,
                    actor_kind,
                    actor_id,
                    planned.changes,
                    now,
                    alive_until(write)
                ],
            )?;
            let id = write.tx.last_insert_rowid();
            let mut changes = about(id, &planned.tenant).field("plannedChanges", (), planned.changes);
            for (name, value) in [("gitRef", &planned.git_ref), ("commit", &planned.commit)] {
                if let Some(value) = value {
                    changes = changes.field(name, (), value.as_str());
                }
            }
            write.audit(actor, Action::DeploymentBegun, None, changes)?;
            Ok(id)
        })
    }

    /// A sign that a deployment goes on, due well within [`DEPLOYMENT_TIMEOUT`] of the one before.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when there is no such deployment, or it has ended or was told as interrupted: whoever
    /// deploys stops then, because another may have begun. Else as every write.
    pub fn keep_deployment_alive(&self, id: i64) -> Result<(), StoreError> {
        self.write(|write| {
            let sql = "UPDATE deployments SET alive_until = ?2
                       WHERE id = ?1 AND outcome IS NULL AND alive_until > ?3";
            match write.tx.execute(sql, params![id, alive_until(write), write.now.as_millisecond()])? {
                0 => Err(NOT_UNDER_WAY),
                _ => Ok(()),
            }
        })
    }

    /// Notes how a deployment ended. One that was told as interrupted and comes to its end after all ends so.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when there is no such deployment, it has ended, or the text of a failure is empty, has
    /// control characters or over [`DEPLOYMENT_FAILURE_MAX_CHARS`]; else as every write.
    pub fn end_deployment(
        &self,
        id: i64,
        ending: DeploymentEnd<'_>,
        actor: &Actor,
    ) -> Result<Deployment, StoreError> {
        let (outcome, failure) = match ending {
            DeploymentEnd::Applied => (DeploymentOutcome::Applied, None),
            DeploymentEnd::Failed(why) => (DeploymentOutcome::Failed, Some(why)),
            DeploymentEnd::RolledBack => (DeploymentOutcome::RolledBack, None),
        };
        if failure.is_some_and(|why| {
            why.is_empty()
                || why.chars().count() > DEPLOYMENT_FAILURE_MAX_CHARS
                || why.chars().any(char::is_control)
        }) {
            return Err(StoreError::Invalid(
                "Why a deployment failed is told in a line of 1 to 1000 characters.",
            ));
        }
        self.write(|write| {
            let now = write.now.as_millisecond();
            let ended = write.tx.execute(
                "UPDATE deployments SET outcome = ?2, message = ?3, ended_at = ?4 WHERE id = ?1 AND outcome IS NULL",
                params![id, outcome.as_str(), failure, now],
            )?;
            if ended == 0 {
                return Err(NOT_UNDER_WAY);
            }
            let deployment = by_id(&write.tx, id, now)?.ok_or(NOT_UNDER_WAY)?;
            // Not why: the trail keeps what it is told for ever.
            let changes =
                about(id, &deployment.planned.tenant).field("outcome", DeploymentOutcome::Running.as_str(), outcome.as_str());
            write.audit(actor, Action::DeploymentEnded, None, changes)?;
            Ok(deployment)
        })
    }

    /// The deployment with this id.
    ///
    /// # Errors
    /// As every read: [`StoreError::Database`].
    pub fn deployment(&self, id: i64) -> Result<Option<Deployment>, StoreError> {
        let now = self.shared.clock.now().as_millisecond();
        self.read(|connection| by_id(connection, id, now))
    }

    /// A part of the deployments that `filter` lets through, the newest first. Costs its length; with both a tenant and
    /// an outcome, the number of deployments to the tenant.
    ///
    /// # Errors
    /// As [`Store::deployment`].
    pub fn list_deployments(
        &self,
        filter: &DeploymentFilter,
        slice: &PageArgs<i64>,
    ) -> Result<Page<Deployment>, StoreError> {
        let (limit, now) = (slice.limit.min(PAGE_MAX), self.shared.clock.now().as_millisecond());
        let (filtered, mut values) = conditions(filter, now);
        let (within, order) = bounds(slice, &mut values);
        values.push(Value::Integer(one_more(limit)));
        let sql = format!(
            "SELECT {COLUMNS} FROM deployments WHERE 1{filtered}{within} ORDER BY id {order} LIMIT ?"
        );
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            let mut deployments = Vec::new();
            while let Some(row) = rows.next()? {
                deployments.push(read_deployment(row, now)?);
            }
            Ok(Page::of(deployments, limit, slice.from_end))
        })
    }

    /// How many deployments `filter` lets through. Costs a walk over all of them.
    ///
    /// # Errors
    /// As [`Store::deployment`].
    pub fn count_deployments(&self, filter: &DeploymentFilter) -> Result<u64, StoreError> {
        let (filtered, values) = conditions(filter, self.shared.clock.now().as_millisecond());
        let sql = format!("SELECT count(*) FROM deployments WHERE 1{filtered}");
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let count: i64 = statement.query_one(params_from_iter(values), |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }
}

const NOT_UNDER_WAY: StoreError = StoreError::Invalid("No such deployment is under way.");

impl DeploymentOutcome {
    /// The word that the row and the trail keep.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Interrupted => "interrupted",
        }
    }

    /// What a row tells: its word, and until when it counts as alive without one.
    fn read(word: Option<&str>, alive_until: i64, now: i64) -> Result<Self, StoreError> {
        match word {
            None if alive_until > now => Ok(Self::Running),
            None => Ok(Self::Interrupted),
            Some(word) => [Self::Applied, Self::Failed, Self::RolledBack]
                .into_iter()
                .find(|outcome| outcome.as_str() == word)
                .ok_or(
                    crate::sqlite::DatabaseError::Damaged { at: "deployments.outcome", source: None }.into(),
                ),
        }
    }
}

/// In the order [`read_deployment`] reads them.
const COLUMNS: &str = "id, tenant, git_ref, git_commit, changes, actor_kind, actor_id, begun_at, ended_at, outcome, \
                       message, alive_until";

fn by_id(connection: &Connection, id: i64, now: i64) -> Result<Option<Deployment>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM deployments WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(|row| read_deployment(row, now)).transpose()
}

fn read_deployment(row: &Row<'_>, now: i64) -> Result<Deployment, StoreError> {
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
        begun_at: from_millis("deployments.begun_at", row.get(7)?)?,
        ended_at: moment("deployments.ended_at", row.get(8)?)?,
        outcome: DeploymentOutcome::read(outcome.as_deref(), row.get(11)?, now)?,
        failure: row.get(10)?,
    })
}

fn conditions(filter: &DeploymentFilter, now: i64) -> (String, Vec<Value>) {
    let (mut sql, mut values) = (String::new(), Vec::new());
    let mut and = |condition: &str, value| {
        sql.push_str(condition);
        values.push(value);
    };
    if let Some(tenant) = &filter.tenant {
        and(" AND tenant = ?", Value::Text(tenant.clone()));
    }
    match filter.outcome {
        None => {}
        Some(DeploymentOutcome::Running) => {
            and(" AND outcome IS NULL AND alive_until > ?", Value::Integer(now))
        }
        Some(DeploymentOutcome::Interrupted) => {
            and(" AND outcome IS NULL AND alive_until <= ?", Value::Integer(now))
        }
        Some(outcome) => and(" AND outcome = ?", Value::Text(outcome.as_str().to_owned())),
    }
    (sql, values)
}

fn alive_until(write: &Write<'_>) -> i64 {
    write.now.saturating_add(DEPLOYMENT_TIMEOUT).unwrap_or(write.now).as_millisecond()
}

/// Which deployment a line of the trail is about: its target is a user, and here there is none.
fn about(id: i64, tenant: &str) -> Changes {
    Changes::default().field("deployment", (), id).field("tenant", (), tenant)
}
