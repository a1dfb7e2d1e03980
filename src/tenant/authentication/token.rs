//! `POST /oauth/token`: exchanges a client's or a user's proof for tokens.
//!
//! 1. parameters and client    2. grant type and user    3. scopes    4. tokens

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::request::HttpRequest;
use super::super::response::{HttpResponse, object};
use super::super::tickets::{self, TicketKind};
use super::super::users::CONNECTION;
use super::super::{Inner, clients};
use super::authorization_request::{AuthorizationCode, AuthorizationRequest};
use super::claims::{self, LoginDetails, TokenContext, UserGrant};
use super::login::{self, LoginAttempt, LoginResult};
use super::pkce;
use crate::bundle::{Client, ResourceServer};

/// Auth0's extension grant: a password and its connection.
const PASSWORD_REALM: &str = "http://auth0.com/oauth/grant-type/password-realm";

/// The lifetime of an opaque access token, in seconds.
const OPAQUE_LIFETIME: u32 = 86_400;

/// The content of an opaque access token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OpaqueToken {
    pub(super) user_id: String,
    pub(super) client_id: String,
    pub(super) scopes: Vec<String>,
}

/// The tokens that a grant asks for.
struct TokenRequest<'a> {
    client: &'a Client,
    api: Option<&'a ResourceServer>,
    scope: Option<&'a str>,
    /// `password` for the password grants, whose clients are trusted.
    gty: Option<&'a str>,
    details: LoginDetails<'a>,
}

pub(super) async fn token(tenant: &Arc<Inner>, request: &HttpRequest) -> HttpResponse {
    let mut client_id = None;
    let mut response = match grant(tenant, request, &mut client_id).await {
        Ok(tokens) => HttpResponse::json(200, &tokens).header("pragma", "no-cache"),
        Err(error) => error.response(),
    };
    response.actor = client_id;
    response
}

/// Sets `client_id` once the client is authenticated.
async fn grant(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    client_id: &mut Option<String>,
) -> Result<Value, OAuthError> {
    let params = Params::from_body(request.header("content-type"), &request.body)?;
    let grant_type = params.require("grant_type")?;
    if !["client_credentials", "authorization_code", "password", PASSWORD_REALM].contains(&grant_type) {
        let description = format!("Unsupported grant type: {grant_type}");
        return Err(OAuthError::new(400, "unsupported_grant_type", description));
    }
    let client = clients::authenticate(&tenant.bundle, &params, request.header("authorization"))?;
    *client_id = Some(client.client_id.clone());
    let is_public_machine = grant_type == "client_credentials" && client.is_public();
    if !client.may_use(grant_type) || is_public_machine {
        let description = format!("Grant type '{grant_type}' not allowed for the client.");
        return Err(OAuthError::unauthorized_client(description));
    }
    match grant_type {
        "client_credentials" => client_credentials(tenant, client, &params),
        "authorization_code" => authorization_code(tenant, client, &params).await,
        _ => password(tenant, client, &params, request, grant_type).await,
    }
}

fn client_credentials(tenant: &Inner, client: &Client, params: &Params) -> Result<Value, OAuthError> {
    let audience = tenant
        .audience(params)
        .ok_or_else(|| OAuthError::access_denied("Non-global clients are not allowed access to APIv1"))?;
    let api = tenant.apis.find(audience)?;
    let scopes = tenant.apis.machine_scopes(&tenant.bundle, &client.client_id, api, params.get("scope"))?;
    let jti = tickets::random()?;
    let claims = context(tenant, client, &jti).machine(api, &scopes);
    let token = tenant.key.sign(claims::typ(api), &claims)?;
    Ok(token_response(&token, api.token_lifetime, &scopes, None))
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
        },
    };
    user_tokens(tenant, request, &code.login).await
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
    if grant_type == PASSWORD_REALM && params.require("realm")? != CONNECTION {
        let description = format!("Unknown or invalid realm; this tenant has {CONNECTION}");
        return Err(OAuthError::access_denied(description));
    }
    let api = tenant.api(tenant.audience(params))?;
    let user = tenant.in_pool(move |tenant| tenant.users.authenticate(&username, &password)).await?;
    let user = user.ok_or_else(|| OAuthError::invalid_grant("Wrong email or password."))?;
    let attempt = LoginAttempt {
        user,
        client,
        protocol: "oauth2-password",
        is_fresh: true,
        session: None,
        request,
        query: json!({}),
        body: params.for_rules(),
    };
    let login = login::login(tenant, attempt).await?;
    let (scope, details) = (params.get("scope"), LoginDetails::default());
    user_tokens(tenant, TokenRequest { client, api, scope, gty: Some("password"), details }, &login).await
}

