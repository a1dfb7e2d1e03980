//! Deployments by webhooks, callers and CI jobs: the routes at the internal door, and the tasks behind them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::commit_statuses;
use super::deployment_worker::DeploymentWorker;
use super::script_tests::ScriptTests;
use crate::api::{self, CiTokens, Services};
use crate::auth::{ClaimsSettings, DoorRules, Keys, Need, Policy};
use crate::auth0::{Auth0, Issuer, Settings};
use crate::clock::Clock;
use crate::config::Config;
use crate::deploy::Deployer;
use crate::deploy::forge::{Project, Reporter};
use crate::pool::{self, Pool};
use crate::scope::{self, Permissions};
use crate::script::WorkerCommand;

/// What serves the configured project.
#[derive(Debug)]
pub(super) struct Deployments {
    tasks: Vec<JoinHandle<()>>,
    pool: Pool,
    ci_keys: Option<Keys>,
}

impl Deployments {
    /// Starts the tasks, and returns the routes; `None` unless `forge.project` is set. `worker` starts the process that runs
    /// scripts.
    pub(super) fn start(
        config: &Config,
        services: &Services,
        worker: WorkerCommand,
        clock: &Clock,
    ) -> anyhow::Result<Option<(Self, BoxedFilter<(Response,)>)>> {
        let with_branch =
            config.targets.iter().filter_map(|(name, target)| Some((name.clone(), target.branch.clone()?)));
        let branches: BTreeMap<String, String> = with_branch.collect();
        let Some((project, statuses)) = Project::new(&config.forge, branches) else { return Ok(None) };
        if project.verifier().is_none() {
            let kind = config.forge.kind.as_str();
            tracing::warn!(
                "POST /webhooks/{kind} does not exist: neither forge.signing_token nor forge.webhook_token is set"
            );
        }
        let project = Arc::new(project);
        // A deployment and a change of its request for each target, and a status.
        let threads = project.targets().count().saturating_add(1);
        let pool = Pool::start(&pool::Settings { threads, queue: threads.saturating_mul(2) })
            .context("cannot start the threads for deployments")?;
        let ci = ci_tokens(config, services, &pool, clock)?;
        let ci_keys = ci.as_ref().map(|ci| ci.keys.clone());
        let need = Need { permissions: Permissions::from_scope(scope::DEPLOY_WRITE), anonymous: false };
        let rules = DoorRules::new(Policy::new(&config.claims, &config.internal.audience), need);
        let routes = api::webhooks(services, &project)
            .or(api::deployment_requests(services, &project, rules, ci))
            .unify()
            .boxed();
        let reporter = Reporter::new(&config.forge)?;
        let store = services.store.in_background();
        let mut tasks = vec![commit_statuses::start(statuses, reporter, store.clone(), pool.clone())];
        let tests = ScriptTests::for_deployments(config, worker, Handle::current());
        let deployer =
            Deployer::new(store.clone(), &config.store.path, config.targets.clone(), tests, clock.clone());
        for target in project.targets() {
            let Some(settings) = config.targets.get(target) else { continue };
            let worker = DeploymentWorker {
                project: Arc::clone(&project),
                target: target.to_owned(),
                tenant: settings.url(),
                deployer: deployer.clone(),
                store: store.clone(),
                pool: pool.clone(),
                clock: clock.clone(),
            };
            tasks.push(worker.start());
        }
        Ok(Some((Self { tasks, pool, ci_keys }, routes)))
    }

    /// Ends the tasks, and waits at most `drain` for running deployments. One that is not over then is finished by the next
    /// start.
    pub(super) async fn stop(self, drain: Duration) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Some(keys) = &self.ci_keys {
            keys.stop().await;
        }
        drop(tokio::time::timeout(drain, self.pool.stop()).await);
    }
}

/// The keys and the policy for CI ID tokens. They are no access tokens of a tenant, so no door shares them.
fn ci_tokens(
    config: &Config,
    services: &Services,
    pool: &Pool,
    clock: &Clock,
) -> anyhow::Result<Option<CiTokens>> {
    let (Some(issuer), Some(audience)) = (&config.forge.ci_issuer, &config.forge.ci_audience) else {
        return Ok(None);
    };
    // What GitLab and GitHub sign with.
    let claims = ClaimsSettings { algorithms: vec!["RS256".to_owned()], ..config.claims.clone() };
    let forge = Auth0::new(
        &Settings { ca_file: config.forge.ca_file.clone(), ..config.auth0.clone() },
        clock.clone(),
    )?;
    let issuers = vec![Issuer { issuer: issuer.clone(), jwks_uri: None, same_users: false }];
    let keys = Keys::start(
        issuers,
        claims.allowed(),
        claims.keys_max_age,
        (forge, services.store.in_background(), pool.clone(), clock.clone()),
    );
    let need = Need { permissions: Permissions::default(), anonymous: false };
    Ok(Some(CiTokens { keys, rules: DoorRules::new(Policy::new(&claims, audience), need) }))
}
