//! The grant of machines: the scopes of the client grant, the actions of credentials-exchange, the token.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::Inner;
use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::request::HttpRequest;
use super::super::tickets;
use super::login_event::words;
use super::login_log::LoginStory;
use super::script_request::{self, ScriptRequest, TENANT};
use super::user_tokens::{context, token_response};
use super::{claims, scripts};
use crate::bundle::{Client, ResourceServer};
use crate::script::{Effects, TargetScopes, Trigger};

pub(super) async fn client_credentials(
    tenant: &Arc<Inner>,
    client: &Client,
    params: &Params,
    request: &HttpRequest,
) -> Result<Value, OAuthError> {
    if params.get("organization").is_some() {
        let problem = "The dev tenant does not support organization in a client_credentials request";
        return Err(OAuthError::invalid_request(problem));
    }
    let audience = tenant
        .audience(params)
        .ok_or_else(|| OAuthError::access_denied("Non-global clients are not allowed access to APIv1"))?;
    let api = tenant.apis.find(audience)?;
    let mut scopes =
        tenant.apis.machine_scopes(&tenant.bundle, &client.client_id, api, params.get("scope"))?;
    let effects = run_actions(tenant, client, api, &scopes, params, request).await?;
    if !effects.target_scopes.is_empty() {
        let all = tenant.apis.machine_scopes(&tenant.bundle, &client.client_id, api, None)?;
        scopes = retarget(scopes, &effects.target_scopes);
        // An action chooses among the scopes of the client's grant.
        scopes.retain(|scope| all.contains(scope));
    }
    let jti = tickets::random()?;
    let claims = context(tenant, client, &jti, None).machine(api, &scopes, &effects.access_token);
    let token = tenant.key.sign(claims::typ(api), &claims)?;
    Ok(token_response(&token, api.token_lifetime, &scopes, None, None))
}

/// Runs the bound actions, if there are any.
async fn run_actions(
    tenant: &Arc<Inner>,
    client: &Client,
    api: &ResourceServer,
    scopes: &[String],
    params: &Params,
    request: &HttpRequest,
) -> Result<Effects, OAuthError> {
    let trigger = Trigger::CredentialsExchange;
    let Some(actions) = tenant.scripts.bound(trigger) else { return Ok(Effects::default()) };
    let view = ScriptRequest::with_body(request, params);
    let requested = words(params.get("scope"));
    let event = json!({
        "accessToken": {"customClaims": {}, "scope": scopes},
        "client": script_request::client(client),
        "request": view.event(tenant),
        "resource_server": {"identifier": api.identifier},
        "tenant": {"id": TENANT},
        "transaction": {"requested_scopes": requested, "target_scopes": scopes},
    });
    let mut story =
        LoginStory { protocol: Some("client-credentials".to_owned()), ..LoginStory::of(&client.client_id) };
    let result = scripts::run_once(tenant, trigger, actions, event, &mut story).await;
    if let Ok(effects) = &result {
        let is_management = super::super::apis::is_management(&api.identifier);
        story.dropped_claims = claims::dropped(&effects.access_token, is_management);
        story.access_token = claims::permitted(&effects.access_token, is_management);
    }
    story.record(tenant, result.as_ref().map(|_| "token issued"));
    result
}

fn retarget(scopes: Vec<String>, changes: &[TargetScopes]) -> Vec<String> {
    let mut targets: BTreeSet<String> = scopes.into_iter().collect();
    for change in changes {
        match change {
            TargetScopes::Add(scope) => drop(targets.insert(scope.clone())),
            TargetScopes::Remove(scope) => drop(targets.remove(scope)),
            TargetScopes::Set(scopes) => targets = scopes.iter().cloned().collect(),
            TargetScopes::Clear => targets.clear(),
        }
    }
    targets.into_iter().collect()
}
