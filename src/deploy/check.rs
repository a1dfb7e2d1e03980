//! The tests of a bundle: every script must compile in the engine that runs it, and its test cases pass.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::desired::Desired;
use super::state::{ObjectKind, text};
use crate::bundle::Rule;
use crate::script::{LoginInput, ScriptRunner};

/// Runs the test cases of a bundle's scripts, with the keywords of a target. Returns how many passed, or the failures, one line
/// each. Blocking.
pub type BundleTests =
    Arc<dyn Fn(&Path, &BTreeMap<String, Value>) -> Result<usize, Vec<String>> + Send + Sync>;

/// Runs the tests of what is deployed, and returns how many passed.
///
/// # Errors
/// The failures, one line each.
pub(super) fn check_bundle(
    desired: &Desired,
    scripts: &ScriptRunner,
    runtime: &Handle,
) -> Result<usize, Vec<String>> {
    let actions: Vec<_> = desired.state.of(ObjectKind::Actions).collect();
    let failure = |(name, action): &(&String, &crate::bundle::Object)| {
        let problem = runtime.block_on(compile(scripts, text(action, "code")))?;
        Some(format!("action {name}: {}", desired.redacted(&problem)))
    };
    let failures: Vec<String> = actions.iter().filter_map(failure).collect();
    if failures.is_empty() { Ok(actions.len()) } else { Err(failures) }
}

/// Why a script does not compile. It is compiled in a worker process and never run.
async fn compile(scripts: &ScriptRunner, code: &str) -> Option<String> {
    let probe = Rule {
        name: "compile".to_owned(),
        script: format!(
            "function (user, context, callback) {{ new Function('exports', 'require', 'module', {}); callback(null, user, context); }}",
            Value::from(code)
        ),
        order: 1,
        enabled: true,
        stage: "login_success".to_owned(),
    };
    let input = LoginInput {
        user: json!({"user_id": "auth0|compile"}),
        context: json!({"request": {"hostname": "localhost"}}),
        auth0: Default::default(),
        configuration: Default::default(),
    };
    let outcome = scripts.run_rules(&[probe], input, Arc::new(|_| Ok(()))).await;
    outcome.err().map(|denied| denied.message)
}
