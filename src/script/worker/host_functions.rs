//! The kit: the functions through which the prelude reaches out of JavaScript, and what they share.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use rquickjs::{Ctx, Exception, Function, Object, Value};
use url::Url;

use super::super::ipc::{
    CALLS_AT_ONCE, CONSOLE_LINES, Call, FromWorker, RESULT_LIMIT, Run, TEXT_LIMIT, Verdict,
};
use super::super::outcome::{ConsoleLevel, DenyReason};
use super::super::redact::Redactor;
use super::pipe::Link;
use crate::clock::Clock;

/// The longest `global` that is kept, in bytes of JSON.
const GLOBAL_LIMIT: usize = 64 * 1024;

/// What the functions of the kit share: one login's state outside of JavaScript.
pub(super) struct Session {
    pub(super) link: Rc<Link>,
    redactor: Redactor,
    clock: Clock,
    limit: Duration,
    /// Calls that scripts wait for.
    pub(super) waiting: RefCell<BTreeSet<u64>>,
    lines: Cell<usize>,
    pub(super) index: Cell<usize>,
    pub(super) verdict: RefCell<Option<Verdict>>,
    pub(super) global: RefCell<Option<String>>,
    /// The last promise that was rejected with nobody to hear it: it explains a rule that never calls back.
    pub(super) unheard: RefCell<Option<String>>,
}

