//! What a bundle's scripts `require`, found in their text, and what of it npm has to install.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::built_in::{node_module, npm_package};
use super::packages::{Packages, split};
use crate::bundle::{Bundle, Kind, Object};

/// A module that a script requires and that is not built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredPackage {
    /// The script, as in `rule "name"`.
    pub script: String,
    /// What it requires, without a version.
    pub specifier: String,
    /// The package to install.
    pub package: String,
    /// The version that the script names.
    pub version: Option<String>,
    /// Why it cannot be used; `None` when it is installed.
    pub problem: Option<String>,
}

/// The packages that a bundle's scripts require and that are not built in, each script's once. `folder` is the bundle's.
/// Only literal names are found: `require('name')` and `import … from 'name'`.
pub fn required_packages(bundle: &Bundle, folder: &Path) -> Vec<RequiredPackage> {
    let packages = Packages::new(folder);
    let rules = bundle.rules.iter().filter(|rule| rule.enabled);
    let rules = rules.map(|rule| (format!("rule \"{}\"", rule.name), rule.script.as_str(), BTreeMap::new()));
    let of_kind =
        |kind, what: &'static str| bundle.objects.list(kind).iter().map(move |object| action(object, what));
    let actions = of_kind(Kind::Action, "action").chain(of_kind(Kind::ActionModule, "action module"));
    let mut required = Vec::new();
    for (script, code, dependencies) in rules.chain(actions) {
        let mut found = specifiers(code);
        found.sort();
        found.dedup_by(|a, b| a.0 == b.0);
        for (specifier, version) in found {
            let (package, _) = split(&specifier);
            let version = version.or_else(|| dependencies.get(package).cloned());
            let package = package.to_owned();
            let problem = packages.problem(&specifier);
            required.push(RequiredPackage { script: script.clone(), specifier, package, version, problem });
        }
    }
    required
}

/// A script that is an action: its label, its code and the versions of its dependencies.
fn action<'a>(object: &'a Object, what: &str) -> (String, &'a str, BTreeMap<String, String>) {
    let text = |object: &'a Object, name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let dependencies = object.get("dependencies").and_then(Value::as_array).into_iter().flatten();
    let dependencies = dependencies.filter_map(Value::as_object).map(|of| {
        let version = of.get("version").and_then(Value::as_str).unwrap_or("latest");
        (text(of, "name").to_owned(), version.to_owned())
    });
    (format!("{what} \"{}\"", text(object, "name")), text(object, "code"), dependencies.collect())
}

/// The specifiers in a script that are not built in, with their versions.
fn specifiers(code: &str) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    let mut in_comment = false;
    for line in code.lines() {
        let line = uncommented(line, &mut in_comment);
        for (start, call) in
            ["require(", "import(", " from "].into_iter().flat_map(|call| line.match_indices(call))
        {
            let before = line.get(..start).and_then(|before| before.chars().next_back());
            if before.is_some_and(|one| one.is_alphanumeric() || matches!(one, '_' | '$' | '.'))
                && call != " from "
            {
                continue;
            }
            let rest = line.get(start + call.len()..).unwrap_or_default().trim_start();
            let Some(quote) = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"' | '`')) else {
                continue;
            };
            let Some((specifier, _)) = rest.get(1..).and_then(|rest| rest.split_once(quote)) else {
                continue;
            };
            let (name, version) = without_version(specifier);
            let is_name =
                !name.is_empty() && !name.contains([' ', '$', ':', '{']) && !name.starts_with(['.', '/']);
            if is_name && node_module(&name).is_none() && npm_package(&name).is_none() {
                found.push((name, version));
            }
        }
    }
    found
}

/// `@a/b@1.2/c` is `@a/b/c` and `1.2`.
pub(super) fn without_version(specifier: &str) -> (String, Option<String>) {
    let from = usize::from(specifier.starts_with('@'));
    let Some(at) = specifier.get(from..).and_then(|rest| rest.find('@')).map(|at| at + from) else {
        return (specifier.to_owned(), None);
    };
    let (name, version) = specifier.split_at(at);
    let version = version.get(1..).unwrap_or_default();
    let (version, path) = version.split_once('/').map_or((version, ""), |(version, path)| (version, path));
    let slash = if path.is_empty() { "" } else { "/" };
    (format!("{name}{slash}{path}"), Some(version.to_owned()))
}

/// A line without its comments. A `//` right after a `:` is part of a URL.
fn uncommented(line: &str, in_comment: &mut bool) -> String {
    let mut rest = line;
    let mut kept = String::new();
    loop {
        if *in_comment {
            let Some((_, after)) = rest.split_once("*/") else { return kept };
            (*in_comment, rest) = (false, after);
        }
        let line_comment = rest.match_indices("//").map(|(at, _)| at);
        let line_comment =
            line_comment.filter(|at| !rest.get(..*at).is_some_and(|before| before.ends_with(':'))).min();
        let block = rest.find("/*").filter(|at| line_comment.is_none_or(|line| *at < line));
        let end = block.or(line_comment).unwrap_or(rest.len());
        kept.push_str(rest.get(..end).unwrap_or_default());
        let Some(block) = block else { return kept };
        (*in_comment, rest) = (true, rest.get(block + 2..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_names_outside_comments_are_found_with_their_versions() {
        let code = "const _ = require('lodash@4.17.10');\n\
            // const no = require('commented');\n\
            /* require('blocked')\n require('still') */ const m = require(\"moment\");\n\
            const u = 'https://x.example'; const s = require( '@scope/pkg@1.0.0/sub' );\n\
            import slug from 'slug';\n const own = require('actions:logger'), c = require('node:crypto'), a = require('axios@0.21');\n\
            const d = `${require('crypto').randomUUID()}`; not.require('x'); require(name); require('./file');\n\
            const j = await import('jose');";
        let expected = [
            ("lodash", Some("4.17.10")),
            ("moment", None),
            ("@scope/pkg/sub", Some("1.0.0")),
            ("slug", None),
            ("jose", None),
        ];
        let expected = expected.map(|(name, version)| (name.to_owned(), version.map(str::to_owned)));
        assert_eq!(specifiers(code), expected);
    }
}
