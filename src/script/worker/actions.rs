//! A trigger's actions: one context for each, so that none sees another's secrets.

use std::collections::BTreeMap;
use std::io;

use rquickjs::{Array, Ctx, Function, Object};

use super::super::action::{Action, Dependency};
use super::super::action_cache::ActionCache;
use super::super::action_run::{ActionsInput, Resume};
use super::super::api_members::members;
use super::super::ipc::Verdict;
use super::engine::{Engine, compile};
use super::run_state::RunState;

/// Runs the actions until the last has ended or one has denied or suspended the run.
///
/// # Errors
/// When the host has closed the pipe.
pub(super) fn run(engine: &mut Engine, input: ActionsInput, cache: ActionCache) -> io::Result<Verdict> {
    let state = std::rc::Rc::clone(&engine.state);
    let (trigger, actions) = (input.trigger, input.actions.clone());
    let resume = input.resume.unwrap_or(Resume { action: 0, continues: false });
    state.set_api(input, cache);
    for (index, action) in actions.iter().enumerate().skip(resume.action) {
        let is_continued = resume.continues && index == resume.action;
        let handler = if is_continued { trigger.continue_handler() } else { None };
        let handler = handler.unwrap_or_else(|| trigger.handler());
        state.start_script(index);
        let event = state.api.borrow_mut().as_mut().map(|api| {
            api.start_action(is_continued);
            api.input.event.to_string()
        });
        let verdict = engine.run(
            &(trigger, action),
            |ctx, host| load(ctx, host, &state, action, members(trigger)),
            |_, host| host.get::<_, Function<'_>>("startAction")?.call((event.unwrap_or_default(), handler)),
        )?;
        let stops = state.api.borrow().as_ref().is_none_or(|api| api.effects.stops());
        if stops || !matches!(verdict, Verdict::Settled) {
            return Ok(verdict);
        }
    }
    Ok(Verdict::Settled)
}

/// Compiles an action and its modules, and runs the action's own top level.
fn load<'js>(
    ctx: &Ctx<'js>,
    host: &Object<'js>,
    state: &RunState,
    action: &Action,
    members: Vec<&'static str>,
) -> rquickjs::Result<()> {
    // One line before the code would shift its line numbers, so the wrapper begins on its first line.
    let wrap = |parameters: &str, code: &str| {
        format!("(function (exports, require, module, __filename, __dirname{parameters}) {{{code}\n}})")
    };
    let modules = Array::new(ctx.clone())?;
    for (index, module) in action.modules.iter().enumerate() {
        let name = format!("actions:{}", module.name);
        let source = wrap(", actions", &module.code);
        let Some(function) = compile(ctx, host, state, &name, source)? else { return Ok(()) };
        let entry = Array::new(ctx.clone())?;
        entry.set(0, name)?;
        entry.set(1, function)?;
        entry.set(2, serde_json::json!(module.secrets).to_string())?;
        entry.set(3, versions(&module.dependencies))?;
        modules.set(index, entry)?;
    }
    let Some(function) = compile(ctx, host, state, &action.name, wrap("", &action.code))? else {
        return Ok(());
    };
    let secrets = serde_json::json!(action.secrets).to_string();
    let load: Function = host.get("loadAction")?;
    load.call((action.name.as_str(), function, secrets, modules, members, versions(&action.dependencies)))
}

/// The versions of the packages that a script names, as JSON.
fn versions(dependencies: &[Dependency]) -> String {
    let versions: BTreeMap<_, _> = dependencies.iter().map(|of| (&of.name, &of.version)).collect();
    serde_json::json!(versions).to_string()
}
