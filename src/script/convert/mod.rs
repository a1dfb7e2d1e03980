//! Rules as actions.
//!
//! A rule is edited in its own text, so that comments and layout stay: `user` becomes `event.user`, a claim becomes
//! `api.idToken.setCustomClaim`, the callback becomes a `return`, a denial or a settled promise. A rule that cannot be taken
//! apart stays as it is, inside an adapter. A rule whose behaviour would change is refused, with the line and the reason.
//!
//! The same parser finds syntax errors (`syntax.rs`) and the lines that a test reaches (`coverage.rs`).

mod note;
mod source;
mod draft;
mod user;
mod context;
mod callback;
mod metadata;
mod globals;
mod shared;
mod syntax;
mod coverage;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_semantic::SymbolId;
use oxc_span::GetSpan;

pub(super) use coverage::REACHED;
pub use coverage::{Instrumented, instrumented};
pub use note::Note;
pub use syntax::{check_syntax, syntax_errors};

use draft::{Draft, Form, Helper};
use shared::Shared;
use source::{RuleFunction, Tree, on_own_stack, parameter};

use super::action::{Action, Dependency};
use super::login::rule_expression;
use crate::bundle::Rule;

/// An action made from a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// The action's code.
    pub code: String,
    /// The keys of the rules' configuration that it needs as secrets.
    pub secrets: Vec<String>,
    /// The npm packages it needs.
    pub dependencies: Vec<Dependency>,
    /// Decisions and differences to know about.
    pub notes: Vec<Note>,
    /// Why the rule's function is unchanged inside an adapter; empty for readable code.
    pub wrapped: Vec<Note>,
}

impl Converted {
    /// The action, with the values of its secrets.
    pub fn action(&self, name: &str, configuration: &BTreeMap<String, String>) -> Action {
        let secret = |key: &String| Some((key.clone(), configuration.get(key)?.clone()));
        Action {
            name: name.to_owned(),
            code: self.code.clone(),
            secrets: self.secrets.iter().filter_map(secret).collect(),
            dependencies: self.dependencies.clone(),
            modules: Vec::new(),
        }
    }
}

/// What a rule looks at: material for logins that try it out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traits {
    /// Its short texts.
    pub texts: BTreeSet<String>,
    /// Keys of the metadata.
    pub metadata: BTreeSet<String>,
    /// Keys of the configuration.
    pub keys: BTreeSet<String>,
    /// Parameters of the request.
    pub query: BTreeSet<String>,
    /// Whether it may send requests.
    pub fetches: bool,
}

impl Traits {
    /// What a rule looks at; nothing when it does not compile.
    pub fn of(rule: &Rule) -> Self {
        on_own_stack(&[&rule.script], || Self::of_here(rule)).unwrap_or_default()
    }

    fn of_here(rule: &Rule) -> Self {
        let (allocator, text) = (Allocator::default(), rule_expression(&rule.script));
        let mut traits = Self {
            fetches: ["fetch", "require"].iter().any(|name| rule.script.contains(name)),
            ..Self::default()
        };
        let Ok(tree) = Tree::parse(&allocator, &text) else { return traits };
        for (_, kind) in tree.nodes() {
            match kind {
                AstKind::StringLiteral(it) if (1..=40).contains(&it.value.len()) => {
                    let _ = traits.texts.insert(it.value.to_string());
                }
                AstKind::StaticMemberExpression(it) => {
                    let object = tree.at(it.object.span());
                    let names = match object {
                        _ if object.ends_with("_metadata") || object.ends_with("etadata") => {
                            &mut traits.metadata
                        }
                        "configuration" => &mut traits.keys,
                        _ if object.ends_with(".query") || object.ends_with(".body") => &mut traits.query,
                        _ => continue,
                    };
                    names.insert(it.property.name.to_string());
                }
                _ => {}
            }
        }
        traits
    }
}

