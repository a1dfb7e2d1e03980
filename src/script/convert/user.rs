//! `user`: the rule's first parameter becomes `event.user`.

use oxc_ast::AstKind;
use oxc_ast::ast::{AssignmentExpression, BindingPattern, Expression};
use oxc_semantic::{NodeId, SymbolId};
use oxc_span::GetSpan;

use super::draft::Draft;
use super::source::{Step, Use};

/// The members of `event.user`.
const MEMBERS: [&str; 19] = [
    "app_metadata",
    "created_at",
    "email",
    "email_verified",
    "enrolledFactors",
    "family_name",
    "given_name",
    "identities",
    "last_password_reset",
    "multifactor",
    "name",
    "nickname",
    "phone_number",
    "phone_verified",
    "picture",
    "updated_at",
    "user_id",
    "user_metadata",
    "username",
];
/// Those that are claims of an ID token, which a rule changes with them.
const CLAIMS: [&str; 10] = [
    "email",
    "email_verified",
    "family_name",
    "given_name",
    "name",
    "nickname",
    "phone_number",
    "phone_verified",
    "picture",
    "user_id",
];

/// Rewrites every use of `user`.
pub(super) fn rewrite(draft: &mut Draft<'_, '_>, user: SymbolId) {
    let references = draft.tree.references(user);
    let written: Vec<String> = references
        .iter()
        .filter_map(|node| {
            let first = *draft.tree.chain(*node).first()?;
            let is_written = matches!(draft.tree.use_of(first.node), Use::Assigned(_));
            is_written.then(|| first.name.map(str::to_owned))?
        })
        .collect();
    for node in references {
        if draft.done.insert(node) {
            reference(draft, node, &written);
        }
    }
    tokens_of_providers(draft, user);
}

fn reference(draft: &mut Draft<'_, '_>, node: NodeId, written: &[String]) {
    let chain = draft.tree.chain(node);
    let Some(first) = chain.first().copied() else { return whole(draft, node) };
    let usage = draft.tree.use_of(first.node);
    match first.name {
        None => draft.note(node, "user[…]: event.user has no other attributes of the identity provider"),
        Some(name @ ("app_metadata" | "user_metadata")) => {
            if let Use::Assigned(assignment) = &usage
                && is_default(draft, assignment, first.node)
                && let Some(statement) = draft.tree.statement_of(assignment.node_id())
            {
                // event.user always has it.
                let inner = draft.tree.inside(assignment.right.span());
                draft.done.extend(inner);
                return draft.remove_or_empty(assignment.node_id(), statement);
            }
            if chain.len() == 1 && matches!(usage, Use::Read) {
                presence(draft, first, name);
            }
        }
        Some("hasOwnProperty" | "toString") => {}
        Some(name) if CLAIMS.contains(&name) && !matches!(usage, Use::Read | Use::Called(_)) => draft.refuse(
            node,
            format!("user.{name} is changed, and with it the claim of the ID token: an action cannot do that; set a claim of your own with api.idToken.setCustomClaim"),
        ),
        Some(name) if MEMBERS.contains(&name) => {}
        Some(name) if written.iter().any(|own| own == name) => {
            if matches!(usage, Use::Assigned(_)) {
                draft.note(node, format!("user.{name} is set for this action only: actions do not share event.user"));
            }
        }
        Some(name) => draft.refuse(
            node,
            format!("user.{name} is not in event.user, which has no other attributes of the identity provider"),
        ),
    }
    draft.replace_identifier(node, "event.user");
}

/// `user` as a value.
fn whole(draft: &mut Draft<'_, '_>, node: NodeId) {
    if !matches!(draft.tree.use_of(node), Use::Read) {
        return draft.wrap(node, "user is replaced");
    }
    if let AstKind::VariableDeclarator(declarator) = draft.tree.kind(draft.tree.parent(node))
        && let BindingPattern::ObjectPattern(pattern) = &declarator.id
    {
        for property in &pattern.properties {
            let name = property.key.static_name().unwrap_or_default();
            if !MEMBERS.contains(&name.as_ref()) {
                draft.refuse(node, format!("user.{name} is not in event.user"));
            }
        }
    } else {
        draft.note(node, "the whole user is passed on: event.user has no other attributes of the identity provider, and its metadata are {} when empty");
    }
    draft.replace_identifier(node, "event.user");
}

/// Whether this is `user.app_metadata = user.app_metadata || {}`.
fn is_default(draft: &Draft<'_, '_>, assignment: &AssignmentExpression<'_>, target: NodeId) -> bool {
    match assignment.right.without_parentheses() {
        Expression::LogicalExpression(logical) => {
            draft.tree.at(logical.left.span()) == draft.tree.at(draft.tree.span(target))
                && logical.operator.as_str() != "&&"
                && is_empty_object(&logical.right)
        }
        _ => assignment.operator.as_str().len() == 3 && is_empty_object(&assignment.right),
    }
}

