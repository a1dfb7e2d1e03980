//! `context`: the rule's second parameter becomes members of `event` and calls of `api`.

use oxc_ast::AstKind;
use oxc_ast::ast::{AssignmentExpression, BindingPattern, Expression, ObjectPropertyKind, PropertyKind};
use oxc_semantic::{NodeId, SymbolId};
use oxc_span::{GetSpan, Span};

use super::draft::Draft;
use super::source::{Step, Use};
use super::user::{is_empty_object, is_test};

/// Members of `context` and what an action has for them. A longer path is before its beginning.
pub(super) const MEMBERS: [(&str, &str); 37] = [
    ("authentication", "event.authentication"),
    ("authorization.roles", "(event.authorization?.roles ?? [])"),
    ("authorization", "(event.authorization ?? { roles: [] })"),
    ("clientID", "event.client.client_id"),
    ("clientMetadata", "event.client.metadata"),
    ("clientName", "event.client.name"),
    ("connection", "event.connection.name"),
    ("connectionID", "event.connection.id"),
    ("connectionMetadata", "event.connection.metadata"),
    ("connectionStrategy", "event.connection.strategy"),
    ("organization", "event.organization"),
    ("request.body", "event.request.body"),
    ("request.geoip.city_name", "event.request.geoip.cityName"),
    ("request.geoip.cityName", "event.request.geoip.cityName"),
    ("request.geoip.continent_code", "event.request.geoip.continentCode"),
    ("request.geoip.country_code3", "event.request.geoip.countryCode3"),
    ("request.geoip.country_code", "event.request.geoip.countryCode"),
    ("request.geoip.countryCode", "event.request.geoip.countryCode"),
    ("request.geoip.country_name", "event.request.geoip.countryName"),
    ("request.geoip.countryName", "event.request.geoip.countryName"),
    ("request.geoip.latitude", "event.request.geoip.latitude"),
    ("request.geoip.longitude", "event.request.geoip.longitude"),
    ("request.geoip.subdivision_code", "event.request.geoip.subdivisionCode"),
    ("request.geoip.subdivision_name", "event.request.geoip.subdivisionName"),
    ("request.geoip.time_zone", "event.request.geoip.timeZone"),
    ("request.geoip.timeZone", "event.request.geoip.timeZone"),
    ("request.hostname", "event.request.hostname"),
    ("request.ip", "event.request.ip"),
    ("request.method", "event.request.method"),
    ("request.query", "event.request.query"),
    ("request.userAgent", "event.request.user_agent"),
    ("riskAssessment", "event.authentication?.riskAssessment"),
    ("sessionID", "event.session?.id"),
    ("stats.loginsCount", "event.stats.logins_count"),
    ("tenant", "event.tenant.id"),
    ("protocol", PROTOCOL),
    ("request.language", "event.request.language"),
];
const PROTOCOL: &str = "event.transaction?.protocol";
/// Members that an action has nothing for, and why.
const REFUSED: [(&str, &str); 6] = [
    ("connectionOptions", "an action does not get the connection's options"),
    ("samlConfiguration", "an action sets api.samlResponse.…; rewrite it by hand"),
    ("sso", "an action does not get the applications of the session"),
    ("jwtConfiguration", "an action cannot change how the token is signed"),
    ("addonConfiguration", "an action cannot change addons"),
    ("userInfo", "an action does not get it"),
];

/// Finds out whether the rule redirects.
pub(super) fn find_redirect(draft: &mut Draft<'_, '_>, context: SymbolId) {
    let tree = draft.tree;
    draft.redirects = tree.references(context).into_iter().any(|node| {
        let first = tree.chain(node).first().copied();
        first.is_some_and(|step| {
            step.name == Some("redirect") && matches!(tree.use_of(step.node), Use::Assigned(_))
        })
    });
}

/// Rewrites every use of `context`.
pub(super) fn rewrite(draft: &mut Draft<'_, '_>, context: SymbolId) {
    for node in draft.tree.references(context) {
        if draft.done.insert(node) {
            reference(draft, node);
        }
    }
}

