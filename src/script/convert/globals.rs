//! The other names that a rule has: `configuration`, `auth0`, `global`, `require` and the error classes.

use std::collections::{BTreeMap, BTreeSet};

use oxc_ast::AstKind;
use oxc_ast::ast::{CallExpression, Expression};
use oxc_semantic::{NodeId, SymbolId};
use oxc_span::{GetSpan, Span};

use super::super::built_in::{RULE_GLOBALS, node_module};
use super::super::packages::split;
use super::super::required::without_version;
use super::draft::{Draft, Helper};
use super::source::{Step, Use};

/// Versions of packages that rules had without naming one, for those that are no longer developed.
const LAST_VERSIONS: [(&str, &str); 3] =
    [("request", "2.88.2"), ("request-promise", "4.2.6"), ("request-promise-native", "1.0.9")];

/// `configuration.X` becomes `event.secrets.X`. `keys` are the names in the tenant's configuration.
pub(super) fn configuration(draft: &mut Draft<'_, '_>, keys: &BTreeSet<String>) {
    for node in draft.tree.global_references("configuration") {
        let first = draft.tree.chain(node).first().copied();
        match first.and_then(|step| step.name) {
            Some(name) if keys.contains(name) => {
                draft.secrets.insert(name.to_owned());
            }
            Some(name) => {
                draft.note(node, format!("configuration.{name} is not in rules-configs, so the action has no such secret either"));
            }
            None => {
                draft.secrets.extend(keys.iter().cloned());
                draft.note(
                    node,
                    "which keys of configuration it reads is not known, so the action has all as secrets",
                );
            }
        }
        if draft.done.insert(node) {
            draft.replace_identifier(node, "event.secrets");
        }
    }
}

/// `global.x` becomes a member of an object of the module, which lives as long.
pub(super) fn global(draft: &mut Draft<'_, '_>) {
    for node in draft.tree.global_references("global") {
        if draft.done.insert(node) {
            draft.helpers.insert(Helper::Memory);
            draft.replace_identifier(node, "memory");
        }
    }
}

/// `require('name@version')` becomes `require('name')`, with the version as a dependency of the action.
pub(super) fn require(draft: &mut Draft<'_, '_>) {
    for node in draft.tree.global_references("require") {
        let Use::Called(call) = draft.tree.use_of(node) else {
            draft.refuse(node, "require is used as a value, so the dependencies are not known");
            continue;
        };
        let name = match call.arguments.first().and_then(|argument| argument.as_expression()) {
            Some(Expression::StringLiteral(literal)) => literal,
            _ => {
                draft.refuse(node, "the name of a required module is not a constant");
                continue;
            }
        };
        let text = name.value.as_str();
        let module = depend(draft, node, text);
        if module != text {
            let quote = draft.tree.at(name.span).get(..1).unwrap_or("'");
            draft.common_edits.replace(name.span.start, name.span.end, format!("{quote}{module}{quote}"));
            draft.replace(name.span, format!("{quote}{module}{quote}"));
        }
    }
}

/// Makes a module a dependency of the action, unless it is Node's own. Returns its name without the version.
fn depend(draft: &mut Draft<'_, '_>, node: NodeId, text: &str) -> String {
    let (module, version) = without_version(text);
    let package = split(&module).0.to_owned();
    if module.starts_with("node:") || node_module(&module).is_some() {
        return module;
    }
    if let Some(version) = version {
        draft.dependencies.insert(package, version);
    } else if !draft.dependencies.contains_key(&package) {
        let known = LAST_VERSIONS.iter().find(|(own, _)| *own == package);
        let version = known.map_or("latest", |(_, version)| version);
        draft.note(node, format!("require('{text}') names no version: the action takes {version}"));
        draft.dependencies.insert(package, version.to_owned());
    }
    module
}

/// The globals of rules that are modules: an action requires them.
pub(super) fn modules(draft: &mut Draft<'_, '_>) {
    for (name, module) in RULE_GLOBALS {
        if let Some(node) = draft.tree.global_references(name).first().copied() {
            depend(draft, node, module);
            draft.requires.push_str(&format!("const {name} = require('{module}');\n"));
        }
    }
}

/// `UnauthorizedError` beside `callback(new UnauthorizedError(…))`: the action declares it itself.
pub(super) fn errors(draft: &mut Draft<'_, '_>) {
    for name in ["UnauthorizedError", "ValidationError"] {
        for node in draft.tree.global_references(name) {
            if draft.done.insert(node) {
                match name {
                    "UnauthorizedError" => drop(draft.helpers.insert(Helper::UnauthorizedError)),
                    _ => draft.wrap(node, "ValidationError is used as a value"),
                }
            }
        }
    }
}

