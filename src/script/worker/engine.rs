//! QuickJS with the contexts of the scripts that ran last.
//!
//! A context belongs to one set of scripts (all rules, or one action) with its configuration or secrets: module-level state
//! lasts until they change. It is dropped when its script failed or left a request open, and all are when they fill half of
//! the heap. One context is opened ahead, so that scripts that are new to the worker need only be compiled. The environment
//! of the scripts is the JavaScript in `../prelude/`. Each of its files is a function that takes the host object
//! (`host_functions.rs`), which scripts cannot reach.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::rc::Rc;

use rquickjs::{Context, Ctx, Function, Object, Persistent, Runtime, Value};

use super::super::ipc::{CallError, Run, ToWorker, Verdict};
use super::super::login::DenyReason;
use super::host_functions::{host_object, report_lines};
use super::pipe::Pipe;
use super::require::{self, options};
use super::run_state::{RunState, describe, is_out_of_memory};

macro_rules! prelude {
    ($($name:literal),*) => { [$(($name, include_str!(concat!("../prelude/", $name, ".js")))),*] };
}

/// The stack a script may use, in bytes. The thread has several MiB.
const STACK: usize = 512 * 1024;
/// The most contexts kept; the one that ran least recently goes first.
const CONTEXTS: usize = 32;
/// The parts of the prelude, in the order they run.
const PRELUDE: [(&str, &str); 7] =
    prelude!["base", "console", "modules", "trace", "auth0", "rules", "actions"];

/// The engine and its contexts.
pub(super) struct Engine {
    /// Those that ran last are last. Before `runtime`, so that they are dropped first.
    environments: Vec<(u64, Environment)>,
    /// Has run the prelude and no script.
    spare: Option<Environment>,
    runtime: Option<Runtime>,
    pub(super) state: Rc<RunState>,
    heap_bytes: u64,
}

/// A context with its prelude and its compiled scripts.
struct Environment {
    host: Persistent<Object<'static>>,
    context: Context,
}

impl Engine {
    pub(super) fn new(pipe: &Rc<Pipe>, heap_bytes: u64) -> Self {
        let state = Rc::new(RunState::new(pipe));
        Self { environments: Vec::new(), spare: None, runtime: None, state, heap_bytes }
    }

    /// Starts a run.
    pub(super) fn begin(&self, run: &Run) {
        self.state.begin(run);
    }

    /// Drops what is kept between runs.
    pub(super) fn forget(&mut self) {
        self.environments.clear();
    }

    /// Runs one set of scripts until there is a verdict.
    ///
    /// `key` identifies the scripts and what they are configured with. `load` compiles them into a new context, `start`
    /// starts them.
    ///
    /// # Errors
    /// When the host has closed the pipe.
    pub(super) fn run(
        &mut self,
        key: &impl Hash,
        load: impl for<'js> FnOnce(&Ctx<'js>, &Object<'js>) -> rquickjs::Result<()>,
        start: impl for<'js> FnOnce(&Ctx<'js>, &Object<'js>) -> rquickjs::Result<()>,
    ) -> io::Result<Verdict> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let key = hasher.finish();
        self.state.begin_script();
        let kept = self.environments.iter().position(|(kept, _)| *kept == key);
        let environment = match kept {
            Some(at) => self.environments.remove(at).1,
            None => match self.load(load) {
                Ok(environment) => environment,
                Err(verdict) => return Ok(verdict),
            },
        };
        let state = Rc::clone(&self.state);
        let verdict = environment.context.with(|ctx| {
            let begin = || {
                let host = environment.host.clone().restore(&ctx)?;
                if kept.is_some() {
                    host.get::<_, Function<'_>>("begin")?.call::<_, ()>(())?;
                }
                start(&ctx, &host)?;
                Ok(host)
            };
            match begin() {
                Ok(host) => wait(&ctx, &host, &state),
                Err(error) => Ok(state.engine_error(&ctx, &error)),
            }
        })?;
        use DenyReason::{Unauthorized, Validation};
        let failed = matches!(&verdict, Verdict::Denied { reason, .. } if !matches!(reason, Unauthorized | Validation));
        let waits = self.state.pending.borrow().values().any(|is_timer| !is_timer);
        if failed && matches!(&verdict, Verdict::Denied { reason, .. } if reason.spends_worker()) {
            // Freeing a corrupted heap can hang or abort.
            std::mem::forget(environment);
        } else if !failed && !waits {
            if self.environments.len() >= CONTEXTS {
                self.environments.remove(0);
            }
            self.environments.push((key, environment));
        }
        Ok(verdict)
    }

    /// Ends a run: nothing of it may run in the next.
    pub(super) fn finish(&mut self, verdict: Verdict) -> Verdict {
        self.state.api.take();
        self.state.pending.borrow_mut().clear();
        let spent = matches!(&verdict, Verdict::Denied { reason, .. } if reason.spends_worker());
        if !spent && self.runtime.as_ref().is_some_and(Runtime::is_job_pending) {
            self.reset();
        }
        verdict
    }

    /// Collects garbage, drops all contexts when they have grown too large, and opens the spare one. Between runs, and before
    /// the first: only a login that comes at once waits for it.
    pub(super) fn tidy(&mut self) {
        self.runtime.iter().for_each(Runtime::run_gc);
        if self.is_half_full() {
            self.reset();
        }
        if self.spare.is_none() {
            self.state.lift_deadline();
            // A heap that is too small for it is reported by the next run.
            self.spare = self.open().ok();
        }
    }

    fn is_half_full(&self) -> bool {
        let used = self.runtime.as_ref().map_or(0, |runtime| runtime.memory_usage().malloc_size);
        u64::try_from(used).unwrap_or(0) > self.heap_bytes / 2
    }

    fn reset(&mut self) {
        self.environments.clear();
        self.spare = None;
        self.runtime = None;
    }

    /// A context with the prelude and the scripts that `load` compiles; or why there is none.
    fn load(
        &mut self,
        load: impl for<'js> FnOnce(&Ctx<'js>, &Object<'js>) -> rquickjs::Result<()>,
    ) -> Result<Environment, Verdict> {
        let environment = self.spare.take().map_or_else(|| self.open(), Ok)?;
        let state = &self.state;
        let loaded = environment.context.with(|ctx| {
            let load = || {
                report_lines(&ctx, state)?;
                load(&ctx, &environment.host.clone().restore(&ctx)?)
            };
            load().map_err(|error| state.engine_error(&ctx, &error))
        });
        match loaded.err().or_else(|| state.verdict.take()) {
            Some(verdict) => Err(verdict),
            None => Ok(environment),
        }
    }

    /// A context with the prelude.
    fn open(&mut self) -> Result<Environment, Verdict> {
        let too_small =
            || self.state.denied(DenyReason::OutOfMemory, "script.memory_mib is too small to begin with");
        if self.is_half_full() {
            // Also in the middle of a run: an action that has ended needs its context no more.
            self.environments.clear();
            self.runtime.iter().for_each(Runtime::run_gc);
        }
        let runtime = match &self.runtime {
            Some(runtime) => runtime.clone(),
            None => new_runtime(&self.state, self.heap_bytes).map_err(|_| too_small())?,
        };
        self.runtime = Some(runtime.clone());
        let context = Context::full(&runtime).map_err(|_| too_small())?;
        let state = &self.state;
        let host = context.with(|ctx| {
            let open = || {
                let host = host_object(&ctx, state)?;
                require::define(&ctx, &host, &state.pipe)?;
                for (name, source) in PRELUDE {
                    let part: Function =
                        ctx.eval_with_options(source, options(&format!("vestibule:{name}")))?;
                    part.call::<_, ()>((host.clone(),))?;
                }
                Ok(Persistent::save(&ctx, host))
            };
            open().map_err(|error| state.engine_error(&ctx, &error))
        })?;
        Ok(Environment { host, context })
    }
}

