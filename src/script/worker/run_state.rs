//! What a run has outside JavaScript: its limits, its pending calls, its verdict, and the effects of its actions.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use rquickjs::{Ctx, Exception, Value};
use serde_json::Value as Json;

use super::super::action_cache::ActionCache;
use super::super::action_run::ActionsInput;
use super::super::api_calls::Circumstances;
use super::super::effects::Effects;
use super::super::ipc::{
    API_CALLS, CALLS_AT_ONCE, CONSOLE_LINES, Call, FromWorker, RESULT_LIMIT, Run, TEXT_LIMIT, Verdict,
};
use super::super::login::DenyReason;
use super::super::reads::Reads;
use super::super::redact::Redactor;
use super::super::redirect_token;
use super::super::trace::ConsoleLevel;
use super::pipe::Pipe;
use crate::clock::Clock;

/// The state of the current run. [`begin`](Self::begin) forgets the one before.
pub(super) struct RunState {
    pub(super) pipe: Rc<Pipe>,
    clock: Clock,
    redactor: RefCell<Redactor>,
    /// When the time limit ends, on the clock's own scale.
    deadline: Cell<Duration>,
    /// The calls that scripts wait for, and whether each is a timer.
    pub(super) pending: RefCell<BTreeMap<u64, bool>>,
    lines: Cell<usize>,
    /// The index of the script that runs.
    index: Cell<usize>,
    pub(super) verdict: RefCell<Option<Verdict>>,
    /// The last unhandled rejection: it may explain why a script never ends.
    pub(super) unhandled: RefCell<Option<String>>,
    /// Of actions.
    pub(super) api: RefCell<Option<ApiState>>,
    pub(super) is_test: Cell<bool>,
    pub(super) is_traced: Cell<bool>,
    /// The lines that were reported.
    reached: RefCell<BTreeSet<u32>>,
    /// The paths that were reported of the script that runs.
    reads: RefCell<Reads>,
}

/// The state behind `api`.
pub(super) struct ApiState {
    pub(super) input: ActionsInput,
    pub(super) effects: Effects,
    cache: ActionCache,
    is_continued: bool,
    calls: usize,
}

impl RunState {
    pub(super) fn new(pipe: &Rc<Pipe>) -> Self {
        Self {
            pipe: Rc::clone(pipe),
            clock: Clock::system(),
            redactor: RefCell::default(),
            deadline: Cell::default(),
            pending: RefCell::default(),
            lines: Cell::default(),
            index: Cell::default(),
            verdict: RefCell::default(),
            unhandled: RefCell::default(),
            api: RefCell::default(),
            is_test: Cell::default(),
            is_traced: Cell::default(),
            reached: RefCell::default(),
            reads: RefCell::default(),
        }
    }

    /// Starts a run. Its time limit starts here.
    pub(super) fn begin(&self, run: &Run) {
        self.is_test.set(run.is_fresh);
        self.is_traced.set(run.is_traced);
        self.reached.take();
        *self.redactor.borrow_mut() = run.scripts.redactor();
        self.deadline.set(self.clock.elapsed().saturating_add(Duration::from_millis(run.millis)));
        self.lines.set(0);
        self.index.set(0);
        self.api.take();
        self.begin_script();
    }

    /// Between runs: the engine's own work has no time limit.
    pub(super) fn lift_deadline(&self) {
        self.deadline.set(Duration::MAX);
    }

    /// Forgets what the script before left behind.
    pub(super) fn begin_script(&self) {
        self.pending.borrow_mut().clear();
        self.verdict.take();
        self.unhandled.take();
    }

    /// Reports a line of an instrumented script, once.
    pub(super) fn reach(&self, line: u32) {
        if self.reached.borrow_mut().insert(line) {
            drop(self.pipe.send(&FromWorker::Reached(line)));
        }
    }

    /// Reports a member that the script has read, once.
    pub(super) fn read(&self, path: Vec<String>) {
        if self.reads.borrow_mut().add(&path) {
            drop(self.pipe.send(&FromWorker::Read(path)));
        }
    }

