//! The state of a tenant as far as a bundle describes it: what it is, or what it should be.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bundle::{Kind, Object};

/// Objects and bindings. Holds no secret: what is deployed as one is kept apart, and what Auth0 returns of one is dropped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// The kinds that were read. Others are not described.
    pub(super) kinds: BTreeSet<ObjectKind>,
    /// The objects of each kind by their names.
    pub(super) objects: BTreeMap<ObjectKind, BTreeMap<String, Object>>,
    /// The actions of each trigger, in order.
    pub(super) bindings: BTreeMap<String, Vec<Binding>>,
    /// Names that several clients have, so that none can be meant.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) ambiguous: BTreeSet<String>,
}

/// A kind of object that is deployed. In the order in which they are created: each refers to earlier ones only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is Auth0's own term")]
pub enum ObjectKind {
    ResourceServers,
    Clients,
    Grants,
    Roles,
    ActionModules,
    Actions,
}

/// An action in the list of a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Binding {
    pub(super) action_name: String,
    pub(super) display_name: String,
}

impl ObjectKind {
    pub(super) const ALL: [Self; 6] =
        [Self::ResourceServers, Self::Clients, Self::Grants, Self::Roles, Self::ActionModules, Self::Actions];

    /// Its kind in a bundle.
    pub(super) fn in_bundle(self) -> Kind {
        match self {
            Self::ResourceServers => Kind::ResourceServer,
            Self::Clients => Kind::Client,
            Self::Grants => Kind::ClientGrant,
            Self::Roles => Kind::Role,
            Self::ActionModules => Kind::ActionModule,
            Self::Actions => Kind::Action,
        }
    }

    /// Its name, as in a bundle.
    pub fn as_str(self) -> &'static str {
        self.in_bundle().folder()
    }

    /// One of it, for people.
    pub fn noun(self) -> &'static str {
        match self {
            Self::ResourceServers => "API",
            Self::Clients => "client",
            Self::Grants => "grant",
            Self::Roles => "role",
            Self::ActionModules => "action module",
            Self::Actions => "action",
        }
    }

    /// Its path below `/api/v2/`.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::ResourceServers => "resource-servers",
            Self::Clients => "clients",
            Self::Grants => "client-grants",
            Self::Roles => "roles",
            Self::ActionModules => "actions/modules",
            Self::Actions => "actions/actions",
        }
    }

    pub(super) fn id_member(self) -> &'static str {
        self.in_bundle().id_member()
    }

    /// Members that Auth0 sets, or returns and refuses.
    pub(super) fn read_only(self) -> &'static [&'static str] {
        match self {
            Self::ResourceServers => &["id", "client_id", "is_system"],
            Self::Clients => {
                &["client_id", "tenant", "global", "callback_url_template", "deployment_id", "owners"]
            }
            Self::Grants => &["id", "is_system", CLIENT],
            Self::Roles => &["id", "type"],
            Self::ActionModules => &[
                "id",
                "created_at",
                "updated_at",
                "actions_using_module_total",
                "all_changes_published",
                "latest_version",
                "latest_version_number",
            ],
            Self::Actions => &[
                "id",
                "status",
                "created_at",
                "updated_at",
                "built_at",
                "deployed",
                "deployed_version",
                "current_version",
                "all_changes_deployed",
                "installed_integration_id",
                "integration",
            ],
        }
    }

    /// Members that can be given at creation only.
    pub(super) fn creation_only(self) -> &'static [&'static str] {
        match self {
            Self::ResourceServers => &["identifier"],
            Self::Grants => &["client_id", "audience", "subject_type"],
            Self::ActionModules => &["api_version"],
            _ => &[],
        }
    }

    /// What its scripts call their versions; `None` of kinds without a script.
    pub(super) fn script(self) -> Option<&'static ScriptMembers> {
        match self {
            Self::Actions => Some(&ScriptMembers {
                wanted: "deployed",
                version: "deployed_version",
                is_current: "all_changes_deployed",
                deploy: "deploy",
            }),
            Self::ActionModules => Some(&ScriptMembers {
                wanted: "all_changes_published",
                version: "latest_version",
                is_current: "all_changes_published",
                deploy: "versions",
            }),
            _ => None,
        }
    }
}

/// The names in which actions and action modules differ. Both have a draft and versions, of which one runs.
pub(super) struct ScriptMembers {
    /// In a bundle, whether the draft is to run.
    pub(super) wanted: &'static str,
    /// The version that runs.
    pub(super) version: &'static str,
    /// Whether that is the draft.
    pub(super) is_current: &'static str,
    /// The last part of the path at which the draft becomes the version that runs.
    pub(super) deploy: &'static str,
}

/// The member of a grant with its client's name, which is the same at every tenant.
pub(super) const CLIENT: &str = "client";

/// Members with secrets, which are neither compared nor kept.
const SECRET: [&str; 4] = ["client_secret", "signing_keys", "signing_secret", "encryption_key"];

