//! The host object: the Rust functions that the prelude calls, and the login's state that they share.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use rquickjs::prelude::Func;
use rquickjs::{Ctx, Exception, Object, Value};
use url::Url;

use super::super::ipc::{
    CALLS_AT_ONCE, CONSOLE_LINES, Call, FromWorker, RESULT_LIMIT, RunLogin, TEXT_LIMIT, Verdict,
};
use super::super::login::{ConsoleLevel, DenyReason};
use super::super::redact::Redactor;
use super::pipe::Pipe;
use crate::clock::Clock;

/// The longest `global` kept, in bytes of JSON.
const GLOBAL_LIMIT: usize = 64 * 1024;

/// One login's state outside JavaScript.
pub(super) struct LoginState {
    pub(super) pipe: Rc<Pipe>,
    redactor: Redactor,
    clock: Clock,
    limit: Duration,
    /// The calls that scripts wait for.
    pub(super) pending: RefCell<BTreeSet<u64>>,
    lines: Cell<usize>,
    pub(super) index: Cell<usize>,
    pub(super) verdict: RefCell<Option<Verdict>>,
    pub(super) global: RefCell<Option<String>>,
    /// The last unhandled rejection: it may explain why a rule never calls back.
    pub(super) unhandled: RefCell<Option<String>>,
}

