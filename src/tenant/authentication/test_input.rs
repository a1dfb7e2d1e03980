//! What a script gets in a test case: what a first login with a browser would give it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use warp::http::{HeaderMap, Method};

use super::super::Inner;
use super::super::request::HttpRequest;
use super::super::users::TenantUser;
use super::login;
use super::login_event::{login_event, words};
use super::rule_context::rule_context;
use super::script_request::ScriptRequest;
use super::transaction::{NewLogin, Transaction};
use crate::bundle::Client;
use crate::script::Trigger;

pub(in crate::tenant) use super::bound_actions::draft as draft_action;
pub(in crate::tenant) use super::rule_context::rule_globals as globals;

/// Who logs in, with what, for what.
pub(in crate::tenant) struct TestLogin<'a> {
    pub(in crate::tenant) user: &'a TenantUser,
    pub(in crate::tenant) client: &'a Client,
    pub(in crate::tenant) audience: Option<&'a str>,
    /// An organization's id.
    pub(in crate::tenant) organization: Option<&'a str>,
    /// With spaces between them.
    pub(in crate::tenant) scope: &'a str,
}

/// The rules' `context`.
pub(in crate::tenant) fn context(tenant: &Inner, login: &TestLogin<'_>) -> Result<Value, String> {
    let (transaction, http) = (transaction(tenant, login)?, request());
    let request = ScriptRequest::with_query(&http, json!({}));
    Ok(rule_context(tenant, &transaction, login.user, login.client, &request))
}

/// An action's `event`. What only a real request of its trigger has, such as a message, is left to the case.
pub(in crate::tenant) fn event(
    tenant: &Inner,
    trigger: Trigger,
    login: &TestLogin<'_>,
) -> Result<Value, String> {
    let (transaction, http) = (transaction(tenant, login)?, request());
    let request = ScriptRequest::with_query(&http, json!({}));
    let mut event = login_event(tenant, &transaction, login.user, login.client, &request);
    let members: &[&str] = match trigger {
        Trigger::PostLogin | Trigger::PasswordResetPostChallenge => return Ok(event),
        Trigger::CredentialsExchange | Trigger::CustomTokenExchange => {
            &["client", "organization", "request", "resource_server", "tenant"]
        }
        Trigger::PreUserRegistration => {
            &["client", "connection", "organization", "request", "tenant", "transaction", "user"]
        }
        Trigger::EventStream => &["tenant"],
        _ => &["client", "connection", "organization", "request", "tenant", "user"],
    };
    let Some(event_members) = event.as_object_mut() else { return Ok(event) };
    event_members.retain(|name, _| members.contains(&name.as_str()));
    let scopes = words(Some(login.scope));
    if trigger == Trigger::CredentialsExchange {
        event_members.insert("accessToken".to_owned(), json!({"customClaims": {}, "scope": scopes}));
    }
    if matches!(trigger, Trigger::CredentialsExchange | Trigger::CustomTokenExchange) {
        event_members.insert("transaction".to_owned(), json!({"requested_scopes": scopes}));
    }
    if let Some(user) = event_members.get_mut("user").and_then(Value::as_object_mut)
        && trigger == Trigger::PreUserRegistration
    {
        // There is no account yet.
        for name in ["user_id", "identities", "created_at", "updated_at", "multifactor", "enrolledFactors"] {
            user.remove(name);
        }
    }
    Ok(event)
}

/// Logs a user in without a browser. Returns the story of the login log.
pub(in crate::tenant) async fn log_in(tenant: &Arc<Inner>, login: &TestLogin<'_>) -> Result<Value, String> {
    let (transaction, http) = (transaction(tenant, login)?, request());
    let request = ScriptRequest::with_query(&http, json!({}));
    // How it ended is in the story.
    drop(login::advance(tenant, transaction, &request).await);
    let story = tenant.log.find(|_| true);
    serde_json::to_value(story).map_err(|error| error.to_string())
}

fn transaction(tenant: &Inner, login: &TestLogin<'_>) -> Result<Transaction, String> {
    let login = NewLogin {
        user: login.user,
        client_id: &login.client.client_id,
        protocol: "oidc-basic-profile",
        is_fresh: true,
        organization: login.organization,
        audience: login.audience,
        scope: Some(login.scope),
    };
    Transaction::new(tenant, &login, None).map_err(|error| error.to_string())
}

/// A request from this machine.
fn request() -> HttpRequest {
    HttpRequest {
        method: Method::GET,
        path: "/authorize".to_owned(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        host: None,
        remote: None,
    }
}
