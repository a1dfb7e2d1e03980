//! `auth0.users.updateAppMetadata(…).then(…).catch(…)` as a statement: calls of `api.user`, and what `then` does after them.

use oxc_ast::AstKind;
use oxc_ast::ast::{Argument, ArrowFunctionBody, CallExpression, Expression, FormalParameters};
use oxc_semantic::NodeId;
use oxc_span::{GetSpan, Span};

use super::callback::is_last;
use super::context::properties;
use super::draft::{Draft, Helper};
use super::source::{Then, Tree, parameter};

/// Rewrites the statement that the call is part of. Returns false when it is used in another way.
pub(super) fn inline(
    draft: &mut Draft<'_, '_>,
    call: &CallExpression<'_>,
    metadata: &Argument<'_>,
    helper: Helper,
) -> bool {
    let tree = draft.tree;
    let (mut top, mut then, mut dropped) = (call.node_id(), None, Vec::new());
    loop {
        let member = tree.parent(top);
        let AstKind::StaticMemberExpression(step) = tree.kind(member) else { break };
        let AstKind::CallExpression(next) = tree.kind(tree.parent(member)) else { break };
        let arguments: Vec<_> = next.arguments.iter().collect();
        match (step.property.name.as_str(), arguments.as_slice()) {
            ("then", [first, rest @ ..]) if then.is_none() && dropped.is_empty() => {
                let Some(body) = first.as_expression().and_then(|it| body_without_parameters(draft, it))
                else {
                    return false;
                };
                then = Some(body);
                dropped.extend(rest.iter().map(|argument| argument.span()));
            }
            ("catch", [only]) => dropped.push(only.span()),
            _ => return false,
        }
        top = tree.parent(member);
    }
    let mut parent = tree.parent(top);
    if matches!(tree.kind(parent), AstKind::AwaitExpression(_)) {
        parent = tree.parent(parent);
    }
    let statement = match tree.kind(parent) {
        AstKind::ExpressionStatement(statement) => statement.span,
        AstKind::ReturnStatement(statement) if then.is_some() => statement.span,
        _ => return false,
    };
    let in_list =
        matches!(tree.kind(tree.parent(parent)), AstKind::FunctionBody(_) | AstKind::BlockStatement(_));
    if !in_list || (then.is_some() && !is_last(tree, parent)) {
        return false;
    }
    let indent = format!("\n{}", tree.indentation(statement.start));
    // A value that may be undefined goes through the helper, which leaves it out as JSON does.
    let is_defined = |value: &Span| tree.node_at(*value).is_some_and(|node| is_never_undefined(tree, node));
    let members = metadata
        .as_expression()
        .and_then(properties)
        .filter(|members| !members.is_empty() && members.iter().all(|(_, value)| is_defined(value)));
    let setter = if helper == Helper::SaveAppMetadata { "setAppMetadata" } else { "setUserMetadata" };
    let mut at = statement.start;
    let metadata_end = metadata.span().end;
    let kept_end = match &members {
        Some(members) => {
            for (index, (name, value)) in members.iter().enumerate() {
                let separator = if index == 0 { "" } else { &format!(";{indent}") };
                draft.edits.replace(
                    at,
                    value.start,
                    format!(
                        "{separator}api.user.{setter}('{}', ",
                        name.replace('\\', "\\\\").replace('\'', "\\'")
                    ),
                );
                draft.edits.replace(value.end, value.end, ")");
                at = value.end;
            }
            at
        }
        None => {
            draft.helpers.insert(helper);
            let name = if helper == Helper::SaveAppMetadata { "saveAppMetadata" } else { "saveUserMetadata" };
            draft.edits.replace(at, metadata.span().start, format!("{name}(api, "));
            draft.edits.replace(metadata_end, metadata_end, ")");
            metadata_end
        }
    };
    for span in dropped {
        let inner: Vec<NodeId> = tree.inside(span);
        draft.done.extend(inner);
    }
    match then {
        Some((function, Then::Statements(body))) if !body.statements.is_empty() => {
            let (Some(first), Some(last)) = (body.statements.first(), body.statements.last()) else {
                return false;
            };
            draft.edits.replace(kept_end, first.span().start, format!(";{indent}"));
            draft.edits.replace(last.span().end, statement.end, "");
            dedent(draft, Span::new(first.span().start, last.span().end), indent.len() - 1);
            draft.inlined.insert(function);
            draft.bodies.push((statement, Then::Statements(body)));
        }
        Some((function, Then::Expression(expression))) => {
            draft.edits.replace(kept_end, expression.span().start, format!(";{indent}"));
            draft.edits.replace(expression.span().end, statement.end, ";");
            draft.inlined.insert(function);
            draft.bodies.push((statement, Then::Expression(expression)));
        }
        _ => draft.edits.replace(kept_end, statement.end, ";"),
    }
    true
}