fn new_runtime(state: &Rc<RunState>, heap_bytes: u64) -> rquickjs::Result<Runtime> {
    let runtime = Runtime::new()?;
    runtime.set_memory_limit(usize::try_from(heap_bytes).unwrap_or(usize::MAX));
    runtime.set_max_stack_size(STACK);
    let interrupt = Rc::clone(state);
    runtime.set_interrupt_handler(Some(Box::new(move || interrupt.is_late())));
    let rejections = Rc::clone(state);
    runtime.set_host_promise_rejection_tracker(Some(Box::new(move |_, _, reason, is_handled| {
        *rejections.unhandled.borrow_mut() = if is_handled { None } else { describe(&reason) };
    })));
    require::set_loader(&runtime);
    Ok(runtime)
}

/// Runs jobs and receives the replies to calls until there is a verdict and no job is left.
fn wait(ctx: &Ctx<'_>, host: &Object<'_>, state: &RunState) -> io::Result<Verdict> {
    let mut verdict = None;
    loop {
        if state.is_late() {
            return Ok(state.denied(DenyReason::TimedOut, ""));
        }
        verdict = verdict.or_else(|| state.verdict.take());
        if ctx.execute_pending_job() {
            // A script whose jobs never end is late, as in Node, where they starve the event loop.
            continue;
        }
        if let Some(verdict) = verdict {
            return Ok(verdict);
        }
        if state.pending.borrow().is_empty() {
            return Ok(never_ended(state));
        }
        let Some(ToWorker::Reply(id, result)) = state.pipe.receive()? else {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the host has closed the pipe"));
        };
        let is_pending = state.pending.borrow_mut().remove(&id).is_some();
        if is_pending && let Err(error) = settle(host, id, result) {
            return Ok(state.engine_error(ctx, &error));
        }
    }
}

/// The verdict on a script that waits for nothing and has not ended.
fn never_ended(state: &RunState) -> Verdict {
    let cause = state.unhandled.take().unwrap_or_default();
    let reason = match () {
        () if is_out_of_memory(&cause) => DenyReason::OutOfMemory,
        // The time limit has interrupted the last job.
        () if state.is_late() => DenyReason::TimedOut,
        () => DenyReason::Failed,
    };
    let is_action = state.api.borrow().is_some();
    let how = if is_action { "its promise never settles" } else { "it ended without calling its callback" };
    let cause = if cause.is_empty() { cause } else { format!("; a promise was rejected with {cause}") };
    state.denied(reason, &format!("{how}{cause}"))
}

fn settle(host: &Object<'_>, id: u64, result: Result<serde_json::Value, CallError>) -> rquickjs::Result<()> {
    let settle: Function = host.get("settle")?;
    let (is_ok, value) = (result.is_ok(), result.unwrap_or_else(|error| serde_json::json!(error)));
    settle.call((id, is_ok, value.to_string()))
}

/// Compiles a script that is one expression; `None` when it does not compile, and the run is denied.
///
/// # Errors
/// The engine's own: out of time or memory.
pub(super) fn compile<'js>(
    ctx: &Ctx<'js>,
    host: &Object<'js>,
    state: &RunState,
    name: &str,
    source: String,
) -> rquickjs::Result<Option<Value<'js>>> {
    match ctx.eval_with_options(source, options(name)) {
        Ok(value) => Ok(Some(value)),
        Err(rquickjs::Error::Exception) if !state.is_late() => {
            host.get::<_, Function<'_>>("refuse")?.call::<_, ()>((ctx.catch(),))?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