/// A rule that no action can replace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rule \"{rule}\" cannot become an action: {}", list(.reasons))]
pub struct ConvertError {
    /// The rule's name.
    pub rule: String,
    /// Each reason with its line.
    pub reasons: Vec<Note>,
}

fn list(notes: &[Note]) -> String {
    let notes: Vec<_> = notes.iter().map(|note| format!("line {}: {}", note.line, note.text)).collect();
    notes.join("; ")
}

/// Makes a post-login action of a rule. `rules` are all enabled rules in their order, because rules can hand values on to
/// later ones; `keys` are the names in the rules' configuration.
///
/// # Errors
/// The rule does something that no action can do, or is no function `(user, context, callback)`.
pub fn convert(rule: &Rule, rules: &[Rule], keys: &BTreeSet<String>) -> Result<Converted, ConvertError> {
    let scripts: Vec<&str> = std::iter::once(rule).chain(rules).map(|rule| rule.script.as_str()).collect();
    on_own_stack(&scripts, || convert_here(rule, rules, keys))
        .unwrap_or_else(|note| Err(ConvertError { rule: rule.name.clone(), reasons: vec![note] }))
}

fn convert_here(rule: &Rule, rules: &[Rule], keys: &BTreeSet<String>) -> Result<Converted, ConvertError> {
    let refused = |reasons: Vec<Note>| ConvertError { rule: rule.name.clone(), reasons };
    let (allocator, text) = (Allocator::default(), rule_expression(&rule.script));
    let tree = Tree::parse(&allocator, &text).map_err(|note| refused(vec![note]))?;
    let Some(function) = tree.rule_function() else {
        let text = "it is not one function (user, context, callback)".to_owned();
        return Err(refused(vec![Note { line: 1, text }]));
    };
    let mut draft = Draft::new(&tree, &function);
    let promise = unused_names(&tree, ["resolve", "reject"]);
    rewrite(&mut draft, keys, [&promise[0], &promise[1]]);
    compare_with_others(&mut draft, rule, rules);
    if !draft.refusals.is_empty() {
        return Err(refused(draft.refusals.into_iter().collect()));
    }
    let wrapped: Vec<Note> = draft.obstacles.iter().cloned().collect();
    let secrets = draft.secrets.iter().cloned().collect();
    let dependency =
        |(name, version): (&String, &String)| Dependency { name: name.clone(), version: version.clone() };
    let dependencies = draft.dependencies.iter().map(dependency).collect();
    let notes = draft.notes.iter().cloned().collect();
    let code = if wrapped.is_empty() {
        readable(draft, &rule.name, [&promise[0], &promise[1]])
    } else {
        in_adapter(draft, &rule.name)
    };
    Ok(Converted { code, secrets, dependencies, notes, wrapped })
}

/// Whether a rule's function has a name, so that its file is JavaScript of its own.
pub fn has_named_function(script: &str) -> bool {
    let has_name = || {
        let (allocator, text) = (Allocator::default(), rule_expression(script));
        let tree = Tree::parse(&allocator, &text);
        tree.is_ok_and(|tree| tree.rule_function().is_some_and(|function| function.name.is_some()))
    };
    on_own_stack(&[script], has_name).unwrap_or(false)
}