fn reference(draft: &mut Draft<'_, '_>, node: NodeId) {
    let chain = draft.tree.chain(node);
    let Some(first) = chain.first().copied() else {
        if !destructured(draft, node) {
            draft.wrap(node, "context is passed on as a whole");
        }
        return;
    };
    let Some(name) = first.name else {
        return draft.wrap(node, "context[…]: the member is not a constant");
    };
    match name {
        "idToken" => return claim(draft, node, &chain, "idToken"),
        "accessToken" => return claim(draft, node, &chain, "accessToken"),
        "redirect" => return redirect(draft, node, &chain),
        "multifactor" => return multifactor(draft, node, &chain),
        "primaryUser" => return primary_user(draft, node, &chain),
        "protocol" if protocol(draft, node, first.node) => return,
        _ => {}
    }
    if let Some((_, reason)) = REFUSED.iter().find(|(own, _)| *own == name) {
        return draft.refuse(node, format!("context.{name}: {reason}"));
    }
    // The members of geoip have other names, but it is there in both.
    let is_geoip = |last: &Step<'_>| path(&chain, 3) == "request.geoip" && is_test(draft, last.node);
    let found =
        find(&chain).or_else(|| chain.last().is_some_and(is_geoip).then_some((2, "event.request.geoip")));
    let Some((length, expression)) = found else {
        return draft
            .wrap(node, format!("context.{} is used as a whole, or is the rule's own", path(&chain, 2)));
    };
    let Some(last) = chain.get(length - 1) else { return };
    let changed =
        chain.get(length - 1..).into_iter().flatten().any(|step| {
            matches!(draft.tree.use_of(step.node), Use::Assigned(_) | Use::Deleted | Use::Changed)
        });
    if changed {
        return draft.refuse(
            node,
            format!("context.{} is changed: an action cannot do that", path(&chain, chain.len())),
        );
    }
    let span = Span::new(draft.tree.span(node).start, draft.tree.span(last.node).end);
    let is_guarded = name == "authorization" && is_guarded(draft, last.node);
    draft.replace(span, if is_guarded { plain_authorization(length) } else { expression });
}

fn plain_authorization(length: usize) -> &'static str {
    if length == 1 { "event.authorization" } else { "event.authorization.roles" }
}

/// Whether the rule itself asks if `context.authorization` is there: `context.authorization && context.authorization.roles`,
/// or `(context.authorization || {}).roles`.
fn is_guarded(draft: &Draft<'_, '_>, node: NodeId) -> bool {
    match draft.tree.kind(draft.tree.parent(node)) {
        AstKind::LogicalExpression(it) => {
            let left = draft.tree.at(it.left.span());
            left.ends_with(".authorization")
        }
        _ => false,
    }
}

