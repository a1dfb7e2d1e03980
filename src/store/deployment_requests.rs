//! Requests for deployments: accepted from a webhook or a caller, and kept until they have an outcome, over restarts too.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::params;

use super::audit::{Action, Changes};
use super::columns::time;
use super::query::{all, first};
use super::write::Write;
use super::{Actor, NewDeployment, Result, Store};

/// The most requests that may wait for one target. Over it, the oldest is superseded.
const WAITING_MAX: usize = 20;
/// How many requests with an outcome are kept, so that their deliveries are known when they are sent again.
const KEPT: i64 = 1000;

/// How many outcomes are reported again at a start.
const UNREPORTED_MAX: i64 = 20;

/// A request to be kept.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in `DeploymentRequest`")]
pub struct NewDeploymentRequest {
    /// The forge's id of the webhook's delivery. A target takes each only once.
    pub delivery: Option<String>,
    pub target: String,
    pub branch: String,
    pub commit: String,
    pub forced: bool,
    pub actor: Actor,
}

/// A request that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentRequest {
    /// Rises with every request.
    pub id: i64,
    /// The target's name in the configuration.
    pub target: String,
    /// The branch that has the commit.
    pub branch: String,
    /// What to deploy.
    pub commit: String,
    /// Whether an older commit than the deployed one is deployed too.
    pub forced: bool,
    /// Who asked.
    pub actor: Actor,
    /// How many attempts have begun.
    pub attempts: u32,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// When the next attempt may begin.
    pub due_at: Timestamp,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name says what happened")]
pub enum RequestOutcome {
    Deployed,
    /// The commit was deployed before.
    Unchanged,
    /// A newer commit was deployed instead.
    Superseded,
    Failed,
}

impl RequestOutcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Unchanged => "unchanged",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
        }
    }
}

impl Store {
    /// Keeps requests, all or none, and returns how many are new: not those of a known delivery, nor those for a commit that
    /// waits already.
    pub fn enqueue_deployments(&self, requests: &[NewDeploymentRequest]) -> Result<usize> {
        self.write(|write| {
            let mut new = 0_usize;
            for request in requests {
                new = new.saturating_add(write.enqueue_deployment(request)?);
            }
            write.run(
                "DELETE FROM deployment_requests
                 WHERE outcome IS NOT NULL AND id <= (SELECT max(id) FROM deployment_requests) - ?1",
                [KEPT],
            )?;
            Ok(new)
        })
    }

    /// The requests that wait for a target, the oldest first: at most 20. A read by key.
    pub fn waiting_deployments(&self, target: &str) -> Result<Vec<DeploymentRequest>> {
        let sql = "SELECT id, target, branch, git_commit, forced, actor_kind, actor_id, attempts, received_at, due_at
                   FROM deployment_requests WHERE outcome IS NULL AND target = ?1 ORDER BY id";
        self.read_by_key(|connection| {
            all(connection, sql, [target], |row| {
                let kind: String = row.get(5)?;
                Ok(DeploymentRequest {
                    id: row.get(0)?,
                    target: row.get(1)?,
                    branch: row.get(2)?,
                    commit: row.get(3)?,
                    forced: row.get(4)?,
                    actor: Actor::from_parts(&kind, row.get(6)?),
                    attempts: row.get(7)?,
                    received_at: time(row, 8)?,
                    due_at: time(row, 9)?,
                })
            })
        })
    }

    /// Counts an attempt, before it begins: one that ends this process is counted too.
    pub fn begin_deployment_attempt(&self, id: i64) -> Result<()> {
        self.write(|write| {
            write.run("UPDATE deployment_requests SET attempts = attempts + 1 WHERE id = ?1", [id]).map(drop)
        })
    }

    /// Delays the next attempt by `wait`. An attempt that was not `made` is not counted.
    pub fn postpone_deployment(&self, id: i64, wait: Duration, made: bool) -> Result<()> {
        self.write(|write| {
            let due = write.now.saturating_add(wait).unwrap_or(Timestamp::MAX).as_millisecond();
            let sql =
                "UPDATE deployment_requests SET due_at = ?2, attempts = max(attempts - ?3, 0) WHERE id = ?1";
            write.run(sql, params![id, due, !made]).map(drop)
        })
    }

    /// Records the outcome of a request, and why. One that has an outcome keeps it.
    pub fn end_deployment_request(&self, id: i64, outcome: RequestOutcome, message: &str) -> Result<()> {
        self.write(|write| write.end_request(id, outcome, message).map(drop))
    }