fn rewrite(draft: &mut Draft<'_, '_>, keys: &BTreeSet<String>, promise: [&str; 2]) {
    let function = draft.function;
    let [user, context, callback] = [0, 1, 2].map(|index| parameter(function.params, index));
    let root = function.node;
    if function.params.items.iter().any(|item| item.initializer.is_some()) || function.params.rest.is_some() {
        draft.wrap(root, "its parameters are not three plain names");
    }
    if function.name.is_some_and(|name| !draft.tree.references(name).is_empty()) {
        draft.wrap(root, "it calls itself");
    }
    if !draft.tree.global_references("arguments").is_empty() {
        draft.wrap(root, "it uses arguments");
    }
    if let Some(context) = context {
        context::find_redirect(draft, context);
    }
    globals::auth0(draft, user);
    globals::configuration(draft, keys);
    globals::global(draft);
    globals::require(draft);
    globals::modules(draft);
    match (user, context, callback) {
        (Some(user), Some(context), Some(callback)) => {
            callback::rewrite(draft, [user, context, callback], promise);
        }
        _ => draft.wrap(root, "its parameters are not three plain names"),
    }
    if draft.form == Form::Straight {
        globals::late_saves(draft);
    }
    if let Some(user) = user {
        user::rewrite(draft, user);
    }
    if let Some(context) = context {
        context::rewrite(draft, context);
    }
    globals::errors(draft);
    for name in ["event", "api", "memory", "isContinued", "reasonOf", "saveAppMetadata", "saveUserMetadata"] {
        for symbol in draft.tree.symbols_named(name) {
            rename(draft, symbol, &unused_names(draft.tree, [&format!("{name}Data")])[0]);
        }
    }
}

/// Renames a variable of the rule, whose name the action needs.
fn rename(draft: &mut Draft<'_, '_>, symbol: SymbolId, to: &str) {
    draft.replace_declared(symbol, to);
    for node in draft.tree.references(symbol) {
        draft.replace_identifier(node, to);
    }
}

/// Names like these that the rule does not use.
fn unused_names<const N: usize>(tree: &Tree<'_>, names: [&str; N]) -> [String; N] {
    names.map(|name| {
        let mut name = name.to_owned();
        while !tree.symbols_named(&name).is_empty() {
            name.push('_');
        }
        name
    })
}

/// Compares what the rule shares with the others.
fn compare_with_others(draft: &mut Draft<'_, '_>, rule: &Rule, rules: &[Rule]) {
    let own = Shared::of(draft.tree, draft.function);
    let mut is_earlier = true;
    for other in rules.iter().filter(|other| other.enabled) {
        if other.name == rule.name {
            is_earlier = false;
            continue;
        }
        let (allocator, text) = (Allocator::default(), rule_expression(&other.script));
        let Ok(tree) = Tree::parse(&allocator, &text) else { continue };
        if let Some(function) = tree.rule_function() {
            own.check(draft, &Shared::of(&tree, &function), &other.name, is_earlier);
        }
    }
}

/// The heading of an action: where it comes from and what to know about it.
fn heading(draft: &Draft<'_, '_>, rule: &str) -> String {
    let mut text = format!("// Converted from the rule \"{rule}\".");
    let all = draft
        .obstacles
        .iter()
        .map(|note| (note, "kept in an adapter: "))
        .chain(draft.notes.iter().map(|note| (note, "")));
    for (note, kind) in all {
        let _ = write!(text, "\n//   line {}: {kind}{}", note.line, note.text);
    }
    let gap = if draft.requires.is_empty() { "" } else { "\n" };
    format!("{text}\n\n{}{gap}", draft.requires)
}

fn readable(mut draft: Draft<'_, '_>, name: &str, [done, abort]: [&str; 2]) -> String {
    let RuleFunction { span, is_async, body, .. } = *draft.function;
    let heading = heading(&draft, name);
    let params = if draft.redirects { "(event, api, isContinued)" } else { "(event, api)" };
    let (open, close) = match draft.form {
        Form::Straight => (format!("async {params} => {{"), "}".to_owned()),
        Form::Promise if is_async => (
            format!("{params} => new Promise(({done}, {abort}) => {{ (async () => {{"),
            format!("}})().catch({abort}); }})"),
        ),
        Form::Promise => (format!("{params} => new Promise(({done}) => {{"), "})".to_owned()),
    };
    let start = if draft.redirects {
        format!("const login = {open}")
    } else {
        format!("exports.onExecutePostLogin = {open}")
    };
    draft.edits.replace(span.start, body.span.start + 1, start);
    draft.edits.replace(body.span.end - 1, body.span.end, format!("{close};"));
    let end = u32::try_from(draft.tree.text.len()).unwrap_or(u32::MAX) - 1;
    let helpers = std::mem::take(&mut draft.helpers);
    let handler = draft
        .edits
        .apply(draft.tree.text, 1, end)
        .trim()
        .replace(&format!("\n\n{close};"), &format!("\n{close};"));
    let mut code = heading + &variables(&helpers) + &handler + "\n";
    if draft.redirects {
        code.push_str(CONTINUED);
    }
    for helper in helpers {
        code.push_str(match helper {
            Helper::Memory | Helper::UnauthorizedError => "",
            Helper::ReasonOf => REASON_OF,
            Helper::SaveAppMetadata => SAVE_APP_METADATA,
            Helper::SaveUserMetadata => SAVE_USER_METADATA,
        });
    }
    code
}