/// `auth0.…`.
pub(super) fn auth0(draft: &mut Draft<'_, '_>, user: Option<SymbolId>) {
    for node in draft.tree.global_references("auth0") {
        let chain = draft.tree.chain(node);
        draft.done.insert(node);
        let names: Vec<_> = chain.iter().filter_map(|step| step.name).collect();
        match names.as_slice() {
            ["users", method @ ("updateAppMetadata" | "updateUserMetadata"), ..] => {
                let Some(Use::Called(call)) = chain.get(1).map(|step| draft.tree.use_of(step.node)) else {
                    draft.refuse(node, format!("auth0.users.{method} is used as a value"));
                    continue;
                };
                let helper = match *method {
                    "updateAppMetadata" => Helper::SaveAppMetadata,
                    _ => Helper::SaveUserMetadata,
                };
                save(draft, node, call, user, helper);
            }
            ["domain", ..] => at_hostname(draft, node, &chain, "event.request.hostname"),
            ["baseUrl", ..] => at_hostname(draft, node, &chain, "`https://${event.request.hostname}/api/v2`"),
            ["accessToken", ..] => draft.refuse(
                node,
                "auth0.accessToken: an action gets no token for the Management API; add a machine-to-machine application and get one by its client credentials",
            ),
            [] => draft.wrap(node, "auth0 is passed on as a whole: an action's has domain, baseUrl and the two updates of metadata only"),
            names => draft.refuse(node, format!("auth0.{}: an action has no auth0 object; use the ManagementClient of the package auth0", names.join("."))),
        }
    }
}

fn at_hostname(draft: &mut Draft<'_, '_>, node: NodeId, chain: &[Step<'_>], by: &str) {
    let Some(member) = chain.first() else { return };
    draft.note(node, "the tenant's domain is taken from the request: with a custom domain it is that one");
    draft.replace(Span::new(draft.tree.span(node).start, draft.tree.span(member.node).end), by);
}

/// `auth0.users.updateAppMetadata(user.user_id, metadata)`.
fn save(
    draft: &mut Draft<'_, '_>,
    node: NodeId,
    call: &CallExpression<'_>,
    user: Option<SymbolId>,
    helper: Helper,
) {
    let [id, metadata] = call.arguments.as_slice() else {
        return draft.refuse(node, "it saves metadata without a user and an object");
    };
    let is_own = draft.tree.inside(id.span()).into_iter().any(|inner| match draft.tree.kind(inner) {
        AstKind::IdentifierReference(it) => {
            user.is_some()
                && draft.tree.symbol_of(it) == user
                && draft.tree.chain(inner).first().is_some_and(|step| {
                    step.name == Some("user_id") && draft.tree.span(step.node) == id.span()
                })
        }
        _ => false,
    });
    if !is_own {
        return draft.refuse(node, "it saves metadata of another user than the one who logs in: use the ManagementClient of the package auth0");
    }
    let ids = draft.tree.inside(id.span());
    draft.done.extend(ids);
    draft.saves.push(call.node_id());
    draft.note_once(node, "Auth0 saves the metadata when the login ends, also when it is denied; the rule saved and waited here");
    if !super::metadata::inline(draft, call, metadata, helper) {
        let name = if helper == Helper::SaveAppMetadata {
            "saveAppMetadata(api, "
        } else {
            "saveUserMetadata(api, "
        };
        draft.helpers.insert(helper);
        draft.edits.replace(draft.tree.span(node).start, metadata.span().start, name);
    }
}

/// Refuses metadata that are saved by a callback which nothing waits for, when the handler ends with the rule's function.
pub(super) fn late_saves(draft: &mut Draft<'_, '_>) {
    const AT_ONCE: [&str; 8] = ["forEach", "map", "filter", "find", "some", "every", "reduce", "sort"];
    let tree = draft.tree;
    for node in std::mem::take(&mut draft.saves) {
        let around = tree.ancestors(node).take_while(|(id, _)| *id != draft.function.node);
        let is_late = around.into_iter().any(|(id, kind)| {
            let is_function = matches!(kind, AstKind::Function(_) | AstKind::ArrowFunctionExpression(_));
            let AstKind::CallExpression(call) = tree.kind(tree.parent(id)) else { return false };
            let name = call.callee.as_member_expression().and_then(|it| it.static_property_name());
            let is_awaited = tree
                .ancestors(id)
                .take_while(|(_, kind)| !matches!(kind, AstKind::FunctionBody(_)))
                .any(|(_, kind)| matches!(kind, AstKind::AwaitExpression(_) | AstKind::ReturnStatement(_)));
            is_function
                && !draft.inlined.contains(&id)
                && !is_awaited
                && call.callee.span() != tree.span(id)
                && !name.is_some_and(|name| AT_ONCE.contains(&name))
        });
        if is_late {
            draft.refuse(
                node,
                "it saves metadata after it has called back: an action has ended by then; wait for it",
            );
        }
    }
}

/// The keys of `global` that a rule uses; the key of a computed one is empty.
pub(super) fn global_keys(tree: &super::source::Tree<'_>) -> BTreeMap<String, NodeId> {
    let nodes = tree.global_references("global").into_iter();
    nodes
        .map(|node| {
            let first = tree.chain(node).first().copied();
            (first.and_then(|step| step.name).unwrap_or_default().to_owned(), node)
        })
        .collect()
}
