//! Actions, and the triggers that run them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A place where Auth0 runs actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is Auth0's trigger of the same name")]
pub enum Trigger {
    PostLogin,
    CredentialsExchange,
    PreUserRegistration,
    PostUserRegistration,
    PostChangePassword,
    CustomTokenExchange,
    PasswordResetPostChallenge,
    SendPhoneMessage,
    CustomPhoneProvider,
    CustomEmailProvider,
    EventStream,
}

/// Each trigger with Auth0's name for it, its handler, and the handler that continues a suspended run.
const TRIGGERS: [(Trigger, &str, &str, Option<&str>); 11] = [
    (Trigger::PostLogin, "post-login", "onExecutePostLogin", Some("onContinuePostLogin")),
    (Trigger::CredentialsExchange, "credentials-exchange", "onExecuteCredentialsExchange", None),
    (Trigger::PreUserRegistration, "pre-user-registration", "onExecutePreUserRegistration", None),
    (Trigger::PostUserRegistration, "post-user-registration", "onExecutePostUserRegistration", None),
    (Trigger::PostChangePassword, "post-change-password", "onExecutePostChangePassword", None),
    (Trigger::CustomTokenExchange, "custom-token-exchange", "onExecuteCustomTokenExchange", None),
    (
        Trigger::PasswordResetPostChallenge,
        "password-reset-post-challenge",
        "onExecutePostChallenge",
        Some("onContinuePostChallenge"),
    ),
    (Trigger::SendPhoneMessage, "send-phone-message", "onExecuteSendPhoneMessage", None),
    (Trigger::CustomPhoneProvider, "custom-phone-provider", "onExecuteCustomPhoneProvider", None),
    (Trigger::CustomEmailProvider, "custom-email-provider", "onExecuteCustomEmailProvider", None),
    (Trigger::EventStream, "event-stream", "onExecuteEventStream", None),
];

impl Trigger {
    /// Every trigger.
    pub fn all() -> impl Iterator<Item = Self> {
        TRIGGERS.iter().map(|(trigger, ..)| *trigger)
    }

    /// The trigger with Auth0's name `name`, such as `post-login`.
    pub fn from_name(name: &str) -> Option<Self> {
        TRIGGERS.iter().find(|(_, own, ..)| *own == name).map(|(trigger, ..)| *trigger)
    }

    /// Auth0's name.
    pub fn name(self) -> &'static str {
        self.row().map_or("", |(_, name, ..)| name)
    }

    /// The function that an action of this trigger exports.
    pub fn handler(self) -> &'static str {
        self.row().map_or("", |(_, _, handler, _)| handler)
    }

    /// The function that continues an action after a redirect or a prompt.
    pub fn continue_handler(self) -> Option<&'static str> {
        self.row().and_then(|(.., handler)| *handler)
    }

    fn row(self) -> Option<&'static (Self, &'static str, &'static str, Option<&'static str>)> {
        TRIGGERS.iter().find(|(trigger, ..)| *trigger == self)
    }
}

/// An action as it is deployed.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Action {
    /// Its name.
    pub name: String,
    /// Its source: a CommonJS module that exports the trigger's handler.
    pub code: String,
    /// `event.secrets`. Redacted from everything the scripts output.
    pub secrets: BTreeMap<String, String>,
    /// The npm packages it names.
    pub dependencies: Vec<Dependency>,
    /// The action modules it may require as `actions:NAME`.
    pub modules: Vec<ActionModule>,
}

/// Code that several actions share: `require('actions:NAME')`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ActionModule {
    /// Its name.
    pub name: String,
    /// Its source: a CommonJS module.
    pub code: String,
    /// Its own secrets: `actions.secrets`.
    pub secrets: BTreeMap<String, String>,
    /// The npm packages it names.
    pub dependencies: Vec<Dependency>,
}

/// An npm package with the version that a script names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// Its version, as the script names it.
    pub version: String,
}

/// A deployed action for `post-login`, as a bundle has it. `code` is its source, or the file of that.
pub fn post_login_object(name: &str, code: &str, dependencies: &[Dependency], secrets: &[Value]) -> Value {
    json!({
        "name": name, "code": code, "runtime": "node22", "dependencies": dependencies, "secrets": secrets,
        "supported_triggers": [{"id": "post-login", "version": "v3"}], "deployed": true,
    })
}

impl std::fmt::Debug for Action {
    /// Without code and secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Action").field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ActionModule {
    /// Without code and secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActionModule").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trigger_is_found_by_the_name_that_serde_gives_it() {
        for trigger in Trigger::all() {
            assert_eq!(Trigger::from_name(trigger.name()), Some(trigger));
            assert_eq!(serde_json::json!(trigger), trigger.name());
            assert!(trigger.handler().starts_with("onExecute"), "{trigger:?}");
        }
        assert_eq!(Trigger::from_name("login-post-identifier"), None);
    }
}
