//! Custom token exchange (RFC 8693): the action of a profile turns another system's token into a user, who then logs in.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::accounts::Feed;
use super::super::db::timestamp;
use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::request::HttpRequest;
use super::super::response::{object, without_null};
use super::super::users::{TenantUser, add_defaults};
use super::super::{Inner, tickets};
use super::claims::LoginDetails;
use super::login_event::{event_user, words};
use super::login_log::LoginStory;
use super::script_request::{self, ScriptRequest, TENANT};
use super::transaction::{NewLogin, Transaction};
use super::user_tokens::{self, TokenRequest};
use super::{bound_actions, effects, login, organizations, scripts};
use crate::bundle::{Client, Kind, Organization};
use crate::script::{Action, Effects, ExchangeUser, Trigger};

/// RFC 8693's grant type.
pub(super) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

pub(super) async fn token_exchange(
    tenant: &Arc<Inner>,
    client: &Client,
    params: &Params,
    request: &HttpRequest,
) -> Result<Value, OAuthError> {
    let (kind, _) = (params.require("subject_token_type")?, params.require("subject_token")?);
    let action = profile_action(tenant, client, kind)?;
    let organization = organizations::requested(tenant, client, params.get("organization"))?;
    let api = tenant.api(tenant.audience(params))?;
    let view = ScriptRequest::with_body(request, params);
    let mut story = LoginStory {
        protocol: Some("oauth2-token-exchange".to_owned()),
        ..LoginStory::of(&client.client_id)
    };
    let exchanged =
        exchange(tenant, client, action, params, organization.as_deref(), &view, &mut story).await;
    let exchanged = match exchanged {
        Ok(exchanged) => exchanged,
        Err(error) => {
            story.record(tenant, Err(&error));
            return Err(error);
        }
    };
    (story.user_id, story.email) =
        (Some(exchanged.user.user_id().to_owned()), Some(exchanged.user.email().to_owned()));
    story.record(tenant, Ok("token exchanged"));
    let organization = exchanged.organization.map(|found| found.id.as_str()).or(organization.as_deref());
    organizations::check(tenant, organization, &exchanged.user).await?;
    let new = NewLogin {
        user: &exchanged.user,
        client_id: &client.client_id,
        protocol: "oauth2-token-exchange",
        is_fresh: true,
        organization,
        audience: tenant.audience(params),
        scope: params.get("scope"),
    };
    let transaction = Transaction::new(tenant, &new, None)?;
    let facts = without_null(json!({
        "subject_token_type": kind, "actor_token_type": params.get("actor_token_type"), "actor": exchanged.actor,
    }));
    let mut login = login::log_in(tenant, Transaction { exchange: facts, ..transaction }, &view).await?.login;
    login.actor = exchanged.actor;
    let details = LoginDetails { organization, ..LoginDetails::default() };
    let request = TokenRequest { client, api, scope: params.get("scope"), gty: None, details, rotated: None };
    let mut tokens = user_tokens::issue(tenant, request, &login).await?;
    if let Some(members) = tokens.as_object_mut() {
        members.insert("issued_token_type".to_owned(), ACCESS_TOKEN.into());
    }
    Ok(tokens)
}

/// What the action made of the subject token.
struct Exchanged<'a> {
    user: TenantUser,
    organization: Option<&'a Organization>,
    actor: Option<Value>,
}

/// The action of the profile for a type of token, if the client may use it.
fn profile_action(tenant: &Inner, client: &Client, kind: &str) -> Result<Action, OAuthError> {
    let profile = tenant.bundle.objects.find(Kind::TokenExchangeProfile, "subject_token_type", kind);
    let profile = profile.ok_or_else(|| {
        OAuthError::invalid_request(format!("No token exchange profile has the subject_token_type {kind}"))
    })?;
    let object = tenant.bundle.objects.find(Kind::Client, "client_id", &client.client_id);
    let allowed =
        object.and_then(|object| object.get("token_exchange")?.get("allow_any_profile_of_type")?.as_array());
    if !allowed.is_some_and(|types| types.iter().any(|allowed| allowed == "custom_authentication")) {
        return Err(OAuthError::unauthorized_client(
            "The client may not exchange tokens: its token_exchange.allow_any_profile_of_type lacks custom_authentication",
        ));
    }
    let id = profile.get("action_id").and_then(Value::as_str).unwrap_or_default();
    bound_actions::by_id(&tenant.bundle, id).ok_or_else(|| {
        OAuthError::invalid_request(format!("The action {id} of the token exchange profile is not deployed"))
    })
}

