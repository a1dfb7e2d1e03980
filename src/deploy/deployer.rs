//! Plans, deployments, rollbacks and drift: what the command line and the webhooks call.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::apply::Applier;
use super::check::{BundleTests, check_bundle};
use super::connection::Connection;
use super::desired::Desired;
use super::error::DeployError;
use super::plan::Plan;
use super::planner::Planner;
use super::read::tenant_state;
use super::secrets::SecretHashes;
use super::settings::TargetSettings;
use super::state::State;
use crate::clock::Clock;
use crate::store::{Actor, Deployment, NewDeployment, Store};

/// Deploys to the configured targets. Cheap to clone. Every call blocks, some for minutes: call it from a thread of its own,
/// never from one that runs async tasks.
#[derive(Clone)]
pub struct Deployer {
    store: Store,
    database: PathBuf,
    targets: BTreeMap<String, TargetSettings>,
    tests: BundleTests,
    clock: Clock,
}

/// Where a deployment comes from.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in `Deployment`")]
pub struct Origin {
    pub actor: Actor,
    pub git_ref: Option<String>,
    pub commit: Option<String>,
}

/// How to deploy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Delete what the bundle has not, of the kinds that it has.
    pub prune: bool,
    /// Deploy without the bundle's tests. It is recorded.
    pub skip_tests: bool,
}

