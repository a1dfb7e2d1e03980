//! The `changes` of a line.

use serde_json::{Map, Value, json};

use super::actor::Actor;
use crate::user::Auth0Id;

/// The changed fields, by the names that clients use.
#[derive(Debug, Default)]
pub(crate) struct Changes(Map<String, Value>);

impl Changes {
    /// A field that is not personal, with its values.
    pub(crate) fn field(mut self, name: &str, old: impl Into<Value>, new: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), json!({ "old": old.into(), "new": new.into() }));
        self
    }

    /// A personal field, without its values.
    pub(crate) fn redacted(mut self, name: &str) -> Self {
        self.0.insert(name.to_owned(), "redacted".into());
        self
    }

    /// [`Changes::redacted`] for each field that is marked `true`.
    pub(crate) fn redacted_if<'a>(self, fields: impl IntoIterator<Item = (&'a str, bool)>) -> Self {
        let marked = fields.into_iter().filter(|(_, changed)| *changed);
        marked.fold(self, |changes, (name, _)| changes.redacted(name))
    }

    /// A new identity, by its provider.
    pub(crate) fn identity_added(self, auth0_id: &Auth0Id) -> Self {
        let Some(provider) = provider(auth0_id) else { return self.redacted("identity") };
        self.field("identity", (), provider)
    }

    /// A removed identity, by its provider.
    pub(crate) fn identity_removed(self, auth0_id: &Auth0Id) -> Self {
        let Some(provider) = provider(auth0_id) else { return self.redacted("identity") };
        self.field("identity", provider, ())
    }

    /// The agent that made the change, if one did. A person who acts for another one is named by their provider only.
    pub(crate) fn by_agent(mut self, actor: &Actor) -> Self {
        if let Actor::Agent { agent, .. } = actor {
            let name = agent.split_once('|').map_or(agent.as_str(), |(provider, _)| provider);
            self.0.insert("agent".to_owned(), name.into());
        }
        self
    }

    pub(crate) fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_json(self) -> String {
        Value::Object(self.0).to_string()
    }
}

/// The part of an Auth0 id before the first `|`. The rest can contain an email.
pub(crate) fn provider(auth0_id: &Auth0Id) -> Option<&str> {
    auth0_id.as_str().split_once('|').map(|(provider, _)| provider)
}
