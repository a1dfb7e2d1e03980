//! `POST /oauth/token`: exchanges a client's or a user's proof for tokens.
//!
//! 1. parameters and client    2. grant type and user    3. scopes    4. tokens

use std::sync::Arc;

use serde_json::Value;

use super::super::accounts::overlay;
use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::request::HttpRequest;
use super::super::response::HttpResponse;
use super::super::tickets::TicketKind;
use super::super::users::CONNECTION;
use super::super::{Inner, clients, connections};
use super::authorization_request::{AuthorizationCode, AuthorizationRequest};
use super::claims::LoginDetails;
use super::client_credentials::client_credentials;
use super::login_log::LoginStory;
use super::script_request::ScriptRequest;
use super::token_exchange::{TOKEN_EXCHANGE, token_exchange};
use super::transaction::{NewLogin, Transaction};
use super::user_tokens::{self, TokenRequest};
use super::{login, organizations, pkce, refresh_tokens};
use crate::bundle::Client;
use crate::script::LifetimeChanges;

/// Auth0's extension grant: a password and its connection.
const PASSWORD_REALM: &str = "http://auth0.com/oauth/grant-type/password-realm";

pub(super) async fn token(tenant: &Arc<Inner>, request: &HttpRequest) -> HttpResponse {
    let mut client_id = None;
    let mut response = match grant(tenant, request, &mut client_id).await {
        Ok(tokens) => HttpResponse::json(200, &tokens).header("pragma", "no-cache"),
        Err(error) => error.response(),
    };
    response.actor = client_id;
    response
}

/// `POST /oauth/revoke` (RFC 7009): ends a refresh token and all others of its login. Unknown tokens are accepted.
pub(super) async fn revoke(tenant: &Arc<Inner>, request: &HttpRequest) -> Result<HttpResponse, OAuthError> {
    let params = Params::from_body(request.header("content-type"), &request.body)?;
    let client = clients::authenticate(&tenant.bundle, &params, request.header("authorization"))?.clone();
    let (text, actor) = (params.require("token")?.to_owned(), client.client_id.clone());
    tenant.in_pool(move |tenant| tenant.refresh_tokens.revoke(&text, &client)).await?;
    Ok(HttpResponse::new(200).with_actor(actor))
}

/// Sets `client_id` once the client is authenticated.
async fn grant(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    client_id: &mut Option<String>,
) -> Result<Value, OAuthError> {
    if request.header("dpop").is_some() {
        return Err(OAuthError::invalid_request(
            "The dev tenant does not bind tokens: it does not support DPoP",
        ));
    }
    let params = Params::from_body(request.header("content-type"), &request.body)?;
    let grant_type = params.require("grant_type")?;
    let known = [
        "client_credentials",
        "authorization_code",
        "refresh_token",
        "password",
        PASSWORD_REALM,
        TOKEN_EXCHANGE,
    ];
    if !known.contains(&grant_type) {
        let description = format!("Unsupported grant type: {grant_type}");
        return Err(OAuthError::new(400, "unsupported_grant_type", description));
    }
    let client = clients::authenticate(&tenant.bundle, &params, request.header("authorization"))?;
    *client_id = Some(client.client_id.clone());
    let is_public_machine = grant_type == "client_credentials" && client.is_public();
    // Of an exchange the client's own setting decides, see `token_exchange.rs`.
    let may_use = grant_type == TOKEN_EXCHANGE || client.may_use(grant_type);
    if !may_use || is_public_machine {
        let description = format!("Grant type '{grant_type}' not allowed for the client.");
        return Err(OAuthError::unauthorized_client(description));
    }
    match grant_type {
        "client_credentials" => client_credentials(tenant, client, &params, request).await,
        "authorization_code" => authorization_code(tenant, client, &params).await,
        "refresh_token" => refresh_token(tenant, client, &params, request).await,
        TOKEN_EXCHANGE => token_exchange(tenant, client, &params, request).await,
        _ => password(tenant, client, &params, request, grant_type).await,
    }
}

