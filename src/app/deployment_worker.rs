//! Works off the requests for deployments: one task for each target, so that a target has one deployment at a time, and
//! targets do not wait for each other.
//!
//! waiting requests → the branch's history → the newest of them → its bundle → deployment → outcome. A request without an
//! outcome is tried again after a crash: the tenant then has what the interrupted deployment left, and a new one finishes it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::deploy::forge::{self, CommitState, ForgeError, History, Project};
use crate::deploy::{DeployError, Deployer, Options, Origin};
use crate::pool::{Pool, PoolError};
use crate::sqlite::DatabaseError;
use crate::store::{DeploymentRequest, NewDeployment, RequestOutcome, Store, StoreError};

/// How often to look for requests: a read by key.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The pause after an attempt that failed for a temporary reason; it doubles with each.
const MIN_PAUSE: Duration = Duration::from_secs(5);
/// The pause while another process deploys to the tenant.
const BUSY_PAUSE: Duration = Duration::from_secs(5);
/// How many attempts a request has.
const ATTEMPTS_MAX: u32 = 5;
/// How old a request may be, so that a restored backup does not deploy what was new when it was made.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Deploys to one target.
pub(super) struct DeploymentWorker {
    pub(super) project: Arc<Project>,
    pub(super) target: String,
    /// The target's tenant, as deployments record it.
    pub(super) tenant: String,
    pub(super) deployer: Deployer,
    pub(super) store: Store,
    /// Threads for deployments only: they take minutes.
    pub(super) pool: Pool,
    pub(super) clock: Clock,
}

/// How an attempt ended.
enum Attempt {
    Ended(RequestOutcome, String),
    /// Not deployed, and not recorded as a deployment yet.
    Refused(String),
    /// To be made again after a failure that may pass; whether that is recorded as a deployment.
    Failed(String, bool),
    /// To be made again, and not counted: another deployment to the target runs.
    Busy,
}

impl DeploymentWorker {
    /// Starts the task. Aborting it leaves its request for the next start.
    pub(super) fn start(self) -> JoinHandle<()> {
        tokio::spawn(async move {
            self.report_again().await;
            loop {
                tokio::time::sleep(self.step().await).await;
            }
        })
    }

