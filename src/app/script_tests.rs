//! The test cases of a bundle's scripts, in a dev tenant of their own that no port serves and that is gone afterwards.

use std::fmt::Display;
use std::sync::Arc;

use anyhow::Context;
use futures_util::StreamExt;
use futures_util::stream;
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::DevTenant;
use crate::bundle::Bundle;
use crate::clock::Clock;
use crate::config::Config;
use crate::deploy::BundleTests;
use crate::pool::Pool;
use crate::script::{ScriptRunner, WorkerCommand};
use crate::tenant::testing::{
    Case, CaseFile, CaseResult, SubjectNames, failures, log_in, read_cases, run_case,
};
use crate::tenant::{Settings as TenantSettings, Tenant};

/// Runs test cases.
pub struct ScriptTests {
    tenant: Tenant,
    runner: ScriptRunner,
    pool: Pool,
    at_once: usize,
    // Removed when the tests are dropped.
    _state: TempDir,
}

impl ScriptTests {
    /// Reads the configured bundle into a tenant of its own. `worker` starts the process that runs scripts.
    ///
    /// # Errors
    /// When the bundle cannot be read, or the tenant not be opened.
    pub async fn open(config: &Config, worker: WorkerCommand) -> anyhow::Result<Self> {
        let state = tempfile::tempdir().context("cannot create a temporary folder")?;
        let issuer = "http://localhost:4002/";
        let bundle = DevTenant::bundle(config, issuer, issuer, config.internal.listen)?;
        // Of a login; test cases have answers of their own.
        let allowed = DevTenant::allowed_origins(config, issuer, issuer, config.internal.listen)?;
        let pool = Pool::start(&config.pool).context("cannot start the pool's threads")?;
        let runner = ScriptRunner::new(&config.script, worker, allowed, pool.clone())
            .with_packages(&config.tenant.bundle);
        let settings = TenantSettings { data: state.path().join("tenant.db"), ..config.tenant.clone() };
        // Test cases have a runner of their own.
        let opened = Tenant::open(&settings, issuer, bundle, runner.traced(), pool.clone(), Clock::system());
        let tenant = match opened {
            Ok(tenant) => tenant,
            Err(error) => {
                // Its threads end in no other way.
                pool.stop().await;
                return Err(error).context("cannot open a tenant for the tests");
            }
        };
        Ok(Self { tenant, runner, pool, at_once: config.script.workers.max(1), _state: state })
    }

    /// The result of each case, in the order of the files and their cases: an error is a case that cannot run.
    pub async fn run<'a>(
        &self,
        files: &'a [CaseFile],
        with_coverage: bool,
    ) -> Vec<(&'a CaseFile, &'a Case, Result<CaseResult, String>)> {
        let cases = files.iter().flat_map(|file| file.cases.iter().map(move |case| (file, case)));
        let results = cases.map(|(file, case)| async move {
            (file, case, run_case(&self.tenant, &self.runner, &file.script, case, with_coverage).await)
        });
        stream::iter(results).buffered(self.at_once).collect().await
    }

    /// Logs a person in, and returns the story as the login log has it.
    ///
    /// # Errors
    /// A sentence when there is no such person, client, API or organization.
    pub async fn log_in(&self, names: &SubjectNames<'_>) -> Result<serde_json::Value, String> {
        log_in(&self.tenant, names).await
    }

    /// The test cases of a bundle, for deployments.
    pub fn for_deployments(config: &Config, worker: WorkerCommand, runtime: Handle) -> BundleTests {
        let config = config.clone();
        Arc::new(move |bundle, keywords| {
            let failed = |error: &dyn Display| vec![error.to_string()];
            let mut config = config.clone();
            config.tenant.bundle = bundle.to_owned();
            config.tenant.keywords.extend(Bundle::own_keywords(bundle).map_err(|error| failed(&error))?);
            config.tenant.keywords.extend(keywords.clone());
            let files = read_cases(bundle).map_err(|error| failed(&error))?;
            if files.is_empty() {
                return Ok(0);
            }
            let results = runtime.block_on(async {
                let tests = Self::open(&config, worker.clone()).await?;
                let results = tests.run(&files, false).await;
                tests.stop().await;
                anyhow::Ok(results)
            });
            let results = results.map_err(|error| vec![format!("{error:#}")])?;
            let found: Vec<_> = results
                .iter()
                .flat_map(|(file, case, result)| {
                    failures(result).iter().map(move |line| format!("{}: {}: {line}", file.script, case.name))
                })
                .collect();
            if found.is_empty() { Ok(results.len()) } else { Err(found) }
        })
    }

    /// Ends the processes and threads.
    pub async fn stop(self) {
        self.runner.stop().await;
        self.pool.stop().await;
    }
}
