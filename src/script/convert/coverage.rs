//! Which lines of a script a test reaches: a call before each statement reports it.

use std::collections::BTreeSet;

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_semantic::NodeId;
use oxc_span::GetSpan;

use super::super::trace::ScriptKind;
use super::source::{Tree, on_own_stack};
use super::syntax::expression;

/// The global function that a run of a test has; it takes the number of a line.
pub(in super::super) const REACHED: &str = "__vestibuleReached";

/// A script that reports which of its lines run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instrumented {
    /// The script with the calls. Its lines keep their numbers.
    pub code: String,
    /// The lines where statements begin.
    pub lines: BTreeSet<u32>,
}

/// Adds a report before each statement of a script. `None` when it does not compile, is too long or nested too deeply.
pub fn instrumented(code: &str, kind: ScriptKind) -> Option<Instrumented> {
    let (text, shift) = expression(kind, code);
    let starts = on_own_stack(&[code], || starts(&Tree::parse(&Allocator::default(), &text).ok()?, shift));
    let (mut out, mut lines, mut done) = (String::with_capacity(code.len() * 2), BTreeSet::new(), 0);
    for at in starts.ok()?? {
        let line = u32::try_from(code.get(..at)?.matches('\n').count()).ok()?.saturating_add(1);
        lines.insert(line);
        out.push_str(code.get(done..at)?);
        out.push_str(&format!("{REACHED}({line});"));
        done = at;
    }
    out.push_str(code.get(done..)?);
    Some(Instrumented { code: out, lines })
}

/// Where the statements in lists of statements begin in a script whose code begins at `shift`, in the order of the text.
fn starts(tree: &Tree<'_>, shift: usize) -> Option<BTreeSet<usize>> {
    let in_list = |node: NodeId| {
        let parent = tree.parent(node);
        match tree.kind(parent) {
            AstKind::BlockStatement(_) | AstKind::SwitchCase(_) => true,
            AstKind::FunctionBody(_) => !matches!(
                tree.kind(tree.parent(parent)),
                AstKind::ArrowFunctionExpression(arrow) if arrow.body.as_function_body().is_none()
            ),
            _ => false,
        }
    };
    let is_statement = |kind: &AstKind<'_>| {
        matches!(
            kind,
            AstKind::ExpressionStatement(_)
                | AstKind::VariableDeclaration(_)
                | AstKind::ReturnStatement(_)
                | AstKind::IfStatement(_)
                | AstKind::ForStatement(_)
                | AstKind::ForInStatement(_)
                | AstKind::ForOfStatement(_)
                | AstKind::WhileStatement(_)
                | AstKind::DoWhileStatement(_)
                | AstKind::ThrowStatement(_)
                | AstKind::TryStatement(_)
                | AstKind::SwitchStatement(_)
                | AstKind::BreakStatement(_)
                | AstKind::ContinueStatement(_)
        )
    };
    let found = tree.nodes().filter(|(node, kind)| is_statement(kind) && in_list(*node));
    found.map(|(_, kind)| (kind.span().start as usize).checked_sub(shift)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statement_of_a_list_is_reported_and_no_other() {
        for (kind, code, expected, lines) in [
            (
                ScriptKind::Rule,
                "function (user, context, callback) {\n  if (user.a) return callback();\n  callback(null, user, context);\n}",
                "function (user, context, callback) {\n  R(2);if (user.a) return callback();\n  R(3);callback(null, user, context);\n}",
                vec![2, 3],
            ),
            (
                ScriptKind::Action,
                "const f = (x) => x + 1\nexports.onExecutePostLogin = async (event, api) => {\n  for (const a of event.b) { api.c(a) }\n};",
                "R(1);const f = (x) => x + 1\nR(2);exports.onExecutePostLogin = async (event, api) => {\n  R(3);for (const a of event.b) { R(3);api.c(a) }\n};",
                vec![1, 2, 3],
            ),
            (ScriptKind::Action, "'use strict';\nf();", "'use strict';\nR(2);f();", vec![2]),
        ] {
            let found = instrumented(code, kind).unwrap();
            assert_eq!(found.code.replace(REACHED, "R"), expected);
            assert_eq!(found.lines, lines.into_iter().collect());
        }
        assert_eq!(instrumented("exports.x = {{", ScriptKind::Action), None);
    }

    #[test]
    fn a_script_that_is_nested_without_end_harms_nothing() {
        let deep = "!".repeat(50_000) + "1;";
        let found = instrumented(&deep, ScriptKind::Action).unwrap();
        assert_eq!((found.code, found.lines), (format!("{REACHED}(1);{deep}"), BTreeSet::from([1])));
        for (text, kind) in [("!", ScriptKind::Action), ("(", ScriptKind::Rule)] {
            assert_eq!(instrumented(&(text.repeat(100_001) + "1"), kind), None, "{text}");
        }
    }
}