    /// Records that a request failed before its deployment began, as a deployment that failed. One that has an outcome keeps it.
    pub fn fail_deployment_request(&self, id: i64, new: &NewDeployment, message: &str) -> Result<()> {
        self.write(|write| {
            if write.end_request(id, RequestOutcome::Failed, message)? {
                write.record_failure(new, message)?;
            }
            Ok(())
        })
    }

    /// Requests for a target that ended after `since`, and whose outcome was not [reported](Self::mark_deployment_reported): the
    /// commit, the outcome and why, at most the newest 20, the oldest first.
    pub fn unreported_deployments(
        &self,
        target: &str,
        since: Timestamp,
    ) -> Result<Vec<(String, String, String)>> {
        let sql = "SELECT git_commit, outcome, message FROM (
                       SELECT * FROM deployment_requests WHERE target = ?1 AND ended_at > ?2 AND NOT reported
                       ORDER BY id DESC LIMIT ?3)
                   ORDER BY id";
        let values = params![target, since.as_millisecond(), UNREPORTED_MAX];
        self.read(|connection| {
            all(connection, sql, values, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        })
    }

    /// Marks the outcomes of all requests for a commit at a target as reported.
    pub fn mark_deployment_reported(&self, target: &str, commit: &str) -> Result<()> {
        self.write(|write| {
            let sql = "UPDATE deployment_requests SET reported = 1
                       WHERE target = ?1 AND git_commit = ?2 AND outcome IS NOT NULL";
            write.run(sql, [target, commit]).map(drop)
        })
    }

    /// The state of the newest request for a commit at a target: the outcome and why, or neither while it waits.
    pub fn deployment_request_state(
        &self,
        target: &str,
        commit: &str,
    ) -> Result<Option<Option<(String, String)>>> {
        let sql = "SELECT outcome, message FROM deployment_requests WHERE target = ?1 AND git_commit = ?2
                   ORDER BY id DESC LIMIT 1";
        self.read(|connection| {
            first(connection, sql, [target, commit], |row| {
                Ok(row.get::<_, Option<String>>(0)?.zip(row.get::<_, Option<String>>(1)?))
            })
        })
    }
}

impl Write<'_> {
    fn enqueue_deployment(&self, request: &NewDeploymentRequest) -> Result<usize> {
        let NewDeploymentRequest { delivery, target, branch, commit, forced, actor } = request;
        let (kind, id) = actor.parts();
        let sql = "INSERT INTO deployment_requests
                       (delivery, target, branch, git_commit, forced, actor_kind, actor_id, received_at, due_at)
                   SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8
                   WHERE NOT EXISTS (SELECT 1 FROM deployment_requests
                                     WHERE outcome IS NULL AND target = ?2 AND git_commit = ?4 AND forced >= ?5)
                   ON CONFLICT (delivery, target) DO NOTHING";
        let values = params![delivery, target, branch, commit, forced, kind, id, self.now_millis()];
        let new = self.run(sql, values)?;
        let ids: Vec<i64> = all(
            self.tx,
            "SELECT id FROM deployment_requests WHERE outcome IS NULL AND target = ?1 ORDER BY id",
            [target],
            |row| Ok(row.get(0)?),
        )?;
        for id in ids.iter().take(ids.len().saturating_sub(WAITING_MAX)) {
            self.end_request(*id, RequestOutcome::Superseded, "too many newer requests wait")?;
        }
        Ok(new)
    }

    fn record_failure(&self, new: &NewDeployment, message: &str) -> Result<()> {
        let (now, (kind, actor)) = (self.now_millis(), new.actor.parts());
        let sql = "INSERT INTO deployments (tenant, target, git_ref, git_commit, actor_kind, actor_id, changes, begun_at,
                                            alive_until, ended_at, outcome, message)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?7, ?7, 'failed', ?8)";
        let NewDeployment { tenant, target, git_ref, commit, .. } = new;
        self.run(
            sql,
            params![tenant, target, git_ref, commit, kind, actor, now, message.replace('\n', " ")],
        )?;
        let changes = Changes::default()
            .field("deployment", (), self.tx.last_insert_rowid())
            .field("tenant", (), tenant.as_str())
            .field("commit", (), commit.clone())
            .field("outcome", (), "failed");
        self.audit(&new.actor, Action::DeploymentEnded, None, changes)
    }

    /// Returns whether it had no outcome yet.
    fn end_request(&self, id: i64, outcome: RequestOutcome, message: &str) -> Result<bool> {
        let sql = "UPDATE deployment_requests SET outcome = ?2, message = ?3, ended_at = ?4
                   WHERE id = ?1 AND outcome IS NULL";
        Ok(self.run(sql, params![id, outcome.as_str(), message, self.now_millis()])? > 0)
    }
}