async fn authorization_code(
    tenant: &Arc<Inner>,
    client: &Client,
    params: &Params,
) -> Result<Value, OAuthError> {
    let text = params.require("code")?.to_owned();
    // Taken before it is validated: a code presented with a wrong verifier is spent.
    let code = tenant.in_pool(move |tenant| tenant.tickets.take(TicketKind::CODE, &text)).await?;
    let code: AuthorizationCode =
        code.ok_or_else(|| OAuthError::invalid_grant("Invalid authorization code"))?;
    validate_code(&code.request, client, params)?;
    let authorization = &code.request;
    let request = TokenRequest {
        client,
        api: tenant.api(authorization.audience.as_deref())?,
        scope: authorization.scope.as_deref(),
        gty: None,
        details: LoginDetails {
            nonce: authorization.nonce.as_deref(),
            sid: Some(&code.sid),
            auth_time: code.auth_time,
            code: None,
            organization: authorization.organization.as_deref(),
            ..LoginDetails::default()
        },
        rotated: None,
    };
    user_tokens::issue(tenant, request, &code.login).await
}

/// Checks that the client that presents the code is the one that requested it (RFC 6749 §4.1.3, RFC 7636 §4.6).
fn validate_code(code: &AuthorizationRequest, client: &Client, params: &Params) -> Result<(), OAuthError> {
    if code.client_id != client.client_id {
        return Err(OAuthError::invalid_grant("Invalid authorization code"));
    }
    let sent = params.get("redirect_uri");
    if sent != Some(code.redirect_uri.as_str()) {
        let (sent, expected) = (sent.unwrap_or("null"), &code.redirect_uri);
        let description = format!("The redirect URI is wrong. You sent {sent}, and we expected {expected}");
        return Err(OAuthError::unauthorized_client(description));
    }
    match (&code.challenge, params.get("code_verifier")) {
        (Some(challenge), Some(verifier)) if pkce::verify(verifier, challenge) => Ok(()),
        (Some(_), None) => Err(OAuthError::invalid_request("Parameter 'code_verifier' is required")),
        // RFC 9700 §2.1.1: a verifier without a challenge is a downgrade.
        (_, Some(_)) => Err(OAuthError::invalid_grant("Failed to verify code verifier")),
        (None, None) if client.is_public() => Err(OAuthError::unknown_client()),
        (None, None) => Ok(()),
    }
}

async fn password(
    tenant: &Arc<Inner>,
    client: &Client,
    params: &Params,
    request: &HttpRequest,
    grant_type: &str,
) -> Result<Value, OAuthError> {
    let (username, password) =
        (params.require("username")?.to_owned(), params.require("password")?.to_owned());
    let realm =
        if grant_type == PASSWORD_REALM { params.require("realm")? } else { default_directory(tenant)? };
    if !connections::is_database(&tenant.bundle, realm) {
        return Err(OAuthError::access_denied(format!("Unknown or invalid realm: {realm}")));
    }
    if !connections::is_enabled(&tenant.bundle, client, realm) {
        return Err(OAuthError::invalid_request("the connection was disabled"));
    }
    let api = tenant.api(tenant.audience(params))?;
    let story = LoginStory { email: Some(username.clone()), ..LoginStory::of(&client.client_id) };
    let (realm, of_client) = (realm.to_owned(), client.clone());
    // A user of another kind of connection has a password for development, and needs no realm of its own.
    let is_allowed = move |tenant: &Inner, connection: &str| {
        connection == realm
            || (!connections::is_database(&tenant.bundle, connection)
                && connections::is_enabled(&tenant.bundle, &of_client, connection))
    };
    let user = tenant.in_pool(move |tenant| {
        tenant.users.authenticate(&username, &password, |connection| is_allowed(tenant, connection))
    });
    let user = user.await?;
    let user = user.ok_or_else(|| {
        let error = OAuthError::wrong_password();
        story.record(tenant, Err(&error));
        error
    })?;
    let organization = organizations::requested(tenant, client, params.get("organization"))?;
    organizations::check(tenant, organization.as_deref(), &user).await?;
    let login = NewLogin {
        user: &user,
        client_id: &client.client_id,
        protocol: "oauth2-password",
        is_fresh: true,
        organization: organization.as_deref(),
        audience: tenant.audience(params),
        scope: params.get("scope"),
    };
    let transaction = Transaction::new(tenant, &login, None)?;
    let login = login::log_in(tenant, transaction, &ScriptRequest::with_body(request, params)).await?.login;
    let (scope, organization) = (params.get("scope"), organization.as_deref());
    let details = LoginDetails { organization, ..LoginDetails::default() };
    let request = TokenRequest { client, api, scope, gty: Some("password"), details, rotated: None };
    user_tokens::issue(tenant, request, &login).await
}