/// The object with the functions that the prelude calls.
pub(super) fn host_object<'js>(ctx: &Ctx<'js>, state: &Rc<LoginState>) -> rquickjs::Result<Object<'js>> {
    let host = Object::new(ctx.clone())?;
    let s = Rc::clone(state);
    host.set("send", Func::from(move |ctx: Ctx<'js>, call: String| s.send(&ctx, &call)))?;
    let s = Rc::clone(state);
    host.set("forget", Func::from(move |id: u64| s.pending.borrow_mut().remove(&id)))?;
    let s = Rc::clone(state);
    let rule_started = move |index: usize| {
        s.index.set(index);
        // A closed pipe is noticed at the next receive.
        drop(s.pipe.send(&FromWorker::RuleStarted(index)));
    };
    host.set("ruleStarted", Func::from(rule_started))?;
    let s = Rc::clone(state);
    host.set("console", Func::from(move |level: String, text: String| s.console(&level, &text)))?;
    let s = Rc::clone(state);
    host.set("done", Func::from(move |user: String, context: String| s.end(s.done(&user, &context))))?;
    let s = Rc::clone(state);
    let deny = move |index: usize, reason: String, message: String| {
        s.index.set(index);
        let reason = serde_json::from_value(reason.into()).unwrap_or(DenyReason::Failed);
        s.end(s.denied(reason, &message));
    };
    host.set("deny", Func::from(deny))?;
    let s = Rc::clone(state);
    host.set("keepGlobal", Func::from(move |json: String| s.keep_global(json)))?;
    host.set("url", Func::from(parse_url))?;
    Ok(host)
}

impl LoginState {
    /// The time limit starts here.
    pub(super) fn new(pipe: &Rc<Pipe>, login: &RunLogin) -> Self {
        Self {
            pipe: Rc::clone(pipe),
            redactor: Redactor::new(&login.input.configuration),
            clock: Clock::system(),
            limit: Duration::from_millis(login.millis),
            pending: RefCell::default(),
            lines: Cell::new(0),
            index: Cell::new(0),
            verdict: RefCell::default(),
            global: RefCell::default(),
            unhandled: RefCell::default(),
        }
    }

    pub(super) fn is_late(&self) -> bool {
        self.clock.elapsed() >= self.limit
    }

    fn send(&self, ctx: &Ctx<'_>, call: &str) -> rquickjs::Result<u64> {
        if self.pending.borrow().len() >= CALLS_AT_ONCE {
            let message = format!("more than {CALLS_AT_ONCE} calls and timers at once");
            return Err(Exception::throw_range(ctx, &message));
        }
        let problem = |error: &dyn std::fmt::Display| format!("the call cannot be made: {error}");
        let call: Call =
            serde_json::from_str(call).map_err(|error| Exception::throw_type(ctx, &problem(&error)))?;
        let id = self.pipe.call(call).map_err(|error| Exception::throw_range(ctx, &problem(&error)))?;
        self.pending.borrow_mut().insert(id);
        Ok(id)
    }

    fn console(&self, level: &str, text: &str) {
        let lines = self.lines.get() + 1;
        self.lines.set(lines);
        if lines > CONSOLE_LINES {
            return;
        }
        let text = if lines == CONSOLE_LINES { "(later lines are not kept)" } else { text };
        let level = serde_json::from_value(level.into()).unwrap_or(ConsoleLevel::Log);
        drop(self.pipe.send(&FromWorker::Console(level, self.redact_and_cut(text))));
    }

    /// Sets the verdict. The first one counts, but a denial replaces an acceptance.
    fn end(&self, verdict: Verdict) {
        let mut current = self.verdict.borrow_mut();
        if !matches!(*current, Some(Verdict::Denied { .. })) {
            *current = Some(verdict);
        }
    }

    fn done(&self, user: &str, context: &str) -> Verdict {
        let problem = match (serde_json::from_str(user), serde_json::from_str(context)) {
            _ if user.len().max(context.len()) > RESULT_LIMIT => {
                format!("more than {RESULT_LIMIT} bytes of user or context")
            }
            (Ok(user), Ok(context)) => return Verdict::Done { user, context },
            (Err(error), _) | (_, Err(error)) => format!("a value that is not plain JSON: {error}"),
        };
        self.denied(DenyReason::Failed, &format!("it called back with {problem}"))
    }

    pub(super) fn denied(&self, reason: DenyReason, message: &str) -> Verdict {
        Verdict::Denied { index: self.index.get(), reason, message: self.redact_and_cut(message) }
    }

    fn keep_global(&self, global: String) {
        if global.len() <= GLOBAL_LIMIT {
            *self.global.borrow_mut() = Some(global);
        } else {
            self.console("warn", &format!("global is over {GLOBAL_LIMIT} bytes of JSON and is not kept"));
        }
    }

    /// The verdict for an error of the engine that no rule can catch.
    pub(super) fn engine_error(&self, ctx: &Ctx<'_>, error: &rquickjs::Error) -> Verdict {
        if self.is_late() {
            return self.denied(DenyReason::TimedOut, "");
        }
        let problem = match error {
            rquickjs::Error::Exception => {
                describe(&ctx.catch()).unwrap_or_else(|| "an unknown error".to_owned())
            }
            other => other.to_string(),
        };
        let memory = matches!(error, rquickjs::Error::Allocation) || is_out_of_memory(&problem);
        let reason = if memory { DenyReason::OutOfMemory } else { DenyReason::Crashed };
        self.denied(reason, &format!("the JavaScript engine failed with {problem}"))
    }

    /// Redacts secrets, then cuts: cut first, half a secret could remain.
    fn redact_and_cut(&self, text: &str) -> String {
        let text = self.redactor.redact(text);
        match text.char_indices().nth(TEXT_LIMIT) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text.into_owned(),
        }
    }
}

/// An error's name and message; `None` for other values.
pub(super) fn describe(thrown: &Value<'_>) -> Option<String> {
    let error = thrown.as_object()?;
    let (name, message): (String, String) = (error.get("name").ok()?, error.get("message").ok()?);
    Some(format!("{name}: {message}"))
}

/// Whether an error's description is QuickJS's when the heap is full.
pub(super) fn is_out_of_memory(description: &str) -> bool {
    description.contains("out of memory")
}

/// The parts of a URL with the WHATWG's names, as JSON; `None` when it is not a URL.
fn parse_url(text: String, base: Option<String>) -> Option<String> {
    use url::quirks as part;
    let url = match base {
        Some(base) => Url::parse(&base).ok()?.join(&text).ok()?,
        None => Url::parse(&text).ok()?,
    };
    let parts = serde_json::json!({
        "href": part::href(&url), "origin": part::origin(&url), "protocol": part::protocol(&url),
        "username": part::username(&url), "password": part::password(&url), "host": part::host(&url),
        "hostname": part::hostname(&url), "port": part::port(&url), "pathname": part::pathname(&url),
        "search": part::search(&url), "hash": part::hash(&url),
    });
    Some(parts.to_string())
}
