//! The Auth0 profile of a row.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A profile as it is stored: the text of its JSON. Rows are mostly read for other fields, so it is parsed when it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredProfile(Box<str>);

impl StoredProfile {
    /// The profile in a column that holds JSON.
    pub fn from_json(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text of its JSON.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parsed profile; null if the text is damaged.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl From<&Value> for StoredProfile {
    fn from(value: &Value) -> Self {
        Self(value.to_string().into())
    }
}

impl Serialize for StoredProfile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

/// Hides the profile: it is about a person and must not be logged.
impl fmt::Debug for StoredProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredProfile(…)")
    }
}