/// The connection of the grant `password`. Where the tenant has none, Auth0 refuses the grant; here it is Auth0's own database.
fn default_directory(tenant: &Inner) -> Result<&str, OAuthError> {
    let set = tenant.bundle.tenant.default_directory.as_deref().filter(|name| !name.is_empty());
    let name = set.unwrap_or(CONNECTION);
    if connections::is_database(&tenant.bundle, name) {
        return Ok(name);
    }
    let problem = "Authorization server not configured with default connection.";
    Err(OAuthError::new(500, "server_error", problem))
}

async fn refresh_token(
    tenant: &Arc<Inner>,
    client: &Client,
    params: &Params,
    request: &HttpRequest,
) -> Result<Value, OAuthError> {
    let text = params.require("refresh_token")?.to_owned();
    let unknown = || OAuthError::invalid_grant("Unknown or invalid refresh token.");
    let present = async |rotate| {
        let (text, client) = (text.clone(), client.clone());
        let presented = tenant.in_pool(move |tenant| tenant.refresh_tokens.present(&text, &client, rotate));
        presented.await?.ok_or_else(unknown)
    };
    let (mut offline, _) = present(false).await?;
    let user = tenant.users.find(&offline.user_id)?.ok_or_else(unknown)?;
    organizations::check(tenant, offline.organization.as_deref(), &user).await?;
    let wanted = params.get("scope").map(|scope| scope.split(' ').collect::<Vec<_>>());
    let is_wanted = |scope: &&str| wanted.as_ref().is_none_or(|wanted| wanted.contains(scope));
    let scope = offline.scopes.iter().map(String::as_str).filter(is_wanted).collect::<Vec<_>>().join(" ");
    let login = NewLogin {
        user: &user,
        client_id: &client.client_id,
        protocol: "oauth2-refresh-token",
        is_fresh: false,
        organization: offline.organization.as_deref(),
        audience: offline.audience.as_deref(),
        scope: Some(&scope),
    };
    let sid = offline.sid.as_deref();
    let session = sid.map(|sid| tenant.tickets.session(sid)).transpose()?.flatten();
    let refresh_token = refresh_tokens::event(&text, &offline, client);
    let transaction = Transaction::new(tenant, &login, session)?;
    let transaction = Transaction { refresh_token: Some(refresh_token), ..transaction };
    let view = ScriptRequest::with_body(request, params);
    let transaction = login::log_in(tenant, transaction, &view).await?;
    // Rotated only now, so that a client whose request fails keeps its token.
    let (_, rotated) = present(true).await?;
    let changes = transaction.effects.refresh_token;
    if changes != LifetimeChanges::default() {
        if changes.evict_metadata {
            offline.metadata.clear();
        }
        offline.metadata = overlay(std::mem::take(&mut offline.metadata), &changes.metadata);
        let ends_at = [changes.expires_at, changes.idle_expires_at].into_iter().flatten().min();
        let (offline, ends_at) = (offline.clone(), ends_at.map(|milliseconds| milliseconds / 1000));
        tenant.in_pool(move |tenant| tenant.refresh_tokens.change(&text, &offline, ends_at)).await?;
    }
    let request = TokenRequest {
        client,
        api: tenant.api(offline.audience.as_deref())?,
        scope: Some(&scope),
        gty: Some("refresh_token"),
        details: LoginDetails {
            sid: offline.sid.as_deref(),
            auth_time: offline.auth_time,
            organization: offline.organization.as_deref(),
            ..LoginDetails::default()
        },
        rotated,
    };
    user_tokens::issue(tenant, request, &transaction.login).await
}