const CONTINUED: &str = "
exports.onExecutePostLogin = (event, api) => login(event, api, false);
// When the user is back from the redirect.
exports.onContinuePostLogin = (event, api) => login(event, api, true);
";
const REASON_OF: &str = "
function reasonOf(error) {
  return String((error && error.message) || error);
}
";
const SAVE_APP_METADATA: &str = "
async function saveAppMetadata(api, metadata) {
  for (const [key, value] of Object.entries(metadata)) {
    if (value !== undefined) api.user.setAppMetadata(key, value);
  }
}
";
const SAVE_USER_METADATA: &str = "
async function saveUserMetadata(api, metadata) {
  for (const [key, value] of Object.entries(metadata)) {
    if (value !== undefined) api.user.setUserMetadata(key, value);
  }
}
";

fn variables(helpers: &BTreeSet<Helper>) -> String {
    let mut text = String::new();
    if helpers.contains(&Helper::Memory) {
        text.push_str("// Lives as long as the module, as the rule's `global` did.\nconst memory = {};\n\n");
    }
    if helpers.contains(&Helper::UnauthorizedError) {
        text.push_str("class UnauthorizedError extends Error {}\n\n");
    }
    text
}

/// The rule's function, unchanged, with the adapter around it.
fn in_adapter(draft: Draft<'_, '_>, name: &str) -> String {
    let mut code = heading(&draft, name);
    let is_used = |name: &str| !draft.tree.global_references(name).is_empty();
    if is_used("global") {
        code.push_str("// Lives as long as the module, as the rule's `global` did.\nconst global = {};\n\n");
    }
    for class in ["UnauthorizedError", "ValidationError"].into_iter().filter(|class| is_used(class)) {
        let _ = write!(code, "class {class} extends Error {{}}\n\n");
    }
    code.push_str("function login(event, api, protocol) {\n");
    if is_used("configuration") {
        code.push_str("  const configuration = event.secrets;\n");
    }
    let has_auth0 = is_used("auth0");
    if has_auth0 {
        code.push_str("  const auth0 = auth0For(event, api);\n");
    }
    let end = u32::try_from(draft.tree.text.len()).unwrap_or(u32::MAX) - 1;
    let redirects = draft.redirects;
    let rule = draft.common_edits.apply(draft.tree.text, 1, end);
    let _ = write!(
        code,
        "  const rule = {};\n  return runRule(rule, event, api, protocol);\n}}\n\n",
        rule.trim()
    );
    code.push_str("exports.onExecutePostLogin = (event, api) =>\n  login(event, api, event.transaction && event.transaction.protocol);\n");
    if redirects {
        code.push_str("// When the user is back from the redirect.\nexports.onContinuePostLogin = (event, api) => login(event, api, 'redirect-callback');\n");
    }
    code.push_str(include_str!("adapter.js"));
    if has_auth0 {
        code.push_str(include_str!("auth0.js"));
    }
    code
}

#[cfg(test)]
#[path = "../tests/convert.rs"]
mod tests;