/// The longest known path that the members are.
fn find(chain: &[Step<'_>]) -> Option<(usize, &'static str)> {
    (1..=chain.len().min(3)).rev().find_map(|length| {
        let own = path(chain, length);
        MEMBERS.iter().find(|(known, _)| *known == own).map(|(_, expression)| (length, *expression))
    })
}

fn path(chain: &[Step<'_>], length: usize) -> String {
    chain.iter().take(length).map(|step| step.name.unwrap_or("…")).collect::<Vec<_>>().join(".")
}

/// `const { clientID, connection: name } = context`: one variable for each.
fn destructured(draft: &mut Draft<'_, '_>, node: NodeId) -> bool {
    let AstKind::VariableDeclarator(declarator) = draft.tree.kind(draft.tree.parent(node)) else {
        return false;
    };
    let BindingPattern::ObjectPattern(pattern) = &declarator.id else { return false };
    let variables: Option<Vec<String>> = pattern
        .properties
        .iter()
        .map(|property| {
            let key = property.key.static_name()?;
            let BindingPattern::BindingIdentifier(variable) = &property.value else { return None };
            let (_, expression) = MEMBERS.iter().find(|(known, _)| *known == key && key != "protocol")?;
            Some(format!("{} = {expression}", variable.name))
        })
        .collect();
    let Some(variables) = variables.filter(|_| pattern.rest.is_none()) else { return false };
    draft.replace(declarator.span, variables.join(", "));
    true
}

/// `context.protocol`. Returns false for uses that need no decision.
fn protocol(draft: &mut Draft<'_, '_>, node: NodeId, member: NodeId) -> bool {
    const CALLBACK: &str = "redirect-callback";
    let parent = draft.tree.parent(member);
    if let AstKind::BinaryExpression(binary) = draft.tree.kind(parent)
        && [&binary.left, &binary.right]
            .iter()
            .any(|side| matches!(side.without_parentheses(), Expression::StringLiteral(it) if it.value == CALLBACK))
    {
        let is_equal = binary.operator.as_str().starts_with("==");
        if draft.redirects {
            draft.replace(binary.span, if is_equal { "isContinued" } else { "!isContinued" });
            return true;
        }
        // Without a redirect of its own, the rule can only skip what it has already done.
        let mut around = draft.tree.parent(parent);
        while matches!(draft.tree.kind(around), AstKind::LogicalExpression(it) if it.operator.as_str() == "||") {
            around = draft.tree.parent(around);
        }
        let skips = !is_equal || matches!(draft.tree.kind(around), AstKind::IfStatement(it) if {
            let then = draft.tree.at(it.consequent.span()).trim_matches(['{', '}', ' ', '\n', ';', '\t']);
            it.alternate.is_none() && then.starts_with("return") && then.contains("(null") && !then.contains(';')
        });
        if !skips {
            draft.refuse(node, "it handles the return from another rule's redirect: only the action that redirects is continued");
        }
        draft.replace(binary.span, if is_equal { "false" } else { "true" });
        draft.note(node, "an action does not run again after a redirect");
        return true;
    }
    if draft.redirects {
        let expression = format!("(isContinued ? '{CALLBACK}' : {PROTOCOL})");
        draft.replace(draft.tree.span(member), expression);
    }
    draft.redirects
}

/// `context.idToken` and `context.accessToken`.
fn claim(draft: &mut Draft<'_, '_>, node: NodeId, chain: &[Step<'_>], token: &str) {
    let (Some(first), second) = (chain.first(), chain.get(1)) else { return };
    let Some(second) = second else {
        if let Use::Assigned(assignment) = draft.tree.use_of(first.node)
            && let Expression::LogicalExpression(logical) = assignment.right.without_parentheses()
            && draft.tree.at(logical.left.span()) == draft.tree.at(draft.tree.span(first.node))
            && is_empty_object(&logical.right)
            && let Some(statement) = draft.tree.statement_of(assignment.node_id())
        {
            let inner: Vec<NodeId> = draft.tree.inside(assignment.right.span());
            draft.done.extend(inner);
            return draft.remove_or_empty(assignment.node_id(), statement);
        }
        return draft.wrap(node, format!("context.{token} is used as a whole"));
    };
    if token == "accessToken" && second.name == Some("scope") {
        return scope(draft, node, chain);
    }
    let start = draft.tree.span(node).start;
    match draft.tree.use_of(second.node) {
        Use::Deleted => draft.refuse(node, "a claim is deleted: an action cannot do that"),
        Use::Assigned(assignment)
            if chain.len() == 2
                && assignment.operator.as_str() == "="
                && draft.tree.statement_of(assignment.node_id()).is_some() =>
        {
            let value = assignment.right.span();
            match draft.tree.kind(second.node) {
                AstKind::ComputedMemberExpression(_) => {
                    draft.edits.replace(start, second.key.start, format!("api.{token}.setCustomClaim("));
                    draft.edits.replace(second.key.end, value.start, ", ");
                }
                _ => {
                    let call = format!("api.{token}.setCustomClaim('{}', ", second.name.unwrap_or_default());
                    draft.edits.replace(start, value.start, call);
                }
            }
            draft.edits.replace(value.end, value.end, ")");
        }
        _ => draft.wrap(node, format!("context.{token} is read, or a claim is changed in place")),
    }
}

/// `context.accessToken.scope.push(…)`; other changes of the scopes need the wrapper.
fn scope(draft: &mut Draft<'_, '_>, node: NodeId, chain: &[Step<'_>]) {
    if let [_, _, push] = chain
        && push.name == Some("push")
        && let Use::Called(call) = draft.tree.use_of(push.node)
        && let [scope] = call.arguments.as_slice()
        && !scope.is_spread()
        && draft.tree.statement_of(call.node_id()).is_some()
    {
        draft.edits.replace(draft.tree.span(node).start, scope.span().start, "api.accessToken.addScope(");
        return;
    }
    draft.wrap(node, "the scopes of the access token are replaced or read");
}

/// The value of `context.x = value`, when that is a statement.
fn assigned<'a>(draft: &Draft<'_, 'a>, chain: &[Step<'a>]) -> Option<&'a AssignmentExpression<'a>> {
    let [member] = chain else { return None };
    match draft.tree.use_of(member.node) {
        Use::Assigned(it) if it.operator.as_str() == "=" => draft.tree.statement_of(it.node_id()).map(|_| it),
        _ => None,
    }
}

/// The properties of an object literal that has only plain ones.
pub(super) fn properties<'a>(expression: &'a Expression<'a>) -> Option<Vec<(String, Span)>> {
    let Expression::ObjectExpression(object) = expression.without_parentheses() else { return None };
    object
        .properties
        .iter()
        .map(|property| match property {
            ObjectPropertyKind::ObjectProperty(it)
                if !it.computed && !it.method && it.kind == PropertyKind::Init =>
            {
                Some((it.key.static_name()?.into_owned(), it.value.span()))
            }
            _ => None,
        })
        .collect()
}

fn redirect(draft: &mut Draft<'_, '_>, node: NodeId, chain: &[Step<'_>]) {
    if let Some(assignment) = assigned(draft, chain)
        && let Some([(name, url)]) = properties(&assignment.right).as_deref()
        && name == "url"
    {
        draft.edits.replace(draft.tree.span(node).start, url.start, "api.redirect.sendUserTo(");
        draft.edits.replace(url.end, assignment.span.end, ")");
        draft.note(
            node,
            "the redirect happens after this action, not after all; only this action is continued",
        );
        return;
    }
    draft.wrap(node, "context.redirect is read, or not set as { url }");
}

fn multifactor(draft: &mut Draft<'_, '_>, node: NodeId, chain: &[Step<'_>]) {
    let Some((assignment, mut members)) =
        assigned(draft, chain).and_then(|it| Some((it, properties(&it.right)?)))
    else {
        return draft.wrap(node, "context.multifactor is read, or not set as an object");
    };
    if let Some((name, _)) =
        members.iter().find(|(name, _)| !["provider", "allowRememberBrowser"].contains(&name.as_str()))
    {
        return draft
            .refuse(node, format!("context.multifactor.{name}: api.multifactor.enable has no such option"));
    }
    members.sort_by_key(|(name, _)| name != "provider");
    let text = |span: Span| draft.tree.at(span);
    let call = match members.as_slice() {
        // A rule's default is true, an action's false.
        [(provider, value)] if provider == "provider" => {
            format!("api.multifactor.enable({}, {{ allowRememberBrowser: true }})", text(*value))
        }
        [(provider, value), (_, remember)] if provider == "provider" => {
            format!(
                "api.multifactor.enable({}, {{ allowRememberBrowser: {} }})",
                text(*value),
                text(*remember)
            )
        }
        _ => return draft.wrap(node, "context.multifactor has no provider"),
    };
    let is_computed = |id: &NodeId| matches!(draft.tree.kind(*id), AstKind::IdentifierReference(_));
    if members.iter().any(|(_, value)| draft.tree.inside(*value).iter().any(is_computed)) {
        return draft.wrap(node, "context.multifactor has computed values");
    }
    draft.replace(assignment.span, call);
}

fn primary_user(draft: &mut Draft<'_, '_>, node: NodeId, chain: &[Step<'_>]) {
    match assigned(draft, chain) {
        Some(assignment) => {
            let value = assignment.right.span();
            draft.edits.replace(
                draft.tree.span(node).start,
                value.start,
                "api.authentication.setPrimaryUser(",
            );
            draft.edits.replace(value.end, value.end, ")");
        }
        None => draft.wrap(node, "context.primaryUser is read"),
    }
}
