//! The host: gets a worker for a login, enforces the time limit, and interprets the result.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use url::Origin;

use super::action::Trigger;
use super::action_cache::ActionCache;
use super::action_run::{ActionsInput, ActionsOutput, Outcome, Resume};
use super::effects::{Effects, Suspension};
use super::fetch::Fetcher;
use super::ipc::{self, Run, Scripts, TO_WORKER_LIMIT, ToWorker, Verdict};
use super::login::{Denied, DenyReason, LoginInput, LoginOutput, MetadataWriter};
use super::packages::Packages;
use super::process::Worker;
use super::settings::Settings;
use super::stubs::Stubs;
use super::trace::Trace;
use super::worker_pool::{WorkerCommand, WorkerPool, denied, stopped};
use super::worker_run::{ApiHandler, CallHandler, RunLog};
use crate::bundle::Rule;
use crate::clock::Clock;
use crate::pool::Pool;

/// How long after the time limit a worker may report the timeout itself, before it is killed. Such a worker can exit
/// cleanly; a hanging one cannot.
const GRACE: Duration = Duration::from_millis(50);

/// Runs rules and actions. Cheap to clone; clones share the workers.
///
/// Workers are started when first needed, and kept. Dropping the last clone kills them.
#[derive(Clone)]
pub struct ScriptRunner {
    shared: Arc<Shared>,
    /// Of a test: the answers to its requests, in place of the network.
    stubs: Option<Arc<Stubs>>,
    is_traced: bool,
}

struct Shared {
    workers: WorkerPool,
    time: Duration,
    fetcher: Fetcher,
    packages: Packages,
    clock: Clock,
    /// `api.cache` of each trigger.
    caches: BTreeMap<Trigger, Mutex<ActionCache>>,
    stopping: watch::Sender<bool>,
}

impl ScriptRunner {
    /// Creates a runner without starting a worker.
    ///
    /// `allow_fetch` lists the only origins that scripts may call ([`parse_origin`](super::parse_origin) reads one).
    /// `pool` runs their fetches and metadata updates. Use a separate pool when a script may call a server in this
    /// process: if the response needs a thread of the same pool, both wait for each other.
    pub fn new(settings: &Settings, worker: WorkerCommand, allow_fetch: Vec<Origin>, pool: Pool) -> Self {
        let fetcher = Fetcher::new(allow_fetch, settings.fetch_timeout, pool);
        let shared = Arc::new(Shared {
            workers: WorkerPool::new(settings, worker),
            time: settings.time,
            fetcher,
            packages: Packages::new(Path::new("")),
            clock: Clock::system(),
            caches: Trigger::all().map(|trigger| (trigger, Mutex::default())).collect(),
            stopping: watch::Sender::new(false),
        });
        Self { shared, stubs: None, is_traced: false }
    }

    /// The same workers for one run of a test: `stubs` answer its requests, and nothing of an earlier run is seen.
    pub fn with_stubs(&self, stubs: Arc<Stubs>) -> Self {
        Self { shared: Arc::clone(&self.shared), stubs: Some(stubs), is_traced: self.is_traced }
    }

    /// The same workers, which also record what scripts read and change. It makes them slower.
    pub fn traced(&self) -> Self {
        Self { is_traced: true, ..self.clone() }
    }

