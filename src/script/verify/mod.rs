//! Compares a rule with the action made from it: both run on the same logins, with the same answers to their requests.

mod case;
mod observe;
mod generate;

use std::collections::BTreeMap;

use serde_json::Value;

pub use case::{CannedResponse, Continued, LoginCase};
pub use generate::generated_cases;
pub use observe::{fetched, observe_action, observe_actions, observe_rule};

use super::convert::Converted;
use super::host::ScriptRunner;
use crate::bundle::Rule;

/// A case in which a rule and its action end differently.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The case's name.
    pub case: String,
    /// What the rule did.
    pub rule: Value,
    /// What the action did.
    pub action: Value,
}

/// The result of a comparison.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// How many cases ended alike.
    pub alike: usize,
    /// How many cases the rule itself does not survive: it throws, or never calls back.
    pub broken: usize,
    /// The others.
    pub differences: Vec<Difference>,
}

/// Runs a rule and its action on every case.
pub async fn compare(
    runner: &ScriptRunner,
    rule: &Rule,
    converted: &Converted,
    configuration: &BTreeMap<String, String>,
    cases: &[LoginCase],
) -> Comparison {
    let mut comparison = Comparison::default();
    for case in cases {
        let mut configuration = configuration.clone();
        configuration.extend(case.configuration.clone());
        let action = converted.action(&rule.name, &configuration);
        let of_rule = observe_rule(&runner.with_stubs(case.stubs()), rule, &configuration, case).await;
        let of_action = observe_action(&runner.with_stubs(case.stubs()), &action, case).await;
        let is_broken = of_rule.iter().any(|it| {
            it.get("denied").and_then(Value::as_str).is_some_and(|text| {
                text.starts_with("it threw TypeError") || text.starts_with("it ended without")
            })
        });
        match () {
            () if of_rule == of_action => comparison.alike += 1,
            () if is_broken => comparison.broken += 1,
            () => comparison.differences.push(Difference {
                case: case.name.clone(),
                rule: of_rule.into(),
                action: of_action.into(),
            }),
        }
    }
    comparison
}
