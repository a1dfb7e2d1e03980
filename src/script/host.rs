//! The host: a login's way to a worker, its time, and what its end means.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use url::Origin;

use super::conversation::{Answerer, Record};
use super::crew::{Crew, NoWorker, WorkerCommand};
use super::fetch::Fetcher;
use super::ipc::{self, Run, Source, TO_WORKER_LIMIT, ToWorker, Verdict};
use super::outcome::{Denied, DenyReason, LoginInput, LoginOutput, MetadataWriter};
use super::process::Worker;
use super::redact::Redactor;
use super::settings::Settings;
use crate::bundle::Rule;
use crate::clock::Clock;
use crate::pool::Pool;

/// How long past `time` a worker may take to say itself that time is up, before it is killed. A worker that says so
/// costs nobody a new process; a hanging one never will.
const GRACE: Duration = Duration::from_millis(50);
/// Runs rules. Cheap to clone; clones share the workers.
///
/// Workers are started when they are first needed, and kept. Dropping the last clone kills them.
#[derive(Clone)]
pub struct ScriptRunner(Arc<Shared>);

struct Shared {
    crew: Crew,
    time: Duration,
    fetcher: Fetcher,
    pool: Pool,
    clock: Clock,
    stopping: watch::Sender<bool>,
}

/// The last rule's `user` and `context`.
type Passed = (Value, Value);

/// How one login on one worker ended.
enum Attempt {
    /// The worker said so; and whether it can take another login.
    Heard(Verdict, bool),
    /// The worker died, or spoke nonsense.
    Died(io::Error),
    /// The worker was still busy when time was up.
    Late,
    /// The host is stopping.
    Stopped,
}

/// A login that did not end well, before its record is added.
struct Fault {
    rule: String,
    reason: DenyReason,
    message: String,
}

impl ScriptRunner {
    /// Starts nothing yet.
    ///
    /// `allow_fetch` are the only origins scripts may call ([`parse_origin`](super::parse_origin) reads one). `pool` makes their
    /// fetches and metadata updates. Give them a pool of their own when a script may call a server in this very
    /// process: waiting for an answer that needs a thread of the same pool is how rules deadlock.
    pub fn new(settings: &Settings, worker: WorkerCommand, allow_fetch: Vec<Origin>, pool: Pool) -> Self {
        Self(Arc::new(Shared {
            crew: Crew::new(settings, worker),
            time: settings.time,
            fetcher: Fetcher::new(allow_fetch, settings.fetch_timeout, pool.clone()),
            pool,
            clock: Clock::system(),
            stopping: watch::Sender::new(false),
        }))
    }

    /// Runs the enabled rules in order, each on the `user` and `context` that the one before called back with.
    ///
    /// Waits at most a little more than `script.time` for a worker, then runs for at most `script.time`. Dropping the
    /// future kills the worker it had.
    ///
    /// # Errors
    /// [`Denied`] unless every rule called back cleanly, in time and within its memory.
    pub async fn run_rules(
        &self,
        rules: &[Rule],
        login: LoginInput,
        effects: MetadataWriter,
    ) -> Result<LoginOutput, Denied> {
        let mut enabled: Vec<&Rule> = rules.iter().filter(|rule| rule.enabled).collect();
        enabled.sort_by_key(|rule| rule.order);
        if enabled.is_empty() {
            let LoginInput { user, context, .. } = login;
            return Ok(LoginOutput { user, context, console: Vec::new(), fetches: Vec::new() });
        }
        let names = enabled.iter().map(|rule| rule.name.clone()).collect();
        let record = Record::new(names, Redactor::new(&login.configuration));
        let answerer =
            Answerer { record: &record, fetcher: &self.0.fetcher, pool: &self.0.pool, effects: &effects };
        let ended = self.0.run(&enabled, login, &answerer).await;
        let (console, fetches) = record.take();
        match ended {
            Ok((user, context)) => Ok(LoginOutput { user, context, console, fetches }),
            Err(Fault { rule, reason, message }) => Err(Denied { rule, reason, message, console, fetches }),
        }
    }

    /// Takes no more logins, denies those that run, and kills and reaps the workers.
    pub async fn stop(&self) {
        self.0.stopping.send_replace(true);
        self.0.crew.stop().await;
    }
}

