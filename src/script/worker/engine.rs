//! One login in QuickJS.
//!
//! The JavaScript that rules see is in `../prelude/`, one file a concern; each is a function that takes the kit
//! (`kit.rs`). The kit is never visible to rules.

use std::io;
use std::rc::Rc;

use rquickjs::context::EvalOptions;
use rquickjs::{Array, Context, Ctx, Function, Object, Runtime, Value};

use super::super::ipc::{CallError, RESULT_LIMIT, Run, Source, ToWorker, Verdict};
use super::super::outcome::DenyReason;
use super::host_functions::{Session, describe, kit};
use super::pipe::Link;

/// The stack a script may use. The thread has several MiB.
const STACK: usize = 512 * 1024;
/// What rules find around them, in the order it is built.
const PRELUDE: [(&str, &str); 10] = [
    ("base", include_str!("../prelude/base.js")),
    ("console", include_str!("../prelude/console.js")),
    ("timers", include_str!("../prelude/timers.js")),
    ("buffer", include_str!("../prelude/buffer.js")),
    ("url", include_str!("../prelude/url.js")),
    ("fetch", include_str!("../prelude/fetch.js")),
    ("request", include_str!("../prelude/request.js")),
    ("axios", include_str!("../prelude/axios.js")),
    ("auth0", include_str!("../prelude/auth0.js")),
    ("run", include_str!("../prelude/run.js")),
];

/// How a login ended, for the worker.
pub(super) struct Ended {
    pub(super) verdict: Verdict,
    /// The rules' `global`, if it is to be kept.
    pub(super) global: Option<String>,
    /// Whether the worker is of no further use.
    pub(super) spent: bool,
}

/// Runs one login.
///
/// # Errors
/// When the host has gone.
pub(super) fn run(link: &Rc<Link>, run: Run, heap_bytes: u64, global: Option<&str>) -> io::Result<Ended> {
    let session = Rc::new(Session::new(link, &run));
    let Ok((runtime, context)) = open(&session, heap_bytes) else {
        let verdict = session.denied(DenyReason::OutOfMemory, "script.memory_mib is too small to begin with");
        return Ok(Ended { verdict, global: None, spent: true });
    };
    let verdict = context.with(|ctx| drive(&ctx, &session, run, global))?;
    let spent = matches!(
        verdict,
        Verdict::Denied { reason: DenyReason::TimedOut | DenyReason::OutOfMemory | DenyReason::Crashed, .. }
    );
    if spent {
        // Freeing a heap that was broken into can hang or abort; the process ends next, and that frees it.
        std::mem::forget((context, runtime));
    }
    let global = session.global.take();
    Ok(Ended { verdict, global, spent })
}

fn open(session: &Rc<Session>, heap_bytes: u64) -> rquickjs::Result<(Runtime, Context)> {
    let runtime = Runtime::new()?;
    runtime.set_memory_limit(usize::try_from(heap_bytes).unwrap_or(usize::MAX));
    runtime.set_max_stack_size(STACK);
    let watch = Rc::clone(session);
    runtime.set_interrupt_handler(Some(Box::new(move || watch.is_late())));
    let listen = Rc::clone(session);
    runtime.set_host_promise_rejection_tracker(Some(Box::new(move |_, _, reason, heard| {
        *listen.unheard.borrow_mut() = if heard { None } else { describe(&reason) };
    })));
    let context = Context::full(&runtime)?;
    Ok((runtime, context))
}

/// Builds the rules' world, runs them, and serves their calls until there is a verdict.
fn drive(ctx: &Ctx<'_>, session: &Rc<Session>, run: Run, global: Option<&str>) -> io::Result<Verdict> {
    let kit = match begin(ctx, session, run, global) {
        Ok(kit) => kit,
        Err(error) => return Ok(session.broken(ctx, &error)),
    };
    loop {
        if session.is_late() {
            return Ok(session.denied(DenyReason::TimedOut, ""));
        }
        if let Some(verdict) = session.verdict.take() {
            return Ok(verdict);
        }
        if ctx.execute_pending_job() {
            continue;
        }
        if session.waiting.borrow().is_empty() {
            let because =
                session.unheard.take().map(|reason| format!("; a promise was rejected with {reason}"));
            let message = format!("it ended without calling its callback{}", because.unwrap_or_default());
            return Ok(session.denied(DenyReason::Failed, &message));
        }
        let Some(ToWorker::Reply(reply)) = session.link.receive()? else {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the host has gone"));
        };
        let waited_for = session.waiting.borrow_mut().remove(&reply.id);
        if waited_for && let Err(error) = settle(&kit, reply.id, reply.result) {
            return Ok(session.broken(ctx, &error));
        }
    }
}

/// Builds the rules' world and starts the first rule.
fn begin<'js>(
    ctx: &Ctx<'js>,
    session: &Rc<Session>,
    run: Run,
    global: Option<&str>,
) -> rquickjs::Result<Object<'js>> {
    let kit = kit(ctx, session)?;
    let input = serde_json::json!({
        "user": run.user, "context": run.context, "configuration": run.configuration, "limit": RESULT_LIMIT,
    });
    kit.set("input", input.to_string())?;
    kit.set("global", global.unwrap_or("{}"))?;
    for (name, source) in PRELUDE {
        let part: Function = ctx.eval_with_options(source, options(&format!("vestibule:{name}")))?;
        part.call::<_, ()>((kit.clone(),))?;
    }
    // All of them are compiled before any of them runs: a misspelt last rule must not leave half a login's effects.
    let rules = Array::new(ctx.clone())?;
    for (index, rule) in run.rules.iter().enumerate() {
        session.index.set(index);
        match compile(ctx, rule) {
            Ok(function) => rules.set(index, function)?,
            Err(rquickjs::Error::Exception) if !session.is_late() => {
                let refuse: Function = kit.get("refuse")?;
                refuse.call::<_, ()>((index, ctx.catch()))?;
                return Ok(kit);
            }
            Err(error) => return Err(error),
        }
    }
    let start: Function = kit.get("run")?;
    start.call::<_, ()>((rules,))?;
    Ok(kit)
}

/// A rule is an expression. The brackets make it one, on its own first line so that line numbers stay true.
fn compile<'js>(ctx: &Ctx<'js>, rule: &Source) -> rquickjs::Result<Value<'js>> {
    let source = rule.script.trim_end().trim_end_matches(';');
    ctx.eval_with_options(format!("({source}\n)"), options(&rule.name))
}

/// Sloppy mode, as Node runs a rule.
fn options(name: &str) -> EvalOptions {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(name.replace('\0', ""));
    options
}

fn settle(kit: &Object<'_>, id: u64, result: Result<serde_json::Value, CallError>) -> rquickjs::Result<()> {
    let settle: Function = kit.get("settle")?;
    match result {
        Ok(value) => settle.call((id, true, value.to_string())),
        Err(error) => settle.call((id, false, serde_json::json!(error).to_string())),
    }
}
