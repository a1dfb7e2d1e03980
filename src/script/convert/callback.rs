//! `callback`: the rule's third parameter becomes the end of the handler, a denial, or a settled promise.

use std::collections::BTreeMap;

use oxc_ast::AstKind;
use oxc_ast::ast::{Argument, CallExpression, Expression, Statement};
use oxc_semantic::{NodeId, SymbolId};
use oxc_span::{GetSpan, Span};

use super::draft::{Draft, Form, Helper};
use super::source::{Then, Tree, Use};

/// What a call of the callback does.
enum Outcome {
    /// `callback(null, user, context)`.
    Success,
    /// `callback(new Error(message))`, with the message.
    Message(Option<Span>, &'static str),
    /// `callback(error)`.
    Error(Span),
    /// `callback(error, user, context)`, where the error may be null.
    Perhaps(Span),
}

/// Where a call is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Returned(Span),
    Statement(Span),
    /// A part of an expression.
    Expression {
        returned: bool,
    },
}

/// Rewrites every use of `callback`, and decides how the handler is written.
pub(super) fn rewrite(draft: &mut Draft<'_, '_>, [user, context, callback]: [SymbolId; 3], names: [&str; 2]) {
    let tree = draft.tree;
    let mut calls: BTreeMap<NodeId, (Outcome, Place)> = BTreeMap::new();
    let mut straight = true;
    for node in tree.references(callback) {
        if !draft.done.insert(node) {
            continue;
        }
        match tree.use_of(node) {
            Use::Called(call) if call.callee.span() == tree.span(node) => {
                let Some(outcome) = outcome(tree, call, user, context) else {
                    draft.wrap(node, "it calls back in a way that is not known");
                    continue;
                };
                if matches!(outcome, Outcome::Success) {
                    let inner: Vec<NodeId> = tree.inside(call.span);
                    draft.done.extend(inner);
                } else {
                    // The class of the error, and the user and context beside it.
                    draft.done.extend(
                        tree.inside(call.span).into_iter().filter(|inner| tree.is_error_class(*inner)),
                    );
                    let rest: Vec<NodeId> =
                        call.arguments.iter().skip(1).flat_map(|it| tree.inside(it.span())).collect();
                    draft.done.extend(rest);
                }
                let place = place(tree, call.node_id());
                let is_own = own_function(draft, call.node_id()) == Some(draft.function.node);
                straight &= is_own && place != (Place::Expression { returned: false });
                calls.insert(call.node_id(), (outcome, place));
            }
            _ if is_rejection_handler(tree, node) => {
                straight = false;
                draft.helpers.insert(Helper::ReasonOf);
                let [done, _] = names;
                draft
                    .replace(tree.span(node), format!("(error) => {done}(api.access.deny(reasonOf(error)))"));
            }
            _ => draft.wrap(node, "callback is used as a value"),
        }
    }
    let own: Vec<NodeId> = calls.keys().copied().collect();
    let flow = Flow { calls: &own, bodies: &draft.bodies };
    straight &= flow.ends(&draft.function.body.statements) == Some(true);
    draft.form = if straight { Form::Straight } else { Form::Promise };
    for (node, (outcome, place)) in calls {
        if matches!(outcome, Outcome::Success | Outcome::Perhaps(_))
            && let Place::Statement(_) = place
            && !is_last(tree, tree.parent(node))
        {
            draft.wrap(node, "the rule goes on after it has called back");
        }
        write(draft, node, &outcome, place, names);
    }
}

fn outcome(tree: &Tree<'_>, call: &CallExpression<'_>, user: SymbolId, context: SymbolId) -> Option<Outcome> {
    let is = |argument: &Argument<'_>, symbol: SymbolId| matches!(argument, Argument::Identifier(it) if tree.symbol_of(it) == Some(symbol));
    let (first, rest) = call.arguments.split_first()?;
    let first = first.as_expression()?;
    let with_both = matches!(rest, [a, b] if is(a, user) && is(b, context));
    if !with_both && !rest.is_empty() && !matches!(first, Expression::NewExpression(_)) {
        return None;
    }
    match first.without_parentheses() {
        it if it.is_null_or_undefined() => with_both.then_some(Outcome::Success),
        Expression::NewExpression(it) => {
            let Expression::Identifier(class) = &it.callee else { return None };
            let default = match (class.name.as_str(), tree.symbol_of(class)) {
                ("UnauthorizedError", None) => "Unauthorized",
                ("Error" | "TypeError" | "ValidationError", None) => "",
                _ => return Some(Outcome::Error(it.span)),
            };
            let message = match class.name.as_str() {
                "ValidationError" => it.arguments.last(),
                _ => it.arguments.first(),
            };
            Some(Outcome::Message(message.map(|argument| argument.span()), default))
        }
        it @ (Expression::StringLiteral(_) | Expression::TemplateLiteral(_)) => {
            Some(Outcome::Message(Some(it.span()), ""))
        }
        it @ Expression::Identifier(_) if with_both => Some(Outcome::Perhaps(it.span())),
        it => (!with_both).then(|| Outcome::Error(it.span())),
    }
}

