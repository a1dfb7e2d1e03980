//! Whether scripts compile: a parser reads them, and nothing of them runs.

use oxc_allocator::Allocator;
use serde_json::Value;

use super::super::login::rule_expression;
use super::super::trace::ScriptKind;
use super::note::Note;
use super::source::{Tree, on_own_stack};
use crate::bundle::{Bundle, Kind};

/// Parses a rule, or the code of an action or an action module, as the JavaScript of Auth0's Node.
///
/// # Errors
/// The first syntax error with its line, or that the script is too long or nested too deeply.
pub fn check_syntax(kind: ScriptKind, code: &str) -> Result<(), Note> {
    let (text, _) = expression(kind, code);
    let parsed = on_own_stack(&[code], || Tree::parse(&Allocator::default(), &text).map(drop))?;
    // What is not closed is missing in the wrapper's line, after the last one.
    let last = code.lines().count().max(1);
    parsed.map_err(|note| Note { line: note.line.min(last), ..note })
}

/// A script as one expression, as the engine compiles it, and where its code begins there: in the first line.
pub(super) fn expression(kind: ScriptKind, code: &str) -> (String, usize) {
    const MODULE: &str = "(function (exports, require, module) {";
    match kind {
        ScriptKind::Rule => (rule_expression(code), 1),
        ScriptKind::Action => (format!("{MODULE}{code}\n}})"), MODULE.len()),
    }
}

/// What of a bundle's enabled rules, actions and action modules does not compile: `FILE:LINE: REASON`.
pub fn syntax_errors(bundle: &Bundle) -> Vec<String> {
    let rules = bundle.rules.iter().filter(|rule| rule.enabled);
    let rules = rules.map(|rule| (format!("rules/{}.js", rule.name), ScriptKind::Rule, rule.script.as_str()));
    let actions = [Kind::Action, Kind::ActionModule].into_iter().flat_map(|kind| {
        bundle.objects.list(kind).iter().filter_map(move |object| {
            let text = |member: &str| object.get(member).and_then(Value::as_str);
            let file = format!("{}/{}/code.js", kind.folder(), text("name")?);
            Some((file, ScriptKind::Action, text("code")?))
        })
    });
    let broken = rules.chain(actions).filter_map(|(file, kind, code)| {
        let Note { line, text } = check_syntax(kind, code).err()?;
        Some(format!("{file}:{line}: {text}"))
    });
    broken.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_syntax_error_has_its_line() {
        let line = |kind, code: &str| check_syntax(kind, code).err().map(|note| note.line);
        let rule = "function (user, context, callback) {\n  callback(null, user, context);\n}";
        assert_eq!(line(ScriptKind::Rule, &format!("{rule};\n")), None);
        assert_eq!(line(ScriptKind::Rule, &rule.replace("null,", "null")), Some(2));
        let action = "const x = require('x');\nexports.onExecutePostLogin = async () => {\n  await x?.y;\n};";
        assert_eq!(line(ScriptKind::Action, action), None);
        assert_eq!(line(ScriptKind::Action, &action.replace("async ", "")), Some(3));
        assert_eq!(line(ScriptKind::Action, &format!("// a\n{}", action.replace("x?", "x? ?"))), Some(4));
        assert_eq!(line(ScriptKind::Action, "(event) => {\n"), Some(1), "not closed");
        assert_eq!(line(ScriptKind::Action, &"(".repeat(100_000)), Some(1), "nested too deeply");
    }
}