pub(super) fn is_empty_object(expression: &Expression<'_>) -> bool {
    matches!(expression.without_parentheses(), Expression::ObjectExpression(object) if object.properties.is_empty())
}

/// `user.app_metadata` as a value: a rule has `undefined` where an action has `{}`.
fn presence(draft: &mut Draft<'_, '_>, member: Step<'_>, name: &str) {
    let (span, parent) = (draft.tree.span(member.node), draft.tree.parent(member.node));
    let in_test = is_test(draft, member.node);
    let is_harmless = match draft.tree.kind(parent) {
        AstKind::LogicalExpression(logical) if logical.left.span().contains_inclusive(span) => {
            let right = draft.tree.at(logical.right.without_parentheses().span());
            let member_text = draft.tree.at(span);
            match logical.operator.as_str() {
                "&&" => {
                    let rest = right.strip_prefix(member_text).unwrap_or(" ");
                    let is_member = rest.chars().all(|c| c.is_alphanumeric() || "_.$?[]'\"".contains(c));
                    let compares = is_test(draft, parent)
                        && matches!(&logical.right, Expression::BinaryExpression(binary)
                            if matches!(binary.operator.as_str(), "===" | "==") && binary.right.is_literal()
                                && !binary.right.is_null_or_undefined());
                    (is_member && !rest.is_empty()) || compares
                }
                _ => is_empty_object(&logical.right),
            }
        }
        AstKind::UnaryExpression(_) | AstKind::IfStatement(_) => false,
        AstKind::BinaryExpression(_) | AstKind::ConditionalExpression(_) => {
            return draft.wrap(member.node, format!("it distinguishes absent from empty {name}"));
        }
        // A value: {} instead of undefined.
        _ => !in_test,
    };
    if is_harmless {
        return;
    }
    if !in_test {
        return draft.wrap(member.node, format!("it distinguishes absent from empty {name}"));
    }
    let (open, close) = match draft.tree.kind(parent) {
        AstKind::UnaryExpression(_) => ("!Object.keys(", ").length"),
        _ => ("Object.keys(", ").length > 0"),
    };
    let start = if open.starts_with('!') { draft.tree.span(parent).start } else { span.start };
    draft.edits.replace(start, span.start, open);
    draft.edits.replace(span.end, span.end, close);
    draft.note(
        member.node,
        format!("absent {name} are {{}} in an action, so the test asks whether they are empty"),
    );
}

/// Whether only the truth of an expression counts.
pub(super) fn is_test(draft: &Draft<'_, '_>, node: NodeId) -> bool {
    let (span, parent) = (draft.tree.span(node), draft.tree.parent(node));
    match draft.tree.kind(parent) {
        AstKind::IfStatement(it) => it.test.span().contains_inclusive(span),
        AstKind::ConditionalExpression(it) => it.test.span().contains_inclusive(span),
        AstKind::UnaryExpression(it) => it.operator.as_str() == "!",
        AstKind::LogicalExpression(_) => is_test(draft, parent),
        _ => false,
    }
}

/// Refuses the tokens of identity providers, which only rules get: of `user.identities` and of variables made from them.
fn tokens_of_providers(draft: &mut Draft<'_, '_>, user: SymbolId) {
    const TOKENS: [&str; 4] = ["access_token", "refresh_token", "access_token_secret", "accessToken"];
    let tree = draft.tree;
    let identities: Vec<_> = tree
        .references(user)
        .into_iter()
        .filter(|node| tree.chain(*node).first().is_some_and(|step| step.name == Some("identities")))
        .collect();
    let mut roots = identities.clone();
    for node in &identities {
        let span = tree.span(*node);
        for (id, kind) in
            tree.ancestors(*node).take_while(|(_, kind)| !matches!(kind, AstKind::FunctionBody(_)))
        {
            match kind {
                AstKind::VariableDeclarator(declarator) => {
                    if let BindingPattern::BindingIdentifier(name) = &declarator.id {
                        roots.extend(tree.references(name.symbol_id()));
                    }
                }
                // identities.find((identity) => …), and _.find(identities, (identity) => …)
                AstKind::CallExpression(call) if tree.span(id).contains_inclusive(span) => {
                    let functions = call.arguments.iter().filter_map(|argument| argument.as_expression());
                    let params = functions.filter_map(|function| match function {
                        Expression::FunctionExpression(it) => Some(&it.params),
                        Expression::ArrowFunctionExpression(it) => Some(&it.params),
                        _ => None,
                    });
                    let symbols = params.filter_map(|params| super::source::parameter(params, 0));
                    roots.extend(symbols.flat_map(|symbol| tree.references(symbol)));
                }
                _ => {}
            }
        }
    }
    for node in roots {
        if let Some(step) =
            tree.chain(node).iter().find(|step| step.name.is_some_and(|name| TOKENS.contains(&name)))
        {
            let name = step.name.unwrap_or_default();
            draft.refuse(step.node, format!("{name} of an identity: an action gets no tokens of identity providers; read them with the Management API"));
        }
    }
}