fn place(tree: &Tree<'_>, call: NodeId) -> Place {
    let parent = tree.parent(call);
    match tree.kind(parent) {
        AstKind::ReturnStatement(it) => Place::Returned(it.span),
        AstKind::ExpressionStatement(it) => Place::Statement(it.span),
        AstKind::ConditionalExpression(_)
        | AstKind::LogicalExpression(_)
        | AstKind::SequenceExpression(_) => Place::Expression {
            returned: !matches!(
                place(tree, parent),
                Place::Statement(_) | Place::Expression { returned: false }
            ),
        },
        // The expression of an inlined function is a statement.
        AstKind::ArrowFunctionExpression(_) => Place::Expression { returned: true },
        _ => Place::Expression { returned: false },
    }
}

/// The function that a node belongs to, inlined ones left out.
fn own_function(draft: &Draft<'_, '_>, node: NodeId) -> Option<NodeId> {
    let mut function = draft.tree.function_around(node)?;
    while draft.inlined.contains(&function) {
        function = draft.tree.function_around(function)?;
    }
    Some(function)
}

/// Whether an identifier is the handler in `.catch(handler)` or `.then(…, handler)`.
fn is_rejection_handler(tree: &Tree<'_>, node: NodeId) -> bool {
    let AstKind::CallExpression(call) = tree.kind(tree.parent(node)) else { return false };
    let Some(member) = call.callee.as_member_expression() else { return false };
    let index = call.arguments.iter().position(|argument| argument.span() == tree.span(node));
    matches!((member.static_property_name(), index), (Some("catch"), Some(0)) | (Some("then"), Some(1)))
}

fn write(draft: &mut Draft<'_, '_>, node: NodeId, outcome: &Outcome, place: Place, [done, _]: [&str; 2]) {
    let tree = draft.tree;
    let call = tree.span(node);
    let is_promise = draft.form == Form::Promise;
    let (open, close) = if is_promise { (format!("{done}("), ")") } else { (String::new(), "") };
    match outcome {
        Outcome::Success if is_promise => draft.replace(call, format!("{done}()")),
        Outcome::Success => match place {
            Place::Returned(statement) => match is_at_end(draft, statement) {
                true => draft.remove_statement(statement),
                false => draft.replace(statement, "return;"),
            },
            Place::Statement(statement) => {
                let siblings = match tree.kind(tree.parent(tree.parent(node))) {
                    AstKind::FunctionBody(it) => it.statements.len(),
                    AstKind::BlockStatement(it) => it.body.len(),
                    _ => 0,
                };
                match siblings {
                    0 | 1 => draft.replace(statement, "return;"),
                    _ => draft.remove_statement(statement),
                }
            }
            Place::Expression { .. } => {
                let is_inlined = draft.inlined.contains(&tree.parent(node));
                draft.replace(call, if is_inlined { "return" } else { "undefined" });
            }
        },
        Outcome::Message(message, default) => {
            draft.note_denial(node);
            match message {
                Some(message) => {
                    draft.edits.replace(call.start, message.start, format!("{open}api.access.deny("));
                    draft.edits.replace(message.end, call.end, format!("){close}"));
                }
                None => draft.replace(call, format!("{open}api.access.deny('{default}'){close}")),
            }
        }
        Outcome::Error(error) => {
            draft.helpers.insert(Helper::ReasonOf);
            draft.edits.replace(call.start, error.start, format!("{open}api.access.deny(reasonOf("));
            draft.edits.replace(error.end, call.end, format!(")){close}"));
        }
        Outcome::Perhaps(error) => {
            draft.helpers.insert(Helper::ReasonOf);
            let error = tree.at(*error);
            draft.replace(call, format!("{open}{error} && api.access.deny(reasonOf({error})){close}"));
        }
    }
}