    /// Reports a member that a rule has changed; an empty text when it has removed it.
    pub(super) fn changed(&self, path: Vec<String>, json: &str) {
        drop(self.pipe.send(&FromWorker::Changed(path, self.redact_and_cut(json))));
    }

    pub(super) fn start_script(&self, index: usize) {
        self.index.set(index);
        self.reads.take();
        // A closed pipe is noticed at the next receive.
        drop(self.pipe.send(&FromWorker::ScriptStarted(index)));
    }

    /// The script that the next verdict is about.
    pub(super) fn set_index(&self, index: usize) {
        self.index.set(index);
    }

    pub(super) fn is_late(&self) -> bool {
        self.clock.elapsed() >= self.deadline.get()
    }

    pub(super) fn send(&self, ctx: &Ctx<'_>, call: &str) -> rquickjs::Result<u64> {
        if self.pending.borrow().len() >= CALLS_AT_ONCE {
            let message = format!("more than {CALLS_AT_ONCE} calls and timers at once");
            return Err(Exception::throw_range(ctx, &message));
        }
        let problem = |error: &dyn std::fmt::Display| format!("the call cannot be made: {error}");
        let call: Call =
            serde_json::from_str(call).map_err(|error| Exception::throw_type(ctx, &problem(&error)))?;
        let is_timer = matches!(call, Call::Sleep(_));
        let id = self.pipe.call(call).map_err(|error| Exception::throw_range(ctx, &problem(&error)))?;
        self.pending.borrow_mut().insert(id, is_timer);
        Ok(id)
    }

    pub(super) fn console(&self, level: &str, text: &str) {
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
    pub(super) fn end(&self, verdict: Verdict) {
        let mut current = self.verdict.borrow_mut();
        if !matches!(*current, Some(Verdict::Denied { .. })) {
            *current = Some(verdict);
        }
    }

    pub(super) fn done(&self, user: &str, context: &str) -> Verdict {
        let problem = match (serde_json::from_str(user), serde_json::from_str(context)) {
            _ if user.len().max(context.len()) > RESULT_LIMIT => {
                format!("more than {RESULT_LIMIT} bytes of user or context")
            }
            (Ok(user), Ok(context)) => return Verdict::Done { user, context },
            (Err(error), _) | (_, Err(error)) => format!("a value that is not plain JSON: {error}"),
        };
        self.denied(DenyReason::Failed, &format!("it called back with {problem}"))
    }

    /// A denial by the current script.
    pub(super) fn denied(&self, reason: DenyReason, message: &str) -> Verdict {
        self.denied_by_error(reason, message, None)
    }

    /// A denial by the current script, with the text of the error that caused it.
    pub(super) fn denied_by_error(&self, reason: DenyReason, message: &str, text: Option<&str>) -> Verdict {
        let (message, error_text) =
            (self.redact_and_cut(message), text.map(|text| self.redact_and_cut(text)));
        Verdict::Denied { index: self.index.get(), reason, message, error_text }
    }

    /// The verdict for an error of the engine that no script can catch.
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

    fn redact_and_cut(&self, text: &str) -> String {
        self.redactor.borrow().redact_and_cut(text, TEXT_LIMIT)
    }

    /// Starts the actions of a trigger.
    pub(super) fn set_api(&self, input: ActionsInput, cache: ActionCache) {
        let effects = input.effects.clone();
        *self.api.borrow_mut() = Some(ApiState { input, effects, cache, is_continued: false, calls: 0 });
    }

    /// A member of `api` was called; `args` is a JSON array. Returns the JSON of its result; `None` is `undefined`.
    pub(super) fn call_api(&self, member: &str, args: &str) -> Result<Option<String>, String> {
        let args: Vec<Json> = serde_json::from_str(args)
            .map_err(|error| format!("api.{member}: the arguments are not JSON: {error}"))?;
        let mut api = self.api.borrow_mut();
        let api = api.as_mut().ok_or("no action runs")?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have far fewer bits")]
        let now = self.clock.now().as_millisecond() as f64;
        if let Some(answer) = api.answer(member, &args, self.clock.now().as_second()) {
            return answer.map(|answer| Some(answer.to_string()));
        }
        let answer = if member.starts_with("cache.") { api.cache.call(member, &args, now) } else { None };
        if member == "cache.get" {
            return Ok(answer.map(|answer| answer.to_string()));
        }
        api.calls += 1;
        if api.calls > API_CALLS {
            return Err(format!("api.{member}: more than {API_CALLS} calls of api in one run"));
        }
        api.effects.apply(api.circumstances(), member, &args)?;
        if let ("transaction.setMetadata", Some(key), Some(metadata)) =
            (member, args.first().and_then(Json::as_str), api.transaction_metadata())
        {
            match args.get(1) {
                None | Some(Json::Null) => metadata.remove(key),
                Some(value) => metadata.insert(key.to_owned(), value.clone()),
            };
        }
        // A closed pipe is noticed at the next receive.
        self.pipe
            .send(&FromWorker::Api(member.to_owned(), args))
            .map_err(|error| format!("api.{member}: {error}"))?;
        Ok(answer.map(|answer| answer.to_string()))
    }
}

impl ApiState {
    pub(super) fn start_action(&mut self, is_continued: bool) {
        self.is_continued = is_continued;
    }

