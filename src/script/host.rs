//! The host: gets a worker for a login, enforces the time limit, and interprets the result.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use url::Origin;

use super::fetch::Fetcher;
use super::ipc::{self, RunLogin, TO_WORKER_LIMIT, ToWorker, Verdict};
use super::login::{Denied, DenyReason, LoginInput, LoginOutput, MetadataWriter};
use super::process::Worker;
use super::redact::Redactor;
use super::settings::Settings;
use super::worker_pool::{WorkerCommand, WorkerPool, denied, stopped};
use super::worker_run::{CallHandler, RunLog};
use crate::bundle::Rule;
use crate::clock::Clock;
use crate::pool::Pool;

/// How long after the time limit a worker may report the timeout itself, before it is killed. Such a worker can exit
/// cleanly; a hanging one cannot.
const GRACE: Duration = Duration::from_millis(50);

/// Runs rules. Cheap to clone; clones share the workers.
///
/// Workers are started when first needed, and kept. Dropping the last clone kills them.
#[derive(Clone)]
pub struct ScriptRunner(Arc<Shared>);

struct Shared {
    workers: WorkerPool,
    time: Duration,
    fetcher: Fetcher,
    clock: Clock,
    stopping: watch::Sender<bool>,
}

impl ScriptRunner {
    /// Creates a runner without starting a worker.
    ///
    /// `allow_fetch` lists the only origins that scripts may call ([`parse_origin`](super::parse_origin) reads one).
    /// `pool` runs their fetches and metadata updates. Use a separate pool when a script may call a server in this
    /// process: if the response needs a thread of the same pool, both wait for each other.
    pub fn new(settings: &Settings, worker: WorkerCommand, allow_fetch: Vec<Origin>, pool: Pool) -> Self {
        Self(Arc::new(Shared {
            workers: WorkerPool::new(settings, worker),
            time: settings.time,
            fetcher: Fetcher::new(allow_fetch, settings.fetch_timeout, pool),
            clock: Clock::system(),
            stopping: watch::Sender::new(false),
        }))
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
        let mut enabled: Vec<&Rule> = rules.iter().filter(|rule| rule.enabled).collect();
        enabled.sort_by_key(|rule| rule.order);
        if enabled.is_empty() {
            let LoginInput { user, context, .. } = login;
            return Ok(LoginOutput { user, context, console: Vec::new(), fetches: Vec::new() });
        }
        let names = enabled.iter().map(|rule| rule.name.clone()).collect();
        let log = RunLog::new(names, Redactor::new(&login.configuration));
        let handler = CallHandler { log: &log, fetcher: &self.0.fetcher, metadata_writer: &metadata_writer };
        let result = self.0.run(&enabled, login, &handler).await;
        let (console, fetches) = log.take();
        match result {
            Ok((user, context)) => Ok(LoginOutput { user, context, console, fetches }),
            Err(denied) => Err(Denied { console, fetches, ..denied }),
        }
    }

    /// Accepts no more logins, denies those that run, and kills and reaps the workers.
    pub async fn stop(&self) {
        self.0.stopping.send_replace(true);
        self.0.workers.stop().await;
    }
}

impl Shared {
    /// Runs one login. Returns the last rule's `user` and `context`.
    async fn run(
        &self,
        rules: &[&Rule],
        login: LoginInput,
        handler: &CallHandler<'_>,
    ) -> Result<(Value, Value), Denied> {
        let user_id = login.user.get("user_id").cloned();
        let frame = login_frame(rules, login, self.time)?;
        let _permit = self.workers.acquire().await?;
        let mut worker = self.workers.worker().await?;
        let deadline = Instant::now() + self.time + GRACE;
        let mut attempt = self.attempt(&mut worker, frame.clone(), deadline, handler).await;
        if matches!(&attempt, Err(Denied { reason: DenyReason::Crashed, rule, .. }) if rule.is_empty()) {
            // It died while idle. No rule has run yet, so another worker may take over.
            worker.kill().await;
            worker = self.workers.start().await?;
            attempt = self.attempt(&mut worker, frame, deadline, handler).await;
        }
        let (result, reusable) = match attempt {
            Ok((verdict, pipe_is_good)) => {
                let is_done = matches!(verdict, Verdict::Done { .. });
                let reusable = pipe_is_good && !verdict.spends_worker();
                let result = self.interpret(verdict, user_id.as_ref(), handler.log);
                // A login that is done but refused has bypassed the prelude.
                let reusable = reusable && (result.is_ok() || !is_done);
                (result, reusable)
            }
            Err(denied) => (Err(denied), false),
        };
        if reusable {
            self.workers.release(worker).await;
        } else {
            worker.kill().await;
        }
        result
    }

    /// Runs a login on `worker` until the deadline. Returns the verdict and whether the pipe is still good.
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
            finished = tokio::time::timeout_at(deadline, handler.run(worker, frame)) => match finished {
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

    fn interpret(
        &self,
        verdict: Verdict,
        user_id: Option<&Value>,
        log: &RunLog,
    ) -> Result<(Value, Value), Denied> {
        match verdict {
            // The prelude checks this too, but rules can modify the prelude's built-ins.
            Verdict::Done { user, .. } if user.get("user_id") != user_id => {
                let message = "it called back with another user_id";
                Err(Denied::new(log.current(), DenyReason::Failed, message))
            }
            Verdict::Done { user, context } => Ok((user, context)),
            Verdict::Denied { index, reason, message } => {
                let message = if reason == DenyReason::TimedOut { self.too_slow() } else { message };
                Err(Denied::new(log.name(index), reason, message))
            }
        }
    }

    fn too_slow(&self) -> String {
        format!("the rules did not end within {:?} (script.time)", self.time)
    }
}

fn login_frame(rules: &[&Rule], login: LoginInput, time: Duration) -> Result<Vec<u8>, Denied> {
    let rules = rules.iter().copied().cloned().collect();
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let run = ToWorker::Run(Box::new(RunLogin { rules, input: login, millis }));
    ipc::frame(&run, TO_WORKER_LIMIT).map_err(|error| {
        denied(DenyReason::Failed, format!("rules, user and context cannot be sent to a worker: {error}"))
    })
}