    /// Reports the outcomes that the last run of this server could not.
    async fn report_again(&self) {
        let (store, target) = (self.store.clone(), self.target.clone());
        let since = self.clock.now().saturating_sub(AGE_MAX).unwrap_or(Timestamp::MIN);
        let unreported = match self.pool.run(move || store.unreported_deployments(&target, since)).await {
            Ok(Ok(unreported)) => unreported,
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                return tracing::warn!(error, "outcomes of deployments cannot be reported again");
            }
            Err(_) => return,
        };
        for (commit, outcome, message) in unreported {
            let state = match outcome.as_str() {
                "failed" => CommitState::Failed,
                "superseded" => CommitState::Canceled,
                _ => CommitState::Success,
            };
            self.report(&commit, state, &message);
        }
    }

    /// Makes an attempt if a request is due. Returns how long to wait before the next step.
    async fn step(&self) -> Duration {
        let error = match self.store.waiting_deployments(&self.target) {
            Err(StoreError::Database(DatabaseError::Closed)) => return POLL_INTERVAL,
            Err(error) => error,
            Ok(waiting) => match waiting.last() {
                Some(last) if last.due_at <= self.clock.now() => match self.work(last, &waiting).await {
                    Ok(()) => return Duration::ZERO,
                    Err(error) => error,
                },
                _ => return POLL_INTERVAL,
            },
        };
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a request for a deployment cannot be worked off"
        );
        MIN_PAUSE
    }

    async fn work(&self, last: &DeploymentRequest, waiting: &[DeploymentRequest]) -> Result<(), StoreError> {
        let id = last.id;
        let (deployer, target) = (self.deployer.clone(), self.target.clone());
        if matches!(self.pool.run(move || deployer.ensure_free(&target)).await, Ok(Err(DeployError::Busy(_))))
        {
            // Before anything is fetched. No attempt has begun, so none is given back.
            return self.with_store(move |store| store.postpone_deployment(id, BUSY_PAUSE, true)).await;
        }
        self.with_store(move |store| store.begin_deployment_attempt(id)).await?;
        let (project, branch) = (Arc::clone(&self.project), last.branch.clone());
        let history = async move { forge::history(project.settings(), &branch).await };
        let history = match self.read(history).await {
            Ok(history) => history,
            Err(attempt) => return self.conclude(last, attempt).await,
        };
        let commits: Vec<&str> = waiting.iter().map(|request| request.commit.as_str()).collect();
        let newest = history.newest(&commits).filter(|_| !last.forced).and_then(|newest| waiting.get(newest));
        let request = newest.unwrap_or(last);
        if request.id != last.id {
            // The attempt is this one's too: it is given back or ended below.
            let id = request.id;
            self.with_store(move |store| store.begin_deployment_attempt(id)).await?;
        }
        for other in waiting.iter().filter(|other| other.id != request.id) {
            let message = format!("commit {} is deployed instead", short(&request.commit));
            let (id, shown) = (other.id, message.clone());
            let end =
                move |store: &Store| store.end_deployment_request(id, RequestOutcome::Superseded, &message);
            self.with_store(end).await?;
            self.report(&other.commit, CommitState::Canceled, &shown);
        }
        let attempt = match self.refusal(request, &history).await? {
            Some(attempt) => attempt,
            None => self.deploy(request).await,
        };
        self.conclude(request, attempt).await
    }

    /// Why the request's commit is not to be deployed, if it is not.
    async fn refusal(
        &self,
        request: &DeploymentRequest,
        history: &History,
    ) -> Result<Option<Attempt>, StoreError> {
        let DeploymentRequest { commit, branch, .. } = request;
        let refused = |why: String| Ok(Some(Attempt::Refused(why)));
        if self.project.branch_of(&self.target) != Some(branch) {
            return refused(format!("{} does not follow the branch {branch} any more", self.target));
        }
        if self.clock.now().duration_since(request.received_at) > AGE_MAX {
            return refused("the request waited for over a day; push again".to_owned());
        }
        if request.attempts >= ATTEMPTS_MAX {
            return refused(format!("given up after {ATTEMPTS_MAX} attempts; the log has the reasons"));
        }
        if !history.contains(commit) {
            let (commit, branch) = (short(commit).to_owned(), branch.clone());
            return refused(ForgeError::NotOnBranch { commit, branch }.to_string());
        }
        let tenant = self.tenant.clone();
        Ok(match self.with_store(move |store| store.last_commit(&tenant)).await? {
            Some(deployed) if !request.forced && deployed == *commit => {
                Some(Attempt::Ended(RequestOutcome::Unchanged, "this commit was deployed before".to_owned()))
            }
            Some(deployed) if !request.forced && history.is_older(commit, &deployed) => {
                let deployed = short(&deployed);
                Some(Attempt::Refused(format!(
                    "it is older than the deployed commit {deployed}; force it, or roll back"
                )))
            }
            _ => None,
        })
    }

    async fn deploy(&self, request: &DeploymentRequest) -> Attempt {
        self.report(&request.commit, CommitState::Running, "Tests, plans and applies");
        let Ok(commit) = request.commit.parse() else {
            return Attempt::Refused("the commit id is invalid".to_owned());
        };
        let project = Arc::clone(&self.project);
        let checkout = async move { forge::checkout(project.settings(), commit).await };
        let checkout = match self.read(checkout).await {
            Ok(checkout) => checkout,
            Err(attempt) => return attempt,
        };
        let origin = Origin {
            actor: request.actor.clone(),
            git_ref: Some(request.branch.clone()),
            commit: Some(request.commit.clone()),
        };
        let (deployer, target) = (self.deployer.clone(), self.target.clone());
        let deployed = self
            .pool
            .run(move || {
                deployer.apply(&target, &checkout.bundle(), &origin, Options::default(), None, &|_| {})
            })
            .await;
        match deployed {
            Ok(Ok(deployment)) => {
                let changes = deployment.planned_changes;
                let message = format!("deployment {}: {changes} changes", deployment.id);
                Attempt::Ended(RequestOutcome::Deployed, message)
            }
            // Counted as an attempt: a panic may be repeated by every one of them.
            Err(PoolError::Panicked) => {
                Attempt::Failed("the deployment ended unexpectedly; see the log".to_owned(), true)
            }
            Ok(Err(DeployError::Busy(_))) | Err(_) => Attempt::Busy,
            Ok(Err(error)) if error.is_temporary() => Attempt::Failed(error.to_string(), true),
            Ok(Err(error)) => Attempt::Ended(RequestOutcome::Failed, error.to_string()),
        }
    }

    /// Reads from the forge on a thread of the pool, since writing files blocks. Ends git when this future is dropped.
    async fn read<T: Send + 'static>(
        &self,
        reading: impl Future<Output = Result<T, ForgeError>> + Send + 'static,
    ) -> Result<T, Attempt> {
        let (_waits, gone) = oneshot::channel::<()>();
        let runtime = Handle::current();
        let job = move || {
            runtime.block_on(async {
                tokio::select! {
                    outcome = reading => Some(outcome),
                    _ = gone => None,
                }
            })
        };
        match self.pool.run(job).await {
            Ok(Some(Ok(value))) => Ok(value),
            Ok(Some(Err(error))) => Err(of_forge(error)),
            Err(PoolError::Panicked) => {
                Err(Attempt::Failed("reading the commit ended unexpectedly; see the log".to_owned(), false))
            }
            Ok(None) | Err(_) => Err(Attempt::Busy),
        }
    }

    /// Records how an attempt ended.
    async fn conclude(&self, request: &DeploymentRequest, attempt: Attempt) -> Result<(), StoreError> {
        let (id, attempts) = (request.id, request.attempts.saturating_add(1));
        let (outcome, message, is_recorded) = match attempt {
            Attempt::Busy => {
                return self.with_store(move |store| store.postpone_deployment(id, BUSY_PAUSE, false)).await;
            }
            Attempt::Failed(error, _) if attempts < ATTEMPTS_MAX => {
                tracing::warn!(error, deploys_to = self.target, "a deployment failed and is tried again");
                let pause = MIN_PAUSE.saturating_mul(2_u32.saturating_pow(request.attempts));
                return self.with_store(move |store| store.postpone_deployment(id, pause, true)).await;
            }
            Attempt::Failed(error, is_recorded) => (RequestOutcome::Failed, error, is_recorded),
            Attempt::Refused(why) => (RequestOutcome::Failed, why, false),
            Attempt::Ended(outcome, message) => (outcome, message, true),
        };
        let commit = &request.commit;
        tracing::info!(
            deploys_to = self.target,
            commit,
            ?outcome,
            message,
            "a request for a deployment ended"
        );
        let state =
            if outcome == RequestOutcome::Failed { CommitState::Failed } else { CommitState::Success };
        let shown = message.clone();
        if is_recorded {
            self.with_store(move |store| store.end_deployment_request(id, outcome, &message)).await?;
        } else {
            let failed = NewDeployment {
                tenant: self.tenant.clone(),
                target: self.target.clone(),
                git_ref: Some(request.branch.clone()),
                commit: Some(request.commit.clone()),
                actor: request.actor.clone(),
                untested: false,
                undoes: None,
            };
            self.with_store(move |store| store.fail_deployment_request(id, &failed, &message)).await?;
        }
        self.report(commit, state, &shown);
        Ok(())
    }

    fn report(&self, commit: &str, state: CommitState, message: &str) {
        if let Ok(commit) = commit.parse() {
            self.project.report(&self.target, &commit, state, message.replace('\n', " "));
        }
    }

    async fn with_store<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        self.pool.run(move || job(&store)).await.unwrap_or(Err(StoreError::Database(DatabaseError::Closed)))
    }
}

fn of_forge(error: ForgeError) -> Attempt {
    if let ForgeError::Git { what, message } = &error {
        tracing::warn!(command = what, message, "git failed");
    }
    if error.is_passing() {
        Attempt::Failed(error.to_string(), false)
    } else {
        Attempt::Refused(error.to_string())
    }
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
