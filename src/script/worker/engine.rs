//! One login in QuickJS.
//!
//! The environment of the rules is the JavaScript in `../prelude/`. Each of its files is a function that takes the host
//! object (`host_functions.rs`), which rules cannot reach.

use std::io;
use std::rc::Rc;

use rquickjs::context::EvalOptions;
use rquickjs::{Array, Context, Ctx, Function, Object, Runtime, Value};

use super::super::ipc::{CallError, RESULT_LIMIT, RunLogin, ToWorker, Verdict};
use super::super::login::DenyReason;
use super::host_functions::{LoginState, describe, host_object, is_out_of_memory};
use super::pipe::Pipe;
use crate::bundle::Rule;

macro_rules! prelude {
    ($($name:literal),*) => { [$(($name, include_str!(concat!("../prelude/", $name, ".js")))),*] };
}

/// The stack a script may use, in bytes. The thread has several MiB.
const STACK: usize = 512 * 1024;
/// The parts of the prelude, in the order they run.
const PRELUDE: [(&str, &str); 10] =
    prelude!["base", "console", "timers", "buffer", "url", "fetch", "request", "axios", "auth0", "run"];

/// Runs one login. Also returns the rules' `global`, to keep for the next login.
///
/// # Errors
/// When the host has closed the pipe.
pub(super) fn run(
    pipe: &Rc<Pipe>,
    login: RunLogin,
    heap_bytes: u64,
    global: Option<&str>,
) -> io::Result<(Verdict, Option<String>)> {
    let state = Rc::new(LoginState::new(pipe, &login));
    let Ok((runtime, context)) = open(&state, heap_bytes) else {
        let verdict = state.denied(DenyReason::OutOfMemory, "script.memory_mib is too small to begin with");
        return Ok((verdict, None));
    };
    let verdict = context.with(|ctx| run_to_verdict(&ctx, &state, login, global))?;
    if verdict.spends_worker() {
        // Freeing a corrupted heap can hang or abort. The process exits next, which frees it.
        std::mem::forget((context, runtime));
    }
    Ok((verdict, state.global.take()))
}

fn open(state: &Rc<LoginState>, heap_bytes: u64) -> rquickjs::Result<(Runtime, Context)> {
    let runtime = Runtime::new()?;
    runtime.set_memory_limit(usize::try_from(heap_bytes).unwrap_or(usize::MAX));
    runtime.set_max_stack_size(STACK);
    let interrupt = Rc::clone(state);
    runtime.set_interrupt_handler(Some(Box::new(move || interrupt.is_late())));
    let rejections = Rc::clone(state);
    runtime.set_host_promise_rejection_tracker(Some(Box::new(move |_, _, reason, is_handled| {
        *rejections.unhandled.borrow_mut() = if is_handled { None } else { describe(&reason) };
    })));
    let context = Context::full(&runtime)?;
    Ok((runtime, context))
}

/// Starts the rules, then runs their jobs and receives the replies to their calls until there is a verdict.
fn run_to_verdict(
    ctx: &Ctx<'_>,
    state: &Rc<LoginState>,
    login: RunLogin,
    global: Option<&str>,
) -> io::Result<Verdict> {
    let host = match start_rules(ctx, state, login, global) {
        Ok(host) => host,
        Err(error) => return Ok(state.engine_error(ctx, &error)),
    };
    loop {
        if state.is_late() {
            return Ok(state.denied(DenyReason::TimedOut, ""));
        }
        if let Some(verdict) = state.verdict.take() {
            return Ok(verdict);
        }
        if ctx.execute_pending_job() {
            continue;
        }
        if state.pending.borrow().is_empty() {
            let cause = state.unhandled.take().unwrap_or_default();
            let reason = match () {
                () if is_out_of_memory(&cause) => DenyReason::OutOfMemory,
                // The time limit has interrupted the last job.
                () if state.is_late() => DenyReason::TimedOut,
                () => DenyReason::Failed,
            };
            let cause =
                if cause.is_empty() { cause } else { format!("; a promise was rejected with {cause}") };
            return Ok(state.denied(reason, &format!("it ended without calling its callback{cause}")));
        }
        let Some(ToWorker::Reply(id, result)) = state.pipe.receive()? else {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the host has closed the pipe"));
        };
        let is_pending = state.pending.borrow_mut().remove(&id);
        if is_pending && let Err(error) = settle(&host, id, result) {
            return Ok(state.engine_error(ctx, &error));
        }
    }
}

/// Runs the prelude, compiles all rules and starts the first.
fn start_rules<'js>(
    ctx: &Ctx<'js>,
    state: &Rc<LoginState>,
    login: RunLogin,
    global: Option<&str>,
) -> rquickjs::Result<Object<'js>> {
    let host = host_object(ctx, state)?;
    let input = serde_json::json!({
        "user": login.input.user, "context": login.input.context, "configuration": login.input.configuration, "limit": RESULT_LIMIT,
    });
    host.set("input", input.to_string())?;
    host.set("global", global.unwrap_or("{}"))?;
    for (name, source) in PRELUDE {
        let part: Function = ctx.eval_with_options(source, options(&format!("vestibule:{name}")))?;
        part.call::<_, ()>((host.clone(),))?;
    }
    // All rules compile before the first runs: a syntax error in the last must not leave half a login's effects.
    let rules = Array::new(ctx.clone())?;
    for (index, rule) in login.rules.iter().enumerate() {
        state.index.set(index);
        match compile(ctx, rule) {
            Ok(function) => rules.set(index, function)?,
            Err(rquickjs::Error::Exception) if !state.is_late() => {
                let refuse: Function = host.get("refuse")?;
                refuse.call::<_, ()>((index, ctx.catch()))?;
                return Ok(host);
            }
            Err(error) => return Err(error),
        }
    }
    let start: Function = host.get("run")?;
    start.call::<_, ()>((rules,))?;
    Ok(host)
}

/// Compiles a rule's function. The parentheses make it an expression; they add no line, so line numbers stay correct.
fn compile<'js>(ctx: &Ctx<'js>, rule: &Rule) -> rquickjs::Result<Value<'js>> {
    let source = rule.script.trim_end().trim_end_matches(';');
    ctx.eval_with_options(format!("({source}\n)"), options(&rule.name))
}

/// Sloppy mode, as in Node.
fn options(name: &str) -> EvalOptions {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(name.replace('\0', ""));
    options
}

fn settle(host: &Object<'_>, id: u64, result: Result<serde_json::Value, CallError>) -> rquickjs::Result<()> {
    let settle: Function = host.get("settle")?;
    let (is_ok, value) = (result.is_ok(), result.unwrap_or_else(|error| serde_json::json!(error)));
    settle.call((id, is_ok, value.to_string()))
}
