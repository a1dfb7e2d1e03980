//! Who a case or a login is about, with what client and for what API: found in the bundle by what people call them.

use serde_json::{Map, Value, json};

use super::super::Inner;
use super::super::authentication::test_input::TestLogin;
use super::super::response::object;
use super::super::users::TenantUser;
use crate::bundle::Client;
use crate::script::Trigger;

/// What a subject is found by.
#[derive(Debug, Clone, Copy, Default)]
pub struct SubjectNames<'a> {
    /// A person's email or user id. Not given: the first one.
    pub person: Option<&'a str>,
    /// A client's name or id. Not given: the first one that can.
    pub client: Option<&'a str>,
    /// An API's identifier.
    pub api: Option<&'a str>,
    /// An organization's name or id.
    pub organization: Option<&'a str>,
    /// The requested scopes, with spaces between them. Not given: `openid profile email`.
    pub scope: Option<&'a str>,
}

/// Who and what a case or a login is about.
pub(super) struct Subject {
    pub(super) user: TenantUser,
    client: Client,
    audience: Option<String>,
    organization: Option<String>,
    scope: String,
}

impl Subject {
    pub(super) fn find(tenant: &Inner, names: &SubjectNames<'_>, trigger: Trigger) -> Result<Self, String> {
        let all = tenant.users.all().map_err(|error| error.to_string())?;
        let mut people = all.into_iter().map(|(user, _)| user);
        let user = match names.person {
            Some(wanted) => people
                .find(|user| user.user_id() == wanted || user.email().eq_ignore_ascii_case(wanted))
                .ok_or_else(|| missing("person", wanted))?,
            None => people.next().unwrap_or_else(|| tenant.users.user(anyone())),
        };
        let clients = &tenant.bundle.clients;
        // Of a bundle that has scripts only.
        let any: Client = serde_json::from_value(json!({"client_id": "app", "name": "App"}))
            .map_err(|error| error.to_string())?;
        let client = match names.client {
            Some(wanted) => clients
                .iter()
                .find(|client| client.client_id == wanted || client.name == wanted)
                .ok_or_else(|| missing("client", wanted))?,
            None => {
                let is_machine = trigger == Trigger::CredentialsExchange;
                let grant = if is_machine { "client_credentials" } else { "authorization_code" };
                let fitting = clients.iter().find(|client| client.may_use(grant));
                fitting.or(clients.first()).unwrap_or(&any)
            }
        };
        if let Some(api) = names.api {
            tenant.apis.find(api).map_err(|_| missing("API with the identifier", api))?;
        }
        let organization = match names.organization {
            Some(wanted) => {
                let mut all = tenant.bundle.organizations.iter();
                let found = all.find(|organization| organization.id == wanted || organization.name == wanted);
                Some(found.ok_or_else(|| missing("organization", wanted))?.id.clone())
            }
            None => None,
        };
        Ok(Self {
            user,
            client: client.clone(),
            audience: names.api.map(str::to_owned),
            organization,
            scope: names.scope.unwrap_or("openid profile email").to_owned(),
        })
    }

    pub(super) fn login(&self) -> TestLogin<'_> {
        TestLogin {
            user: &self.user,
            client: &self.client,
            audience: self.audience.as_deref(),
            organization: self.organization.as_deref(),
            scope: &self.scope,
        }
    }
}

pub(super) fn missing(what: &str, name: &str) -> String {
    format!("the bundle has no {what} \"{name}\"")
}

/// The user of a bundle without people.
fn anyone() -> Map<String, Value> {
    object(json!({
        "user_id": "auth0|someone", "email": "someone@example.com", "email_verified": true, "name": "Someone",
        "nickname": "someone",
    }))
}
