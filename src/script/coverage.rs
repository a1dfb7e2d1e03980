//! Which lines of a script a test reaches: a call before each statement reports it.

use std::collections::BTreeSet;

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_parser::Parser;
use oxc_semantic::{NodeId, SemanticBuilder};
use oxc_span::{GetSpan, SourceType};

use super::trace::ScriptKind;

/// The global function that a run of a test has; it takes the number of a line.
pub(super) const REACHED: &str = "__vestibuleReached";

/// A script that reports which of its lines run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instrumented {
    /// The script with the calls. Its lines keep their numbers.
    pub code: String,
    /// The lines where statements begin.
    pub lines: BTreeSet<u32>,
}

/// Adds a report before each statement of a script. `None` when it does not compile.
pub fn instrumented(code: &str, kind: ScriptKind) -> Option<Instrumented> {
    let allocator = Allocator::default();
    let (text, shift) = match kind {
        // A function as an expression, as the engine compiles it.
        ScriptKind::Rule => (format!("({}\n)", code.trim_end().trim_end_matches(';')), 1),
        ScriptKind::Action => (code.to_owned(), 0),
    };
    let starts = starts(&allocator, &text, kind)?;
    let (mut out, mut lines, mut done) = (String::with_capacity(code.len() * 2), BTreeSet::new(), 0);
    for start in starts {
        let at = start.checked_sub(shift)?;
        let line = u32::try_from(code.get(..at)?.matches('\n').count()).ok()?.saturating_add(1);
        lines.insert(line);
        out.push_str(code.get(done..at)?);
        out.push_str(&format!("{REACHED}({line});"));
        done = at;
    }
    out.push_str(code.get(done..)?);
    Some(Instrumented { code: out, lines })
}

/// Where the statements in lists of statements begin, in the order of the text.
fn starts(allocator: &Allocator, text: &str, kind: ScriptKind) -> Option<BTreeSet<usize>> {
    let parsed = Parser::new(allocator, text, SourceType::script()).parse();
    if parsed.diagnostics.errors().next().is_some() {
        return None;
    }
    let program = allocator.alloc(parsed.program);
    let semantic = SemanticBuilder::new().with_build_nodes(true).build(program).semantic;
    let nodes = semantic.nodes();
    let in_list = |node: NodeId| {
        let parent = nodes.parent_id(node);
        match nodes.kind(parent) {
            AstKind::BlockStatement(_) | AstKind::SwitchCase(_) | AstKind::Program(_) => true,
            AstKind::FunctionBody(_) => !matches!(
                nodes.kind(nodes.parent_id(parent)),
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
    let found = nodes.iter().filter(|node| is_statement(&node.kind()) && in_list(node.id()));
    let starts = found.map(|node| node.kind().span().start as usize);
    // A rule as a whole is a statement of the parsed text only.
    Some(starts.filter(|start| kind == ScriptKind::Action || *start > 0).collect())
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
}