impl State {
    pub(super) fn of(&self, kind: ObjectKind) -> impl Iterator<Item = (&String, &Object)> {
        self.objects.get(&kind).into_iter().flatten()
    }

    pub(super) fn get(&self, kind: ObjectKind, name: &str) -> Option<&Object> {
        self.objects.get(&kind)?.get(name)
    }

    /// The client's name.
    pub(super) fn client_name(&self, client_id: &str) -> Option<&str> {
        let mut clients = self.of(ObjectKind::Clients);
        clients.find(|(_, client)| text(client, "client_id") == client_id).map(|(name, _)| name.as_str())
    }

    /// Adds an object under its name; one without a name is left out.
    pub(super) fn add(&mut self, kind: ObjectKind, mut object: Object) {
        object.retain(|member, value| !SECRET.contains(&member.as_str()) && !value.is_null());
        let name = match kind {
            ObjectKind::ResourceServers => text(&object, "identifier").to_owned(),
            ObjectKind::Grants => {
                let for_users = if text(&object, "subject_type") == "user" { " for users" } else { "" };
                match (text(&object, CLIENT), text(&object, "audience")) {
                    ("", _) | (_, "") => String::new(),
                    (client, audience) => format!("{client} at {audience}{for_users}"),
                }
            }
            _ => text(&object, "name").to_owned(),
        };
        if name.is_empty() {
            return;
        }
        if let Some(Value::Array(secrets)) = object.get_mut("secrets").filter(|_| kind.script().is_some()) {
            secrets
                .iter_mut()
                .filter_map(Value::as_object_mut)
                .for_each(|secret| drop(secret.remove("value")));
        }
        let objects = self.objects.entry(kind).or_default();
        if objects.insert(name.clone(), object).is_some() {
            self.ambiguous.insert(name);
        }
    }
}

/// The names of a script's secrets.
pub(super) fn secret_names(script: &Object) -> impl Iterator<Item = &str> {
    let listed = script.get("secrets").and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(|secret| secret.get("name")?.as_str())
}

/// A member's text; empty when it is absent or no text.
pub(super) fn text<'a>(object: &'a Object, member: &str) -> &'a str {
    object.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// Whether `is` has everything that `wanted` has. The order of lists does not count, null is absent, and absent is empty.
pub(super) fn contains(is: &Value, wanted: &Value) -> bool {
    match (is, wanted) {
        (Value::Object(is), Value::Object(wanted)) => {
            wanted.iter().all(|(member, value)| match is.get(member) {
                Some(is) => contains(is, value),
                None => value.is_null() || value == &json!([]) || value == &json!({}) || value == "",
            })
        }
        (Value::Array(is), Value::Array(wanted)) => {
            let mut rest: Vec<&Value> = is.iter().collect();
            let mut take = |value: &Value| {
                let found = rest.iter().position(|is| contains(is, value));
                found.map(|index| rest.swap_remove(index)).is_some()
            };
            is.len() == wanted.len() && wanted.iter().all(&mut take)
        }
        (Value::Number(is), Value::Number(wanted)) => is.as_f64() == wanted.as_f64(),
        (is, wanted) => is == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_compared_and_nothing_else() {
        for (is, wanted, expected) in [
            (json!({"a": 1, "b": 2}), json!({"a": 1.0}), true),
            (json!({"a": {"x": 1, "y": 2}}), json!({"a": {"y": 2}}), true),
            (json!({"a": {"x": 1}}), json!({"a": {"y": 2}}), false),
            (json!({"a": [1, 2]}), json!({"a": [2, 1]}), true),
            (json!({"a": [1, 1]}), json!({"a": [1, 2]}), false),
            (json!({"a": [1, 2]}), json!({"a": [1]}), false),
            (json!([{"value": "r", "description": "d"}]), json!([{"value": "r"}]), true),
            (json!({}), json!({"a": null, "b": [], "c": {}, "d": ""}), true),
            (json!({"a": true}), json!({"a": null}), false),
            (json!({}), json!({"a": false}), false),
        ] {
            assert_eq!(contains(&is, &wanted), expected, "{is} {wanted}");
        }
    }

    #[test]
    fn no_state_has_a_secret_and_grants_are_named_by_their_client() {
        let mut state = State::default();
        let add = |state: &mut State, kind, value: Value| state.add(kind, value.as_object().unwrap().clone());
        add(&mut state, ObjectKind::Clients, json!({"name": "a", "client_id": "1", "client_secret": "hush"}));
        add(
            &mut state,
            ObjectKind::Actions,
            json!({"name": "x", "secrets": [{"name": "KEY", "value": "hush"}]}),
        );
        add(&mut state, ObjectKind::Grants, json!({"client": "a", "audience": "u", "subject_type": "user"}));
        assert!(state.get(ObjectKind::Grants, "a at u for users").is_some());
        assert_eq!(state.client_name("1"), Some("a"));
        assert!(!serde_json::to_string(&state).unwrap().contains("hush"));
        add(&mut state, ObjectKind::Clients, json!({"name": "a", "client_id": "2"}));
        assert!(state.ambiguous.contains("a"));
    }
}
