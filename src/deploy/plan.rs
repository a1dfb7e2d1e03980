//! What would change at a tenant, as a value: shown, approved, recorded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::state::ObjectKind;

/// What would change at a tenant, in the order in which it is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The target's name.
    pub target: String,
    /// The tenant's URL.
    pub tenant: String,
    /// The changes.
    pub changes: Vec<Change>,
    /// What the tenant has of the bundle's kinds and the bundle has not, and what is kept.
    pub not_in_bundle: Vec<Named>,
    /// What is not deployed; one line each.
    pub notices: Vec<String>,
}

/// A change of one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What is done.
    pub action: Verb,
    /// The kind of object.
    pub kind: ChangeKind,
    /// The object's name: a trigger's for bindings.
    pub name: String,
    /// The members that change, scripts and secrets apart.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, MemberChange>,
    /// The secrets that change, and how.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretChange>,
    /// The unified diff of its script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// What is done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each name says it")]
pub enum Verb {
    Create,
    Update,
    /// Its draft is as it should be, but not deployed.
    Deploy,
    Delete,
}

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// The actions of a trigger.
    Bindings,
    /// An object.
    #[serde(untagged)]
    Object(ObjectKind),
}

/// A member's values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each name says it")]
pub struct MemberChange {
    pub before: Value,
    pub after: Value,
}

/// How a secret changes. Auth0 never returns values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretChange {
    /// The tenant does not have it.
    Add,
    /// Its value is another than the one last deployed.
    Change,
    /// It was never deployed from here, so its value at the tenant is unknown. It is set.
    Set,
    /// The bundle does not have it.
    Remove,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each name says it")]
pub struct Named {
    pub kind: ObjectKind,
    pub name: String,
}

impl Plan {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl Change {
    pub(super) fn new(kind: ChangeKind, name: &str) -> Self {
        Self {
            action: Verb::Update,
            kind,
            name: name.to_owned(),
            members: BTreeMap::new(),
            secrets: BTreeMap::new(),
            diff: None,
        }
    }

    /// The change in a few words, for logs.
    pub fn title(&self) -> String {
        let kind = match self.kind {
            ChangeKind::Bindings => "bindings of",
            ChangeKind::Object(kind) => kind.noun(),
        };
        format!("{} {kind} {}", self.action.as_str(), self.name)
    }
}

impl Verb {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Deploy => "deploy",
            Self::Delete => "delete",
        }
    }
}