/// Whether a statement is the last of the rule.
fn is_at_end(draft: &Draft<'_, '_>, statement: Span) -> bool {
    let is_last = |list: &[Statement<'_>]| list.last().is_some_and(|it| it.span() == statement);
    is_last(&draft.function.body.statements)
        || draft.bodies.iter().any(|(outer, then)| match then {
            Then::Statements(body) => is_last(&body.statements) && is_at_end(draft, *outer),
            Then::Expression(_) => false,
        })
}

/// Whether nothing runs after a statement in its function but a bare `return`.
pub(super) fn is_last(tree: &Tree<'_>, statement: NodeId) -> bool {
    let span = tree.span(statement);
    let parent = tree.parent(statement);
    let last_of = |list: &[Statement<'_>]| {
        let mut after = list.iter().skip_while(|it| it.span() != span).skip(1);
        match after.find(|it| !matches!(it, Statement::FunctionDeclaration(_))) {
            None => true,
            Some(Statement::ReturnStatement(it)) => it.argument.is_none(),
            Some(_) => false,
        }
    };
    let ends_list = |list: &[Statement<'_>]| {
        let position = list.iter().position(|it| it.span() == span);
        position.is_some_and(
            |at| matches!(list.get(at + 1), Some(Statement::ReturnStatement(it)) if it.argument.is_none()),
        )
    };
    match tree.kind(statement) {
        AstKind::ReturnStatement(_) => return true,
        AstKind::FunctionBody(_) => return true,
        _ => {}
    }
    match tree.kind(parent) {
        AstKind::FunctionBody(it) => last_of(&it.statements),
        AstKind::BlockStatement(it) => ends_list(&it.body) || (last_of(&it.body) && is_last(tree, parent)),
        AstKind::IfStatement(_) | AstKind::CatchClause(_) => is_last(tree, parent),
        AstKind::TryStatement(it) => it.finalizer.is_none() && is_last(tree, parent),
        _ => false,
    }
}

/// Finds out whether every way through the code calls back.
struct Flow<'t, 'a> {
    calls: &'t [NodeId],
    bodies: &'t [(Span, Then<'a>)],
}

impl Flow<'_, '_> {
    /// Whether the statements end with a call; `None` when one way returns without.
    fn ends(&self, statements: &[Statement<'_>]) -> Option<bool> {
        for statement in statements {
            if self.statement_ends(statement)? {
                return Some(true);
            }
        }
        Some(false)
    }

    fn statement_ends(&self, statement: &Statement<'_>) -> Option<bool> {
        if let Some((_, then)) = self.bodies.iter().find(|(span, _)| *span == statement.span()) {
            return match then {
                Then::Statements(body) => self.ends(&body.statements),
                Then::Expression(expression) => Some(self.calls_back(expression)),
            };
        }
        match statement {
            Statement::ExpressionStatement(it) => Some(self.calls_back(&it.expression)),
            Statement::ReturnStatement(it) => {
                it.argument.as_ref().is_some_and(|argument| self.calls_back(argument)).then_some(true)
            }
            Statement::ThrowStatement(_) => Some(true),
            Statement::BlockStatement(it) => self.ends(&it.body),
            Statement::IfStatement(it) => {
                let then = self.statement_ends(&it.consequent)?;
                let other = it.alternate.as_ref().map_or(Some(false), |other| self.statement_ends(other))?;
                Some(then && other)
            }
            Statement::TryStatement(it) => {
                let body = self.ends(&it.block.body)?;
                let handler =
                    it.handler.as_ref().map_or(Some(true), |handler| self.ends(&handler.body.body))?;
                let last = it.finalizer.as_ref().map_or(Some(false), |last| self.ends(&last.body))?;
                Some((body && handler) || last)
            }
            Statement::SwitchStatement(it) => {
                let mut ends = it.cases.iter().any(|case| case.test.is_none());
                for (index, case) in it.cases.iter().enumerate() {
                    let falls_through = case.consequent.is_empty() && index + 1 < it.cases.len();
                    ends &= self.ends(&case.consequent)? || falls_through;
                }
                Some(ends)
            }
            Statement::ForStatement(it) => self.statement_ends(&it.body).map(|_| false),
            Statement::ForInStatement(it) => self.statement_ends(&it.body).map(|_| false),
            Statement::ForOfStatement(it) => self.statement_ends(&it.body).map(|_| false),
            Statement::WhileStatement(it) => self.statement_ends(&it.body).map(|_| false),
            Statement::DoWhileStatement(it) => self.statement_ends(&it.body).map(|_| false),
            Statement::LabeledStatement(it) => self.statement_ends(&it.body).map(|_| false),
            _ => Some(false),
        }
    }

    fn calls_back(&self, expression: &Expression<'_>) -> bool {
        match expression.without_parentheses() {
            Expression::CallExpression(call) => self.calls.contains(&call.node_id()),
            Expression::ConditionalExpression(it) => {
                self.calls_back(&it.consequent) && self.calls_back(&it.alternate)
            }
            Expression::SequenceExpression(it) => it.expressions.iter().any(|one| self.calls_back(one)),
            Expression::AwaitExpression(it) => self.calls_back(&it.argument),
            _ => false,
        }
    }
}