/// Whether an expression surely has a value.
fn is_never_undefined(tree: &Tree<'_>, node: NodeId) -> bool {
    let inner = |expression: &Expression<'_>| {
        tree.node_at(expression.without_parentheses().span())
            .is_some_and(|node| is_never_undefined(tree, node))
    };
    match tree.kind(node) {
        AstKind::StringLiteral(_)
        | AstKind::NumericLiteral(_)
        | AstKind::BooleanLiteral(_)
        | AstKind::NullLiteral(_)
        | AstKind::TemplateLiteral(_)
        | AstKind::ArrayExpression(_)
        | AstKind::ObjectExpression(_)
        | AstKind::NewExpression(_)
        | AstKind::BinaryExpression(_) => true,
        AstKind::UnaryExpression(it) => it.operator.as_str() != "void",
        AstKind::LogicalExpression(it) => it.operator.as_str() != "&&" && inner(&it.right),
        AstKind::ConditionalExpression(it) => inner(&it.consequent) && inner(&it.alternate),
        AstKind::CallExpression(it) => {
            let name = it.callee.as_member_expression().and_then(|member| member.static_property_name());
            name.is_some_and(|name| {
                ["now", "toISOString", "toString", "toLowerCase", "toUpperCase", "getTime"].contains(&name)
            })
        }
        AstKind::IdentifierReference(it) => {
            tree.symbol_of(it).and_then(|symbol| tree.constant(symbol)).is_some_and(inner)
        }
        _ => false,
    }
}

/// The code of a function that uses no parameter and is not async.
fn body_without_parameters<'a>(
    draft: &Draft<'_, 'a>,
    function: &'a Expression<'a>,
) -> Option<(NodeId, Then<'a>)> {
    let unused = |params: &FormalParameters<'_>| {
        (0..params.items.len()).all(|index| {
            parameter(params, index).is_some_and(|symbol| draft.tree.references(symbol).is_empty())
        })
    };
    match function.without_parentheses() {
        Expression::FunctionExpression(it) if !it.r#async && !it.generator && unused(&it.params) => {
            Some((it.node_id(), Then::Statements(it.body.as_deref()?)))
        }
        Expression::ArrowFunctionExpression(it) if !it.r#async && unused(&it.params) => match &it.body {
            ArrowFunctionBody::FunctionBody(body) => Some((it.node_id(), Then::Statements(body))),
            body => Some((it.node_id(), Then::Expression(body.as_expression()?))),
        },
        _ => None,
    }
}

/// Removes the indentation that the lines of a function have beyond the statement around it.
fn dedent(draft: &mut Draft<'_, '_>, span: Span, to: usize) {
    let text = draft.tree.at(span);
    let by = draft.tree.indentation(span.start).len().saturating_sub(to);
    if text.contains('`') {
        return;
    }
    for (at, _) in text.match_indices('\n') {
        let line = text.get(at + 1..).unwrap_or_default();
        let blank = (line.len() - line.trim_start_matches(' ').len()).min(by);
        let start = span.start + at as u32 + 1;
        draft.edits.replace(start, start + blank as u32, "");
    }
}
