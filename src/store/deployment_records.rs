//! What a deployment writes: its row, its plan and log, the tenant's state before and after, the hashes of its secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::params;

use super::audit::{Action, Actor, Changes};
use super::columns::time;
use super::query::{all, first, value};
use super::write::Write;
use super::{Result, Store};

/// How long a deployment counts as running after its last sign of life.
const ALIVE: Duration = Duration::from_secs(60);
/// Of how many deployments to a tenant the states are kept.
const RECORDS_KEPT: i64 = 50;
/// The most lines of a log …
const LINES_MAX: i64 = 5000;
/// … and the most characters of one.
const LINE_MAX: usize = 2000;

/// A deployment that begins.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in `Deployment`")]
pub struct NewDeployment {
    pub tenant: String,
    pub target: String,
    pub git_ref: Option<String>,
    pub commit: Option<String>,
    pub actor: Actor,
    pub untested: bool,
    pub undoes: Option<i64>,
}

/// What is kept of a deployment beside its row, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentRecord {
    /// What was planned.
    pub plan: String,
    /// The tenant's state before.
    pub before: String,
    /// The tenant's state after, if the deployment succeeded.
    pub after: Option<String>,
}

/// A line of a deployment's log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name says it")]
pub struct LogLine {
    pub at: Timestamp,
    pub line: String,
}

