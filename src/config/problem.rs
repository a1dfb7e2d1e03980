//! Everything that can be wrong with a configuration, told to people.

use std::fmt;

use serde::Serialize;

use super::written::Written;

/// One thing that is wrong. Never holds a value that might be a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The key, with dots between levels; a file's path when the whole file can not be read.
    pub key: String,
    /// Where its value comes from.
    pub source: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

const UNSET: &str = "is not set";

/// The configuration is refused: exit code 78.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The profile that was read.
    pub profile: String,
    /// All that is wrong, never empty.
    pub problems: Vec<Diagnostic>,
}

impl Diagnostic {
    /// A problem with the value that is in force at `key`.
    pub(super) fn at(written: &Written, key: &str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            source: written.origin(key).to_string(),
            what: what.into(),
            fix: fix.into(),
        }
    }

    /// A key that has no default, and no value.
    pub(super) fn unset(written: &Written, key: &str, fix: impl Into<String>) -> Self {
        Self::at(written, key, UNSET, fix)
    }

    /// Whether it is that, of this key.
    pub(super) fn is_unset(&self, key: &str) -> bool {
        self.key == key && self.what == UNSET
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let plural = if count == 1 { "problem" } else { "problems" };
        write!(f, "the configuration (profile `{}`) is refused, {count} {plural}:", self.profile)?;
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
