//! The tests of a bundle: every script must compile, and its test cases pass.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::desired::Desired;
use super::state::{ObjectKind, text};
use crate::bundle::Object;
use crate::script::{Note, ScriptKind, check_syntax};

/// Runs the test cases of a bundle's scripts, with the keywords of a target. Returns how many passed, or the failures, one line
/// each. Blocking.
pub type BundleTests =
    Arc<dyn Fn(&Path, &BTreeMap<String, Value>) -> Result<usize, Vec<String>> + Send + Sync>;

/// Compiles the scripts of what is deployed, and returns how many there are.
///
/// # Errors
/// What does not compile, one line each.
pub(super) fn check_bundle(desired: &Desired) -> Result<usize, Vec<String>> {
    let kinds = [ObjectKind::ActionModules, ObjectKind::Actions];
    let scripts: Vec<_> = kinds
        .into_iter()
        .flat_map(|kind| desired.state.of(kind).map(move |(name, script)| (kind.as_str(), name, script)))
        .collect();
    let failure = |(folder, name, script): &(&str, &String, &Object)| {
        let Note { line, text } = check_syntax(ScriptKind::Action, text(script, "code")).err()?;
        Some(format!("{folder}/{name}/code.js:{line}: {}", desired.redacted(&text)))
    };
    let failures: Vec<String> = scripts.iter().filter_map(failure).collect();
    if failures.is_empty() { Ok(scripts.len()) } else { Err(failures) }
}