async fn exchange<'a>(
    tenant: &'a Arc<Inner>,
    client: &Client,
    action: Action,
    params: &Params,
    organization: Option<&str>,
    view: &ScriptRequest<'_>,
    story: &mut LoginStory,
) -> Result<Exchanged<'a>, OAuthError> {
    let actor_user = actor(tenant, params)?;
    let found = organizations::find(tenant, organization);
    let mut request = view.event(tenant);
    // The action sees the token in `transaction` only.
    for secret in ["subject_token", "actor_token"] {
        request.get_mut("body").and_then(Value::as_object_mut).map(|body| body.remove(secret));
    }
    let event = without_null(json!({
        "client": script_request::client(client),
        "organization": found.map(script_request::organization),
        "request": request,
        "resource_server": {"identifier": tenant.audience(params)},
        "tenant": {"id": TENANT},
        "transaction": without_null(json!({
            "subject_token": params.get("subject_token"),
            "subject_token_type": params.get("subject_token_type"),
            "actor_token": params.get("actor_token"),
            "actor_token_type": params.get("actor_token_type"),
            "actor_token_user": actor_user,
            "requested_scopes": words(params.get("scope")),
            "requested_token_type": params.get("requested_token_type").unwrap_or(ACCESS_TOKEN),
        })),
    }));
    let effects =
        scripts::run_once(tenant, Trigger::CustomTokenExchange, Arc::new([action]), event.into(), story);
    let Effects { user, organization, actor, app_metadata, user_metadata, .. } = effects.await?;
    let user =
        user.ok_or_else(|| OAuthError::invalid_request("The action set no user for the transaction"))?;
    let user = find_or_create(tenant, user).await?;
    effects::save_user_metadata(tenant, user.user_id(), app_metadata, user_metadata).await?;
    let organization = organization.map(|wanted| {
        let mut all = tenant.bundle.organizations.iter();
        all.find(|found| found.id == wanted || found.name == wanted)
            .ok_or_else(|| OAuthError::invalid_request(format!("the organization {wanted} was not found")))
    });
    Ok(Exchanged { user, organization: organization.transpose()?, actor })
}

/// `event.transaction.actor_token_user`: the user of an ID token of this tenant. Another kind of token is the action's to check.
fn actor(tenant: &Inner, params: &Params) -> Result<Option<Value>, OAuthError> {
    let (Some(token), Some(ID_TOKEN)) = (params.get("actor_token"), params.get("actor_token_type")) else {
        return Ok(None);
    };
    let invalid = || OAuthError::invalid_request("The actor_token is not a valid ID token of this tenant");
    let claims = tenant.verify(token).ok_or_else(invalid)?;
    let user = tenant.users.find(claims.get("sub").and_then(Value::as_str).unwrap_or_default())?;
    Ok(Some(event_user(&user.ok_or_else(invalid)?)))
}

/// The user whom the action set.
async fn find_or_create(tenant: &Arc<Inner>, user: ExchangeUser) -> Result<TenantUser, OAuthError> {
    let unknown = || OAuthError::invalid_request("The user whom the action set does not exist");
    match user {
        ExchangeUser::ById(id) => tenant.users.find(&id)?.ok_or_else(unknown),
        ExchangeUser::ByConnection { connection, attributes, create, update } => {
            if !tenant.users.has_connection(&connection) {
                return Err(OAuthError::invalid_request(format!(
                    "the connection {connection} was not found"
                )));
            }
            let strategy =
                script_request::ScriptConnection::find(&tenant.bundle, &connection, "auth0").strategy;
            let (user_id, mut profile) = account(&strategy, attributes)?;
            let id = user_id.clone();
            let changed = tenant.in_pool(move |tenant| {
                if tenant.db.account(&user_id)?.is_some() {
                    if update {
                        tenant.db.change_account(&user_id, Feed::Event("user.updated"), |_| profile)?;
                    }
                } else if create {
                    add_defaults(&mut profile, &connection, &timestamp(tenant.clock.now()));
                    tenant.db.add_account(&user_id, &profile, None)?;
                }
                Ok(())
            });
            changed.await?;
            tenant.users.find(&id)?.ok_or_else(unknown)
        }
    }
}

/// The `user_id` of a connection's user, and the members that the action set.
fn account(
    strategy: &str,
    mut attributes: Map<String, Value>,
) -> Result<(String, Map<String, Value>), OAuthError> {
    let id = attributes.remove("user_id").and_then(|id| id.as_str().map(str::to_owned));
    let id = match id {
        Some(id) => id,
        None => tickets::random()?,
    };
    let user_id = format!("{strategy}|{id}");
    let mut profile = object(json!({"user_id": user_id}));
    attributes.retain(|name, _| !name.starts_with('_') && name != "verify_email");
    profile.extend(attributes);
    Ok((user_id, profile))
}