/// The functions through which the prelude reaches out of JavaScript.
pub(super) fn kit<'js>(ctx: &Ctx<'js>, session: &Rc<Session>) -> rquickjs::Result<Object<'js>> {
    let kit = Object::new(ctx.clone())?;
    let s = Rc::clone(session);
    kit.set("send", Function::new(ctx.clone(), move |ctx: Ctx<'js>, call: String| s.send(&ctx, &call))?)?;
    let s = Rc::clone(session);
    kit.set(
        "forget",
        Function::new(ctx.clone(), move |id: u64| {
            s.waiting.borrow_mut().remove(&id);
        })?,
    )?;
    let s = Rc::clone(session);
    kit.set("begin", Function::new(ctx.clone(), move |index: usize| s.begin(index))?)?;
    let s = Rc::clone(session);
    kit.set("say", Function::new(ctx.clone(), move |level: String, text: String| s.say(&level, &text))?)?;
    let s = Rc::clone(session);
    kit.set(
        "done",
        Function::new(ctx.clone(), move |user: String, context: String| s.end(s.done(&user, &context)))?,
    )?;
    let s = Rc::clone(session);
    kit.set(
        "deny",
        Function::new(ctx.clone(), move |index: usize, reason: String, message: String| {
            s.index.set(index);
            let reason = serde_json::from_value(reason.into()).unwrap_or(DenyReason::Failed);
            s.end(s.denied(reason, &message));
        })?,
    )?;
    let s = Rc::clone(session);
    kit.set("keep", Function::new(ctx.clone(), move |json: String| s.keep(json))?)?;
    kit.set("url", Function::new(ctx.clone(), parse_url)?)?;
    Ok(kit)
}

impl Session {
    /// Its clock starts here.
    pub(super) fn new(link: &Rc<Link>, run: &Run) -> Self {
        Self {
            link: Rc::clone(link),
            redactor: Redactor::new(&run.configuration),
            clock: Clock::system(),
            limit: Duration::from_millis(run.millis),
            waiting: RefCell::default(),
            lines: Cell::new(0),
            index: Cell::new(0),
            verdict: RefCell::default(),
            global: RefCell::default(),
            unheard: RefCell::default(),
        }
    }

    pub(super) fn is_late(&self) -> bool {
        self.clock.elapsed() >= self.limit
    }

    fn send(&self, ctx: &Ctx<'_>, call: &str) -> rquickjs::Result<u64> {
        if self.waiting.borrow().len() >= CALLS_AT_ONCE {
            let message = format!("more than {CALLS_AT_ONCE} calls and timers at once");
            return Err(Exception::throw_range(ctx, &message));
        }
        let call: Call = serde_json::from_str(call)
            .map_err(|error| Exception::throw_type(ctx, &format!("the call can not be made: {error}")))?;
        let id = self
            .link
            .call(call)
            .map_err(|error| Exception::throw_range(ctx, &format!("the call can not be made: {error}")))?;
        self.waiting.borrow_mut().insert(id);
        Ok(id)
    }

    fn begin(&self, index: usize) {
        self.index.set(index);
        // A host that has gone is noticed where it is waited for.
        drop(self.link.send(&FromWorker::Begin(index)));
    }

    fn say(&self, level: &str, text: &str) {
        let lines = self.lines.get() + 1;
        self.lines.set(lines);
        if lines > CONSOLE_LINES {
            return;
        }
        let text = if lines == CONSOLE_LINES { "(what follows is not kept)" } else { text };
        let level = serde_json::from_value(level.into()).unwrap_or(ConsoleLevel::Log);
        drop(self.link.send(&FromWorker::Say(level, self.clean(text))));
    }

    /// The first verdict stands, except that a denial takes back an acceptance.
    fn end(&self, verdict: Verdict) {
        let mut slot = self.verdict.borrow_mut();
        if !matches!(*slot, Some(Verdict::Denied { .. })) {
            *slot = Some(verdict);
        }
    }

    fn done(&self, user: &str, context: &str) -> Verdict {
        match (serde_json::from_str(user), serde_json::from_str(context)) {
            _ if user.len().max(context.len()) > RESULT_LIMIT => {
                let message =
                    format!("it called back with more than {RESULT_LIMIT} bytes of user or context");
                self.denied(DenyReason::Failed, &message)
            }
            (Ok(user), Ok(context)) => Verdict::Done { user, context },
            (Err(error), _) | (_, Err(error)) => {
                let message = format!("it called back with what is not plain JSON: {error}");
                self.denied(DenyReason::Failed, &message)
            }
        }
    }

    pub(super) fn denied(&self, reason: DenyReason, message: &str) -> Verdict {
        Verdict::Denied { index: self.index.get(), reason, message: self.clean(message) }
    }

    fn keep(&self, global: String) {
        if global.len() <= GLOBAL_LIMIT {
            *self.global.borrow_mut() = Some(global);
        } else {
            self.say("warn", &format!("global is over {GLOBAL_LIMIT} bytes of JSON and is not kept"));
        }
    }

    /// The engine itself gave up, outside of any rule's own `try`.
    pub(super) fn broken(&self, ctx: &Ctx<'_>, error: &rquickjs::Error) -> Verdict {
        if self.is_late() {
            return self.denied(DenyReason::TimedOut, "");
        }
        let what = match error {
            rquickjs::Error::Exception => describe(&ctx.catch()),
            other => Some(other.to_string()),
        };
        let what = what.unwrap_or_else(|| "nothing it could name".to_owned());
        let memory = matches!(error, rquickjs::Error::Allocation) || what.contains("out of memory");
        let reason = if memory { DenyReason::OutOfMemory } else { DenyReason::Crashed };
        self.denied(reason, &format!("the JavaScript engine gave up with {what}"))
    }

    /// Without secrets, then short: cut first, and half a secret would be left.
    fn clean(&self, text: &str) -> String {
        let text = self.redactor.redact(text);
        match text.char_indices().nth(TEXT_LIMIT) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text.into_owned(),
        }
    }
}

/// An error's name and message; `None` for what is not an error.
pub(super) fn describe(thrown: &Value<'_>) -> Option<String> {
    let error = thrown.as_object()?;
    let (name, message): (String, String) = (error.get("name").ok()?, error.get("message").ok()?);
    Some(format!("{name}: {message}"))
}

/// The parts of a URL as the WHATWG names them, as JSON; nothing when it is none.
fn parse_url(text: String, base: Option<String>) -> Option<String> {
    use url::quirks::{
        hash, host, hostname, href, origin, password, pathname, port, protocol, search, username,
    };
    let url = match base {
        Some(base) => Url::parse(&base).ok()?.join(&text).ok()?,
        None => Url::parse(&text).ok()?,
    };
    let parts = serde_json::json!({
        "href": href(&url), "origin": origin(&url), "protocol": protocol(&url),
        "username": username(&url), "password": password(&url),
        "host": host(&url), "hostname": hostname(&url), "port": port(&url),
        "pathname": pathname(&url), "search": search(&url), "hash": hash(&url),
    });
    Some(parts.to_string())
}