impl Shared {
    async fn run(
        &self,
        rules: &[&Rule],
        login: LoginInput,
        answerer: &Answerer<'_>,
    ) -> Result<Passed, Fault> {
        let user_id = login.user.get("user_id").cloned();
        let run = frame(rules, login, self.time)?;
        let _slot = self.crew.slot().await?;
        let mut worker = self.crew.worker().await?;
        let deadline = Instant::now() + self.time + GRACE;
        let mut ended = self.attempt(&mut worker, run.clone(), deadline, answerer).await;
        if matches!(ended, Attempt::Died(_)) && answerer.record.current().is_empty() {
            // It died between logins, too late for us to notice. Nothing has run yet, so another one may.
            worker.kill().await;
            worker = self.crew.start().await?;
            ended = self.attempt(&mut worker, run, deadline, answerer).await;
        }
        let (result, keep) = self.judge(ended, user_id.as_ref(), answerer.record);
        if keep {
            self.crew.give_back(worker).await;
        } else {
            worker.kill().await;
        }
        result
    }

    async fn attempt(
        &self,
        worker: &mut Worker,
        run: Vec<u8>,
        deadline: Instant,
        answerer: &Answerer<'_>,
    ) -> Attempt {
        let mut stopping = self.stopping.subscribe();
        let began = self.clock.elapsed();
        let attempt = tokio::select! {
            biased;
            () = async { drop(stopping.wait_for(|stopping| *stopping).await) } => Attempt::Stopped,
            held = tokio::time::timeout_at(deadline, answerer.hold(worker, run)) => match held {
                Ok(Ok((verdict, whole))) => Attempt::Heard(verdict, whole),
                Ok(Err(error)) => Attempt::Died(error),
                Err(_) => Attempt::Late,
            },
        };
        worker.busy += self.clock.elapsed().saturating_sub(began);
        attempt
    }

    /// What an attempt means for the login, and whether its worker may take another.
    fn judge(
        &self,
        ended: Attempt,
        user_id: Option<&Value>,
        record: &Record,
    ) -> (Result<Passed, Fault>, bool) {
        let fault = |rule, reason, message| Err(Fault { rule, reason, message });
        match ended {
            // The prelude has checked this, in an engine that rules can bend. Here they can not.
            Attempt::Heard(Verdict::Done { user, .. }, _) if user.get("user_id") != user_id => {
                let message = "it called back with another user_id".to_owned();
                (fault(record.current(), DenyReason::Failed, message), false)
            }
            Attempt::Heard(Verdict::Done { user, context }, whole) => (Ok((user, context)), whole),
            Attempt::Heard(Verdict::Denied { index, reason: DenyReason::TimedOut, .. }, _) => {
                (fault(record.name(index), DenyReason::TimedOut, self.too_slow()), false)
            }
            Attempt::Heard(Verdict::Denied { index, reason, message }, whole) => {
                let spent = matches!(reason, DenyReason::OutOfMemory | DenyReason::Crashed);
                (fault(record.name(index), reason, message), whole && !spent)
            }
            Attempt::Died(error) => {
                let message = format!("its process ended in the middle of it ({error})");
                (fault(record.current(), DenyReason::Crashed, message), false)
            }
            Attempt::Late => (fault(record.current(), DenyReason::TimedOut, self.too_slow()), false),
            Attempt::Stopped => (Err(NoWorker::Stopped.into()), false),
        }
    }

    fn too_slow(&self) -> String {
        format!("the rules did not end within {:?} (script.time)", self.time)
    }
}

impl From<NoWorker> for Fault {
    fn from(why: NoWorker) -> Self {
        let reason = match why {
            NoWorker::Busy => DenyReason::Busy,
            NoWorker::Stopped => DenyReason::Stopped,
            NoWorker::NotStarted(_) => DenyReason::Crashed,
        };
        Self { rule: String::new(), reason, message: why.to_string() }
    }
}

impl std::fmt::Debug for ScriptRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptRunner").field("time", &self.0.time).finish_non_exhaustive()
    }
}

fn frame(rules: &[&Rule], login: LoginInput, time: Duration) -> Result<Vec<u8>, Fault> {
    let rules =
        rules.iter().map(|rule| Source { name: rule.name.clone(), script: rule.script.clone() }).collect();
    let LoginInput { user, context, configuration } = login;
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let run = ToWorker::Run(Box::new(Run { rules, user, context, configuration, millis }));
    ipc::frame(&run, TO_WORKER_LIMIT).map_err(|error| {
        let message = format!("rules, user and context can not be handed over: {error}");
        Fault { rule: String::new(), reason: DenyReason::Failed, message }
    })
}
