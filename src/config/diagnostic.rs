//! What is wrong with a configuration, for people.

use std::fmt;

use serde::Serialize;

/// One mistake. Never contains a value that might be a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The key, with dots between levels; a file's path when the whole file cannot be read.
    pub key: String,
    /// Where its value comes from.
    pub source: String,
    /// What is wrong.
    pub what: String,
    /// How to fix it.
    pub fix: String,
}

/// The configuration is invalid: exit code 78.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The profile that was read.
    pub profile: String,
    /// All mistakes; never empty.
    pub problems: Vec<Diagnostic>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let plural = if count == 1 { "problem" } else { "problems" };
        write!(f, "the configuration (profile `{}`) is invalid, {count} {plural}:", self.profile)?;
        for problem in &self.problems {
            write!(f, "\n\n{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, source, what, fix } = self;
        write!(f, "  {key}  ({source})\n    {what}\n    fix: {fix}")
    }
}