    /// Lets scripts use the npm packages installed in the folder of their bundle. Call it before the runner is cloned.
    #[must_use]
    pub fn with_packages(mut self, bundle: &Path) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.packages = Packages::new(bundle);
        }
        self
    }

    /// Runs the enabled rules in order, each with the `user` and `context` that the one before called back with.
    ///
    /// Waits at most a little more than `script.time` for a worker, then runs for at most `script.time`. Dropping the
    /// future kills its worker.
    ///
    /// # Errors
    /// [`Denied`] unless every rule called back cleanly, in time and within its memory.
    pub async fn run_rules(
        &self,
        rules: &[Rule],
        login: LoginInput,
        metadata_writer: MetadataWriter,
    ) -> Result<LoginOutput, Denied> {
        let mut enabled: Vec<Rule> = rules.iter().filter(|rule| rule.enabled).cloned().collect();
        enabled.sort_by_key(|rule| rule.order);
        if enabled.is_empty() {
            let LoginInput { user, context, .. } = login;
            return Ok(LoginOutput { user, context, trace: Trace::default() });
        }
        let user_id = login.user.get("user_id").cloned();
        let scripts = Scripts::Rules { rules: enabled, input: login };
        let accept = |verdict, log: &RunLog| match verdict {
            // The prelude checks this too, but rules can modify the prelude's built-ins.
            Verdict::Done { user, .. } if user.get("user_id") != user_id.as_ref() => {
                Err(Denied::new(log.current(), DenyReason::Failed, "it called back with another user_id"))
            }
            Verdict::Done { user, context } => Ok((user, context)),
            _ => Err(protocol_error(log)),
        };
        let ((user, context), trace, _) = self.run(scripts, Some(&metadata_writer), None, accept).await?;
        Ok(LoginOutput { user, context, trace })
    }

    /// Runs a trigger's actions in order, each with its own copy of `event`. Stops at the first that denies or suspends.
    ///
    /// Waits and runs as long as [`run_rules`](Self::run_rules). Dropping the future kills its worker. `api.cache` lasts as
    /// long as the runner.
    ///
    /// # Errors
    /// [`Denied`] when an action threw, exports no handler for the trigger, did not end in time or within its memory.
    pub async fn run_actions(&self, input: ActionsInput) -> Result<ActionsOutput, Denied> {
        let (trigger, resume, count) = (input.trigger, input.resume, input.actions.len());
        if resume.map_or(0, |resume| resume.action) >= count {
            let effects = Effects { suspension: None, ..input.effects };
            return Ok(ActionsOutput { outcome: Outcome::Finished, effects, trace: Trace::default() });
        }
        let own = Mutex::default();
        let kept = if self.stubs.is_some() { Some(&own) } else { self.shared.caches.get(&trigger) };
        let Some(cache) = kept else { return Err(stopped()) };
        let api = ApiHandler { trigger, resume, cache };
        let input = ActionsInput { effects: Effects { suspension: None, ..input.effects }, ..input };
        let cache = cache.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let scripts = Scripts::Actions { input: Box::new(input), cache };
        let accept = |verdict, log: &RunLog| match (verdict, log.index()) {
            (Verdict::Settled, Some(last)) => Ok(last),
            _ => Err(protocol_error(log)),
        };
        let (last, trace, effects) = self.run(scripts, None, Some(api), accept).await?;
        let action = trace.scripts.last().map(|script| script.name.clone()).unwrap_or_default();
        let mut effects = effects;
        let outcome = match (effects.denial.take(), effects.suspension.take()) {
            (Some(denial), _) => Outcome::Denied { action, denial },
            (None, Some(suspension)) => {
                // After a second factor the next action runs, after anything else the same one continues.
                let continues = matches!(suspension, Suspension::Redirect(_) | Suspension::Prompt { .. });
                let resume = Resume { action: if continues { last } else { last + 1 }, continues };
                Outcome::Suspended { action, suspension, resume }
            }
            (None, None) if last + 1 < count => {
                let message = "the worker left out the actions after it";
                return Err(Denied {
                    trace: Box::new(trace),
                    ..Denied::new(action, DenyReason::Crashed, message)
                });
            }
            (None, None) => Outcome::Finished,
        };
        Ok(ActionsOutput { outcome, effects, trace })
    }

    /// Accepts no more logins, denies those that run, and kills and reaps the workers.
    pub async fn stop(&self) {
        self.shared.stopping.send_replace(true);
        self.shared.workers.stop().await;
    }

    /// Runs scripts. Returns what `accept` makes of the verdict, the trace and the effects.
    async fn run<T>(
        &self,
        scripts: Scripts,
        metadata_writer: Option<&MetadataWriter>,
        api: Option<ApiHandler<'_>>,
        accept: impl FnOnce(Verdict, &RunLog) -> Result<T, Denied>,
    ) -> Result<(T, Trace, Effects), Denied> {
        let shared = &*self.shared;
        let log = RunLog::new(&scripts, shared.clock.clone());
        let handler = CallHandler {
            log: &log,
            fetcher: &shared.fetcher,
            packages: &shared.packages,
            stubs: self.stubs.as_deref(),
            metadata_writer,
            api,
        };
        let millis = u64::try_from(shared.time.as_millis()).unwrap_or(u64::MAX);
        let key = scripts.key();
        let run = Run { scripts, millis, is_fresh: self.stubs.is_some(), is_traced: self.is_traced };
        let result = shared.run_on_worker(run, key, &handler, accept).await;
        let (trace, effects) = log.take();
        match result {
            Ok(accepted) => Ok((accepted, trace, effects)),
            Err(denied) => Err(Denied { trace: Box::new(trace), ..denied }),
        }
    }
}