    fn circumstances(&self) -> Circumstances {
        Circumstances { trigger: self.input.trigger, is_continued: self.is_continued }
    }

    /// The part of `event` that later actions see at once.
    fn transaction_metadata(&mut self) -> Option<&mut serde_json::Map<String, Json>> {
        let transaction = self
            .input
            .event
            .as_object_mut()?
            .entry("transaction")
            .or_insert_with(|| Json::Object(Default::default()));
        let metadata = transaction
            .as_object_mut()?
            .entry("metadata")
            .or_insert_with(|| Json::Object(Default::default()));
        metadata.as_object_mut()
    }

    /// The result of a member that changes nothing; `None` for the others.
    fn answer(&self, member: &str, args: &[Json], now: i64) -> Option<Result<Json, String>> {
        let facts = &self.input.facts;
        let none = Json::Null;
        let first = args.first().unwrap_or(&none);
        let named = |entries: &[Json], by: &str| -> Vec<Json> {
            let wanted = first.as_array().map(Vec::as_slice).unwrap_or_default();
            entries
                .iter()
                .filter(|entry| entry.get(by).is_some_and(|value| wanted.contains(value)))
                .cloned()
                .collect()
        };
        Some(Ok(match member {
            "redirect.canRedirect" => facts.can_redirect.into(),
            "redirect.encodeToken" => {
                return Some(redirect_token::encode(&self.input.event, first, now).map(Json::from));
            }
            "redirect.validateToken" => return Some(redirect_token::validate(&self.input.event, first, now)),
            "rules.wasExecuted" => facts.executed_rules.iter().any(|id| first == id).into(),
            "groups.getUserGroups" => page("groups", &facts.groups, first),
            "groups.hasGroupMembership" => {
                let is_member =
                    !named(&facts.groups, "id").is_empty() || !named(&facts.groups, "name").is_empty();
                is_member.into()
            }
            "roles.getUserEffectiveRoles" => page("roles", &facts.roles, first),
            "roles.getUserEffectiveRolesByIds" => serde_json::json!({"roles": named(&facts.roles, "id")}),
            "roles.getUserEffectiveRolesByNames" => serde_json::json!({"roles": named(&facts.roles, "name")}),
            _ => return None,
        }))
    }
}

/// A page of at most 50 entries: `take` of them, after the entry whose id is `from`.
fn page(name: &str, entries: &[Json], options: &Json) -> Json {
    let take = options.get("take").and_then(Json::as_u64).map_or(50, |take| take.clamp(1, 50));
    let take = usize::try_from(take).unwrap_or(50);
    let after =
        options.get("from").and_then(|from| entries.iter().position(|entry| entry.get("id") == Some(from)));
    let rest = entries.get(after.map_or(0, |at| at + 1)..).unwrap_or_default();
    let shown = rest.get(..take.min(rest.len())).unwrap_or_default();
    let next = if rest.len() > shown.len() { shown.last().and_then(|entry| entry.get("id")) } else { None };
    serde_json::json!({name: shown, "next": next})
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