impl Store {
    /// Begins a deployment, and returns its id. The caller holds the lock of the tenant, so deployments to it that have no
    /// outcome yet were interrupted.
    pub fn begin_deployment(&self, new: &NewDeployment) -> Result<i64> {
        self.write(|write| {
            let (now, (kind, id)) = (write.now_millis(), new.actor.parts());
            let interrupted = "UPDATE deployments SET alive_until = min(alive_until, ?2) WHERE tenant = ?1 AND outcome IS NULL";
            write.run(interrupted, params![new.tenant, now])?;
            let sql = "INSERT INTO deployments (tenant, target, git_ref, git_commit, actor_kind, actor_id, untested, undoes,
                                                changes, begun_at, alive_until)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10)";
            let NewDeployment { tenant, target, git_ref, commit, untested, undoes, .. } = new;
            write.run(
                sql,
                params![tenant, target, git_ref, commit, kind, id, untested, undoes, now, write.alive_until()],
            )?;
            let id = write.tx.last_insert_rowid();
            let changes = Changes::default()
                .field("deployment", (), id)
                .field("tenant", (), tenant.as_str())
                .field("commit", (), commit.clone());
            write.audit(&new.actor, Action::DeploymentBegun, None, changes)?;
            Ok(id)
        })
    }

    /// Keeps the plan of a running deployment and the state that it will change, and drops old ones.
    pub fn record_plan(&self, id: i64, changes: usize, plan: &str, before: &str) -> Result<()> {
        self.write(|write| {
            let number = i64::try_from(changes).unwrap_or(i64::MAX);
            write.run("UPDATE deployments SET changes = ?2 WHERE id = ?1", params![id, number])?;
            let sql = "INSERT OR REPLACE INTO deployment_records (deployment_id, plan, state_before) VALUES (?1, ?2, ?3)";
            write.run(sql, params![id, plan, before])?;
            write.run(
                "DELETE FROM deployment_records WHERE deployment_id IN (
                     SELECT id FROM deployments WHERE tenant = (SELECT tenant FROM deployments WHERE id = ?1)
                     ORDER BY id DESC LIMIT -1 OFFSET ?2)",
                params![id, RECORDS_KEPT],
            )?;
            Ok(())
        })
    }

    /// A sign of life, with a line for the log if there is one.
    pub fn log_deployment(&self, id: i64, line: Option<&str>) -> Result<()> {
        self.write(|write| {
            let sql = "UPDATE deployments SET alive_until = ?2 WHERE id = ?1 AND outcome IS NULL";
            write.run(sql, params![id, write.alive_until()])?;
            let Some(line) = line else { return Ok(()) };
            let line: String = line.chars().take(LINE_MAX).collect();
            let sql = "INSERT INTO deployment_log (deployment_id, number, at, line)
                       SELECT ?1, n, ?2, ?3 FROM (SELECT coalesce(max(number), 0) + 1 AS n FROM deployment_log
                                                  WHERE deployment_id = ?1)
                       WHERE n <= ?4";
            write.run(sql, params![id, write.now_millis(), line, LINES_MAX]).map(drop)
        })
    }

    /// Records the outcome: the state after it, or why it failed. A success that undoes another deployment marks that as
    /// rolled back.
    pub fn end_deployment(&self, id: i64, actor: &Actor, outcome: Result<&str, &str>) -> Result<()> {
        self.write(|write| {
            let (word, message) = match outcome {
                Ok(_) => ("applied", None),
                Err(message) => ("failed", Some(message.chars().take(LINE_MAX).collect::<String>())),
            };
            let sql = "UPDATE deployments SET outcome = ?2, message = ?3, ended_at = ?4 WHERE id = ?1 AND outcome IS NULL";
            if write.run(sql, params![id, word, message, write.now_millis()])? == 0 {
                return Ok(());
            }
            if let Ok(after) = outcome {
                write.run(
                    "UPDATE deployment_records SET state_after = ?2 WHERE deployment_id = ?1",
                    params![id, after],
                )?;
                write.run(
                    "UPDATE deployments SET outcome = 'rolled_back'
                     WHERE id = (SELECT undoes FROM deployments WHERE id = ?1) AND outcome = 'applied'",
                    [id],
                )?;
            }
            let changes = Changes::default().field("deployment", (), id).field("outcome", (), word);
            write.audit(actor, Action::DeploymentEnded, None, changes)
        })
    }

    /// What is kept of a deployment, unless it is too old.
    pub fn deployment_record(&self, id: i64) -> Result<Option<DeploymentRecord>> {
        let sql = "SELECT plan, state_before, state_after FROM deployment_records WHERE deployment_id = ?1";
        self.read(|connection| {
            first(connection, sql, [id], |row| {
                Ok(DeploymentRecord { plan: row.get(0)?, before: row.get(1)?, after: row.get(2)? })
            })
        })
    }

    /// The plan of a deployment as JSON, unless it is too old.
    pub fn deployment_plan(&self, id: i64) -> Result<Option<String>> {
        let sql = "SELECT plan FROM deployment_records WHERE deployment_id = ?1";
        self.read(|connection| value(connection, sql, [id]))
    }

    /// The log of a deployment.
    pub fn deployment_log(&self, id: i64) -> Result<Vec<LogLine>> {
        let sql = "SELECT at, line FROM deployment_log WHERE deployment_id = ?1 ORDER BY number";
        self.read(|connection| {
            all(connection, sql, [id], |row| Ok(LogLine { at: time(row, 0)?, line: row.get(1)? }))
        })
    }

    /// The commit of the newest deployment to a tenant that succeeded; `None` also when it had none.
    pub fn last_commit(&self, tenant: &str) -> Result<Option<String>> {
        let sql =
            "SELECT git_commit FROM deployments WHERE tenant = ?1 AND outcome IN ('applied', 'rolled_back')
                   ORDER BY id DESC LIMIT 1";
        self.read(|connection| value::<Option<String>>(connection, sql, [tenant])).map(Option::flatten)
    }

    /// The id of the newest deployment to a tenant that succeeded, rollbacks included.
    pub fn last_success(&self, tenant: &str) -> Result<Option<i64>> {
        let sql =
            "SELECT max(id) FROM deployments WHERE tenant = ?1 AND outcome IN ('applied', 'rolled_back')";
        self.read(|connection| value::<Option<i64>>(connection, sql, [tenant])).map(Option::flatten)
    }

    /// The id of the newest deployment to a tenant that changed it, or may have, and was not undone.
    pub fn last_to_undo(&self, tenant: &str) -> Result<Option<i64>> {
        let sql = "SELECT max(d.id) FROM deployments d JOIN deployment_records ON deployment_id = d.id
                   WHERE d.tenant = ?1 AND d.changes > 0 AND d.undoes IS NULL AND NOT EXISTS (
                       SELECT 1 FROM deployments u WHERE u.undoes = d.id AND u.outcome = 'applied')";
        self.read(|connection| value::<Option<i64>>(connection, sql, [tenant])).map(Option::flatten)
    }

    /// The hashes of the secrets that were deployed to a tenant, by script (`actions/NAME`) and name.
    pub fn deployed_secrets(&self, tenant: &str) -> Result<BTreeMap<(String, String), String>> {
        let sql = "SELECT script, name, hash FROM deployed_secrets WHERE tenant = ?1";
        let rows = self.read(|connection| {
            all(connection, sql, [tenant], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Replaces the hashes of a script's secrets, once the tenant has them.
    pub fn set_deployed_secrets(
        &self,
        tenant: &str,
        script: &str,
        hashes: &BTreeMap<String, String>,
    ) -> Result<()> {
        self.write(|write| {
            write.run("DELETE FROM deployed_secrets WHERE tenant = ?1 AND script = ?2", [tenant, script])?;
            let sql = "INSERT INTO deployed_secrets (tenant, script, name, hash) VALUES (?1, ?2, ?3, ?4)";
            hashes.iter().try_for_each(|(name, hash)| write.run(sql, [tenant, script, name, hash]).map(drop))
        })
    }
}

impl Write<'_> {
    fn alive_until(&self) -> i64 {
        self.now.saturating_add(ALIVE).unwrap_or(Timestamp::MAX).as_millisecond()
    }
}
