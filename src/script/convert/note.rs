//! A remark about a line of a rule.

/// A remark about a line of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The line of the rule, from 1.
    pub line: usize,
    /// The remark.
    pub text: String,
}