/// How far a deployment is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress<'a> {
    /// It has its id.
    Begun(i64),
    /// It makes this change, of so many.
    Change(usize, usize, &'a str),
    /// A line of its log.
    Line(&'a str),
}

/// What is deployed.
enum Source<'a> {
    Bundle(&'a Path),
    /// The state before this deployment.
    Before(i64),
}

impl Deployer {
    /// A deployer to `targets`. `database` is the store's file: locks are beside it. `tests` run before each bundle is deployed.
    pub fn new(
        store: Store,
        database: &Path,
        targets: BTreeMap<String, TargetSettings>,
        tests: BundleTests,
        clock: Clock,
    ) -> Self {
        Self { store, database: database.to_owned(), targets, tests, clock }
    }

    /// What a deployment of the bundle would change. Changes nothing, and is not recorded.
    ///
    /// # Errors
    /// See [`DeployError`].
    pub fn plan(&self, target: &str, bundle: &Path, options: Options) -> Result<Plan, DeployError> {
        self.plan_of(target, &Source::Bundle(bundle), options)
    }

    /// Deploys the bundle: tests, plan, changes, checks. With `approved`, only if that is the plan still.
    ///
    /// Whatever happens after its first step is recorded. After an interruption, the same call goes on from what is there.
    ///
    /// # Errors
    /// See [`DeployError`]; [`DeployError::Busy`] while another deployment to the target runs.
    pub fn apply(
        &self,
        target: &str,
        bundle: &Path,
        origin: &Origin,
        options: Options,
        approved: Option<&Plan>,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<Deployment, DeployError> {
        self.deploy(target, &Source::Bundle(bundle), origin, options, approved, progress)
    }

    /// What a rollback of a deployment would change.
    ///
    /// # Errors
    /// See [`DeployError`].
    pub fn plan_rollback(
        &self,
        target: &str,
        deployment: i64,
        options: Options,
    ) -> Result<Plan, DeployError> {
        self.plan_of(target, &Source::Before(deployment), options)
    }

    /// Restores the state that a deployment found. It is a deployment of its own.
    ///
    /// # Errors
    /// See [`DeployError`].
    pub fn rollback(
        &self,
        target: &str,
        deployment: i64,
        origin: &Origin,
        options: Options,
        approved: Option<&Plan>,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<Deployment, DeployError> {
        self.deploy(target, &Source::Before(deployment), origin, options, approved, progress)
    }

    /// What was changed at the tenant since the last deployment to it, and the id of that.
    ///
    /// # Errors
    /// See [`DeployError`].
    pub fn drift(&self, target: &str) -> Result<(i64, Plan), DeployError> {
        let settings = self.settings(target)?;
        let none = || DeployError::NoDeployment(format!("nothing was deployed to {target} from here yet"));
        let last = self.store.last_success(&settings.url())?.ok_or_else(none)?;
        let record = self.store.deployment_record(last)?.and_then(|record| record.after).ok_or_else(none)?;
        let deployed: State = serde_json::from_str(&record).map_err(|_| DeployError::Record(last))?;
        let tenant = Connection::open(target, settings, &self.clock, &|_| Ok(()))?;
        let triggers = deployed.bindings.keys().cloned().collect();
        let now = Desired::of_record(tenant_state(&tenant, &deployed.kinds, &triggers, false)?);
        let hashes = SecretHashes::read(&self.store, settings)?;
        let planner = Planner {
            desired: &now,
            current: &deployed,
            hashes: &hashes,
            prune: true,
            client_id: "",
            exact_versions: true,
            labels: ("deployed", "tenant"),
        };
        let (target, tenant) = (target.to_owned(), settings.url());
        let changes = planner.changes()?;
        Ok((last, Plan { target, tenant, changes, not_in_bundle: Vec::new(), notices: Vec::new() }))
    }

    /// The newest deployment to a target that can be rolled back.
    ///
    /// # Errors
    /// See [`DeployError`].
    pub fn last_to_undo(&self, target: &str) -> Result<i64, DeployError> {
        let none = || DeployError::NoDeployment(format!("there is no deployment to {target} to roll back"));
        self.store.last_to_undo(&self.settings(target)?.url())?.ok_or_else(none)
    }

    fn deploy(
        &self,
        target: &str,
        source: &Source<'_>,
        origin: &Origin,
        options: Options,
        approved: Option<&Plan>,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<Deployment, DeployError> {
        let settings = self.settings(target)?;
        let _lock = self.lock(target)?;
        let undoes = match source {
            Source::Bundle(_) => None,
            Source::Before(deployment) => Some(*deployment),
        };
        let id = self.store.begin_deployment(&NewDeployment {
            tenant: settings.url(),
            target: target.to_owned(),
            git_ref: origin.git_ref.clone(),
            commit: origin.commit.clone(),
            actor: origin.actor.clone(),
            untested: options.skip_tests && undoes.is_none(),
            undoes,
        })?;
        progress(Progress::Begun(id));
        let log = |line: Option<&str>| {
            if let Some(line) = line {
                progress(Progress::Line(line));
            }
            Ok(self.store.log_deployment(id, line)?)
        };
        let run = Run { deployer: self, target, settings, id, options, approved, progress, log: &log };
        let outcome = run.run(source);
        let outcome = match &outcome {
            Ok(after) => self.store.end_deployment(id, &origin.actor, Ok(after)).map_err(DeployError::from),
            Err(error) => {
                let text = error.to_string();
                let recorded = log(Some(&text)).and_then(|()| {
                    Ok(self.store.end_deployment(id, &origin.actor, Err(&text.replace('\n', " ")))?)
                });
                recorded.and(outcome.map(drop))
            }
        };
        outcome?;
        self.store.deployment(id)?.ok_or(DeployError::Record(id))
    }

    fn settings(&self, target: &str) -> Result<&TargetSettings, DeployError> {
        self.targets.get(target).ok_or_else(|| {
            let known: Vec<&str> = self.targets.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            DeployError::NoTarget { name: target.to_owned(), known }
        })
    }

    /// The state before a deployment to this target.
    fn before(&self, target: &str, deployment: i64) -> Result<Desired, DeployError> {
        let url = self.settings(target)?.url();
        let is_ours = self.store.deployment(deployment)?.is_some_and(|deployment| deployment.tenant == url);
        let record = self.store.deployment_record(deployment)?.filter(|_| is_ours);
        let none = || {
            DeployError::NoDeployment(format!(
                "deployment {deployment} to {target} has no record of the state before"
            ))
        };
        let state = serde_json::from_str(&record.ok_or_else(none)?.before);
        state.map(Desired::of_record).map_err(|_| DeployError::Record(deployment))
    }

    /// Fails while another deployment to the target runs.
    ///
    /// # Errors
    /// [`DeployError::Busy`], and [`DeployError::Lock`].
    pub fn ensure_free(&self, target: &str) -> Result<(), DeployError> {
        self.lock(target).map(drop)
    }

    fn desired(&self, target: &str, source: &Source<'_>) -> Result<Desired, DeployError> {
        match source {
            Source::Bundle(bundle) => Desired::of_bundle(bundle, target, self.settings(target)?),
            Source::Before(deployment) => self.before(target, *deployment),
        }
    }

    fn plan_of(&self, target: &str, source: &Source<'_>, options: Options) -> Result<Plan, DeployError> {
        let (settings, desired) = (self.settings(target)?, self.desired(target, source)?);
        let tenant = Connection::open(target, settings, &self.clock, &|_| Ok(()))?;
        let current = tenant_state(&tenant, &desired.kinds, &desired.triggers(), desired.uses_modules())?;
        let hashes = SecretHashes::read(&self.store, settings)?;
        self.planned(target, &desired, &current, &hashes, options.prune)
    }

    fn planned(
        &self,
        target: &str,
        desired: &Desired,
        current: &State,
        hashes: &SecretHashes,
        prune: bool,
    ) -> Result<Plan, DeployError> {
        let settings = self.settings(target)?;
        let planner = planner(desired, current, hashes, settings, prune);
        Ok(Plan {
            target: target.to_owned(),
            tenant: settings.url(),
            changes: planner.changes()?,
            not_in_bundle: if prune { Vec::new() } else { planner.not_in_bundle() },
            notices: desired.notices.clone(),
        })
    }

    /// The lock of a target between processes: the system releases it when the process ends, however it ends.
    fn lock(&self, target: &str) -> Result<File, DeployError> {
        let mut path = self.database.clone().into_os_string();
        path.push(format!(".deploy-{target}.lock"));
        let path = PathBuf::from(path);
        let failed = |source| DeployError::Lock { path: path.clone(), source };
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(DeployError::Busy(target.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

/// One running deployment.
struct Run<'a> {
    deployer: &'a Deployer,
    target: &'a str,
    settings: &'a TargetSettings,
    id: i64,
    options: Options,
    approved: Option<&'a Plan>,
    progress: &'a dyn Fn(Progress<'_>),
    log: &'a dyn Fn(Option<&str>) -> Result<(), DeployError>,
}

impl Run<'_> {
    /// Returns the state after it.
    fn run(&self, source: &Source<'_>) -> Result<String, DeployError> {
        let desired = self.deployer.desired(self.target, source)?;
        if let Source::Bundle(bundle) = source {
            self.test(&desired, bundle)?;
        }
        let Deployer { store, clock, .. } = self.deployer;
        let tenant = Connection::open(self.target, self.settings, clock, self.log)?;
        let current = tenant_state(&tenant, &desired.kinds, &desired.triggers(), desired.uses_modules())?;
        let hashes = SecretHashes::read(store, self.settings)?;
        let plan = self.deployer.planned(self.target, &desired, &current, &hashes, self.options.prune)?;
        if self.approved.is_some_and(|approved| *approved != plan) {
            return Err(DeployError::PlanChanged);
        }
        let total = plan.changes.len();
        store.record_plan(self.id, total, &json(&plan), &json(&current))?;
        let url = self.settings.url();
        let mut applier =
            Applier { tenant: &tenant, desired: &desired, current, hashes: &hashes, store, url: &url };
        for (number, change) in plan.changes.iter().enumerate() {
            let title = change.title();
            (self.progress)(Progress::Change(number.saturating_add(1), total, &title));
            (self.log)(Some(&title))?;
            applier.apply(change)?;
        }
        self.verify(&tenant, &desired)
    }

    fn test(&self, desired: &Desired, bundle: &Path) -> Result<(), DeployError> {
        if self.options.skip_tests {
            return (self.log)(Some("tests skipped"));
        }
        let compiled = check_bundle(desired).map_err(DeployError::TestsFailed)?;
        let passed = (self.deployer.tests)(bundle, &self.settings.keywords).map_err(|failures| {
            DeployError::TestsFailed(failures.iter().map(|line| desired.redacted(line)).collect())
        })?;
        (self.log)(Some(&format!("tests passed; scripts that compile: {compiled}, cases: {passed}")))
    }

    /// Reads the tenant once more: nothing may be left to change.
    fn verify(&self, tenant: &Connection<'_>, desired: &Desired) -> Result<String, DeployError> {
        let after = tenant_state(tenant, &desired.kinds, &desired.triggers(), desired.uses_modules())?;
        let hashes = SecretHashes::read(&self.deployer.store, self.settings)?;
        let planner = planner(desired, &after, &hashes, self.settings, self.options.prune);
        let left = Planner { exact_versions: false, ..planner }.changes()?;
        match left.first() {
            None => Ok(json(&after)),
            Some(change) => {
                let problem = format!("left to do: {}", change.title());
                Err(DeployError::NotAsDeployed { what: format!("the tenant {}", self.target), problem })
            }
        }
    }
}

fn planner<'a>(
    desired: &'a Desired,
    current: &'a State,
    hashes: &'a SecretHashes,
    settings: &'a TargetSettings,
    prune: bool,
) -> Planner<'a> {
    Planner {
        desired,
        current,
        hashes,
        prune,
        client_id: settings.client_id.as_deref().unwrap_or_default(),
        exact_versions: true,
        labels: ("tenant", if desired.is_record { "record" } else { "bundle" }),
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