async fn user_tokens(
    tenant: &Arc<Inner>,
    request: TokenRequest<'_>,
    login: &LoginResult,
) -> Result<Value, OAuthError> {
    let TokenRequest { client, api, scope, gty, details } = request;
    let user = tenant.users.find(&login.user_id)?;
    let user = user.ok_or_else(|| OAuthError::invalid_grant("The user does not exist."))?;
    let audience = api.map_or("", |api| api.identifier.as_str());
    let permissions = tenant.bundle.permissions(&user.roles, audience);
    let scopes = match &login.scope {
        Some(set_by_a_rule) => set_by_a_rule.clone(),
        None => tenant.apis.user_scopes(api, &permissions, scope, gty.is_some()),
    };
    let jti = tickets::random()?;
    let context = context(tenant, client, &jti);
    let mut id_token = None;
    if scopes.iter().any(|scope| scope == "openid") {
        let lifetime = client.jwt_configuration.lifetime_in_seconds.unwrap_or(36_000);
        let profile = claims::profile(&login.user, &scopes);
        id_token = Some(tenant.key.sign("JWT", &context.id(lifetime, profile, &login.id, details))?);
    }
    let lifetime = api.map_or(OPAQUE_LIFETIME, |api| api.token_lifetime);
    if id_token.is_some() {
        // For `/userinfo`.
        let (key, extra) =
            (extra_claims_key(&login.user_id, &client.client_id), claims::permitted(&login.id));
        let store =
            move |tenant: &Inner| tenant.tickets.store(TicketKind::EXTRA, &key, &extra, lifetime.into());
        tenant.in_pool(store).await?;
    }
    let access_token = match api {
        Some(api) => {
            let (subject, scopes, permissions) = (&login.user_id, &scopes, &permissions);
            let grant = UserGrant { subject, scopes, permissions, gty, custom: &login.access };
            tenant.key.sign(claims::typ(api), &context.user(api, grant))?
        }
        None => {
            let (user_id, client_id) = (login.user_id.clone(), client.client_id.clone());
            let token = OpaqueToken { user_id, client_id, scopes: scopes.clone() };
            let issue =
                move |tenant: &Inner| tenant.tickets.issue(TicketKind::ACCESS_TOKEN, &token, lifetime.into());
            tenant.in_pool(issue).await?
        }
    };
    Ok(token_response(&access_token, lifetime, &scopes, id_token))
}

/// The text of a [`TicketKind::EXTRA`].
pub(super) fn extra_claims_key(user_id: &str, client_id: &str) -> String {
    format!("{user_id} {client_id}")
}

fn context<'a>(tenant: &'a Inner, client: &'a Client, jti: &'a str) -> TokenContext<'a> {
    let now = tenant.clock.now().as_second();
    TokenContext { issuer: &tenant.issuer, client_id: &client.client_id, now, jti }
}

fn token_response(access: &str, lifetime: u32, scopes: &[String], id_token: Option<String>) -> Value {
    let mut members = object(json!({
        "access_token": access, "token_type": "Bearer", "expires_in": lifetime, "scope": scopes.join(" "),
        "id_token": id_token,
    }));
    members.retain(|_, value| !value.is_null() && value != "");
    members.into()
}
