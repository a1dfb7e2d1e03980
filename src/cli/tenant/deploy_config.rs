//! The configuration of commands that deploy, which may leave out what only the doors need.

use crate::cli::{Global, samples};
use crate::config::{self, Config, PRODUCTION};

/// Settings of the doors, which deployments do not need, with a value for when they are not set.
const OF_THE_DOORS: [(&str, &str); 3] = [
    ("auth0.issuer", "https://unused.invalid/"),
    ("public.audience", "https://public.unused.invalid/"),
    ("internal.audience", "https://internal.unused.invalid/"),
];

/// The configuration, of which deployments need [targets], [store] and [script] only.
pub(super) fn load(global: &Global) -> anyhow::Result<Config> {
    let sources = global.sources(PRODUCTION);
    let report = config::read(sources.clone());
    let config = match report.outcome {
        Err(refused)
            if refused
                .problems
                .iter()
                .all(|problem| OF_THE_DOORS.iter().any(|(key, _)| *key == problem.key)) =>
        {
            let unset = OF_THE_DOORS
                .iter()
                .filter(|(key, _)| refused.problems.iter().any(|problem| problem.key == *key));
            config::load(unset.fold(sources, |sources, (key, value)| sources.with_override(key, *value)))?
        }
        outcome => outcome?,
    };
    samples::create_state_folder(&config)?;
    Ok(config)
}
