//! The host object: the Rust functions that the prelude calls.

use std::rc::Rc;

use rquickjs::object::Property;
use rquickjs::prelude::{Func, Opt};
use rquickjs::{Ctx, Exception, Object};

use super::super::api_members::missing_member;
use super::super::convert::REACHED;
use super::super::ipc::{RESULT_LIMIT, Verdict};
use super::super::login::DenyReason;
use super::run_state::RunState;

/// The object with the functions that the prelude calls. Scripts cannot reach it.
pub(super) fn host_object<'js>(ctx: &Ctx<'js>, state: &Rc<RunState>) -> rquickjs::Result<Object<'js>> {
    let host = Object::new(ctx.clone())?;
    host.set("limit", RESULT_LIMIT)?;
    let s = Rc::clone(state);
    host.set("send", Func::from(move |ctx: Ctx<'js>, call: String| s.send(&ctx, &call)))?;
    let s = Rc::clone(state);
    host.set("forget", Func::from(move |id: u64| s.pending.borrow_mut().remove(&id).is_some()))?;
    let s = Rc::clone(state);
    host.set("scriptStarted", Func::from(move |index: usize| s.start_script(index)))?;
    let s = Rc::clone(state);
    host.set("console", Func::from(move |level: String, text: String| s.console(&level, &text)))?;
    let s = Rc::clone(state);
    host.set("isTraced", Func::from(move || s.is_traced.get()))?;
    let s = Rc::clone(state);
    host.set("read", Func::from(move |path: Vec<String>| s.read(path)))?;
    let s = Rc::clone(state);
    host.set("changed", Func::from(move |path: Vec<String>, json: String| s.changed(path, &json)))?;
    let s = Rc::clone(state);
    host.set("done", Func::from(move |user: String, context: String| s.end(s.done(&user, &context))))?;
    let s = Rc::clone(state);
    host.set("settled", Func::from(move || s.end(Verdict::Settled)))?;
    let s = Rc::clone(state);
    let deny = move |index: Option<usize>, reason: String, message: String, text: Opt<String>| {
        if let Some(index) = index {
            s.set_index(index);
        }
        let reason = serde_json::from_value(reason.into()).unwrap_or(DenyReason::Failed);
        s.end(s.denied_by_error(reason, &message, text.as_deref()));
    };
    host.set("deny", Func::from(deny))?;
    let s = Rc::clone(state);
    let api = move |ctx: Ctx<'js>, member: String, args: String| {
        s.call_api(&member, &args).map_err(|problem| Exception::throw_type(&ctx, &problem))
    };
    host.set("api", Func::from(api))?;
    let s = Rc::clone(state);
    let missing = move |path: String| {
        s.api.borrow().as_ref().map(|api| missing_member(api.input.trigger, &path)).unwrap_or(path)
    };
    host.set("missing", Func::from(missing))?;
    Ok(host)
}

/// Defines the global function by which the lines of an instrumented script report themselves, in tests only.
pub(super) fn report_lines(ctx: &Ctx<'_>, state: &Rc<RunState>) -> rquickjs::Result<()> {
    if !state.is_test.get() {
        return Ok(());
    }
    let s = Rc::clone(state);
    ctx.globals().prop(REACHED, Property::from(Func::from(move |line: u32| s.reach(line))))
}
