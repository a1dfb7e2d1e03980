//! A login's rules: one context for all, so that they share `global`.

use std::io;

use rquickjs::{Array, Function};

use super::super::ipc::Verdict;
use super::super::login::{LoginInput, rule_expression};
use super::engine::{Engine, compile};
use crate::bundle::Rule;

/// Runs the rules until the last has called back or one has not done so cleanly.
///
/// # Errors
/// When the host has closed the pipe.
pub(super) fn run(engine: &mut Engine, rules: &[Rule], input: &LoginInput) -> io::Result<Verdict> {
    let state = std::rc::Rc::clone(&engine.state);
    engine.run(
        &(rules, &input.configuration),
        |ctx, host| {
            // All rules compile before the first runs: a syntax error in the last must not leave half a login's effects.
            let compiled = Array::new(ctx.clone())?;
            for (index, rule) in rules.iter().enumerate() {
                state.set_index(index);
                let source = rule_expression(&rule.script);
                let Some(function) = compile(ctx, host, &state, &rule.name, source)? else { return Ok(()) };
                compiled.set(index, function)?;
            }
            state.set_index(0);
            let configuration = serde_json::json!(input.configuration).to_string();
            host.get::<_, Function<'_>>("loadRules")?.call((compiled, configuration))
        },
        |_, host| {
            let start: Function = host.get("startRules")?;
            let auth0 = serde_json::json!({
                "domain": input.auth0.domain, "baseUrl": input.auth0.base_url, "accessToken": input.auth0.access_token,
            });
            start.call((input.user.to_string(), input.context.to_string(), auth0.to_string()))
        },
    )
}