impl Shared {
    async fn run_on_worker<T>(
        &self,
        run: Run,
        key: u64,
        handler: &CallHandler<'_>,
        accept: impl FnOnce(Verdict, &RunLog) -> Result<T, Denied>,
    ) -> Result<T, Denied> {
        let frame = frame(run)?;
        let _permit = self.workers.acquire().await?;
        let mut worker = self.workers.worker(key).await?;
        let deadline = Instant::now() + self.time;
        let mut attempt = self.attempt(&mut worker, frame.clone(), deadline, handler).await;
        if matches!(&attempt, Err(Denied { reason: DenyReason::Crashed, script, .. }) if script.is_empty()) {
            // It died while idle. No script has run yet, so another worker may take over.
            worker.kill().await;
            worker = self.workers.start().await?;
            attempt = self.attempt(&mut worker, frame, deadline, handler).await;
        }
        let (result, reusable) = match attempt {
            Ok((Verdict::Denied { index, reason, message, error_text }, pipe_is_good)) => {
                let reusable = pipe_is_good && !reason.spends_worker();
                let message = if reason == DenyReason::TimedOut { self.too_slow() } else { message };
                let denied = Denied::new(handler.log.name(index), reason, message);
                (Err(Denied { error_text, ..denied }), reusable)
            }
            // A run that is done but not accepted has bypassed the prelude.
            Ok((verdict, pipe_is_good)) => {
                let result = accept(verdict, handler.log);
                let reusable = pipe_is_good && result.is_ok();
                (result, reusable)
            }
            Err(denied) => (Err(denied), false),
        };
        if result.is_ok() {
            worker.add_warm(key);
        }
        if reusable {
            self.workers.release(worker).await;
        } else {
            self.workers.replace(worker).await;
        }
        result
    }

    /// Runs scripts on `worker` until the deadline. Returns the verdict and whether the pipe is still good.
    async fn attempt(
        &self,
        worker: &mut Worker,
        frame: Vec<u8>,
        deadline: Instant,
        handler: &CallHandler<'_>,
    ) -> Result<(Verdict, bool), Denied> {
        let mut stopping = self.stopping.subscribe();
        let started = self.clock.elapsed();
        let failed = |reason, message| Err(Denied::new(handler.log.current(), reason, message));
        let attempt = tokio::select! {
            biased;
            () = async { drop(stopping.wait_for(|stopping| *stopping).await) } => Err(stopped()),
            finished = tokio::time::timeout_at(deadline + GRACE, handler.run(worker, frame, deadline)) => match finished {
                Ok(Ok(finished)) => Ok(finished),
                Ok(Err(error)) => {
                    failed(DenyReason::Crashed, format!("its process ended while it ran ({error})"))
                }
                Err(_) => failed(DenyReason::TimedOut, self.too_slow()),
            },
        };
        worker.busy += self.clock.elapsed().saturating_sub(started);
        attempt
    }

    fn too_slow(&self) -> String {
        format!("the scripts did not end within {:?} (script.time)", self.time)
    }
}

fn protocol_error(log: &RunLog) -> Denied {
    Denied::new(log.current(), DenyReason::Failed, "its worker ended with a result of another kind of script")
}

fn frame(run: Run) -> Result<Vec<u8>, Denied> {
    ipc::frame(&ToWorker::Run(Box::new(run)), TO_WORKER_LIMIT).map_err(|error| {
        denied(DenyReason::Failed, format!("the scripts and their input cannot be sent to a worker: {error}"))
    })
}
