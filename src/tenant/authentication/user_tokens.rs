//! The tokens of a user's login: scopes, access token, ID token, refresh token.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::Inner;
use super::super::oauth_error::OAuthError;
use super::super::response::object;
use super::super::tickets::{self, TicketKind};
use super::claims::{self, LoginDetails, TokenContext, UserGrant};
use super::login_result::LoginResult;
use super::organizations;
use super::refresh_tokens::OfflineLogin;
use crate::bundle::{Client, ResourceServer};

/// The lifetime of an opaque access token, in seconds.
const OPAQUE_LIFETIME: u32 = 86_400;
/// The scope of a refresh token (OpenID Connect Core 1.0 §11).
const OFFLINE_ACCESS: &str = "offline_access";

/// The content of an opaque access token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OpaqueToken {
    pub(super) user_id: String,
    pub(super) client_id: String,
    pub(super) scopes: Vec<String>,
}

/// The tokens that a grant asks for.
pub(super) struct TokenRequest<'a> {
    pub(super) client: &'a Client,
    pub(super) api: Option<&'a ResourceServer>,
    pub(super) scope: Option<&'a str>,
    /// `password` or `refresh_token` for these grants.
    pub(super) gty: Option<&'a str>,
    pub(super) details: LoginDetails<'a>,
    /// The refresh token to return, where one was presented. Else a new one is issued, if `offline_access` is granted.
    pub(super) rotated: Option<String>,
}

/// The response of the token endpoint.
pub(super) async fn issue(
    tenant: &Arc<Inner>,
    request: TokenRequest<'_>,
    login: &LoginResult,
) -> Result<Value, OAuthError> {
    let TokenRequest { client, api, scope, gty, details, rotated } = request;
    let user = tenant.users.find(&login.user_id)?;
    let user = user.ok_or_else(|| OAuthError::invalid_grant("The user does not exist."))?;
    let audience = api.map_or("", |api| api.identifier.as_str());
    let permissions = user.permissions(&tenant.bundle, audience);
    let mut scopes = match &login.scope {
        Some(set_by_a_rule) => set_by_a_rule.clone(),
        None => tenant.apis.user_scopes(api, &permissions, scope, gty == Some("password")),
    };
    // Actions win over RBAC, as at Auth0.
    scopes.retain(|scope| login.scopes.get(scope) != Some(&false));
    for (scope, is_added) in &login.scopes {
        if *is_added && !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    tenant.apis.limit_user_scopes(&tenant.bundle, &client.client_id, api, &mut scopes)?;
    scopes.retain(|scope| scope != OFFLINE_ACCESS);
    let is_offline = grants_offline_access(client, api, scope);
    if is_offline {
        scopes.push(OFFLINE_ACCESS.to_owned());
    }
    let jti = tickets::random()?;
    let context = context(tenant, client, &jti, details.organization);
    let is_openid = scopes.iter().any(|scope| scope == "openid");
    let id_token = if is_openid { Some(id_token(tenant, client, login, &scopes, details)?) } else { None };
    let lifetime = api.map_or(OPAQUE_LIFETIME, |api| api.token_lifetime);
    if is_openid {
        // For `/userinfo`.
        let (key, extra) =
            (extra_claims_key(&login.user_id, &client.client_id), claims::permitted(&login.id, false));
        let store =
            move |tenant: &Inner| tenant.tickets.store(TicketKind::EXTRA, &key, &extra, lifetime.into());
        tenant.in_pool(store).await?;
    }
    let access_token = match api {
        Some(api) => {
            let (subject, scopes, permissions) = (&login.user_id, &scopes, &permissions);
            let actor = login.actor.as_ref();
            let grant = UserGrant { subject, scopes, permissions, gty, custom: &login.access, actor };
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
    let refresh_token = if is_offline && gty != Some("refresh_token") {
        let login = OfflineLogin {
            user_id: login.user_id.clone(),
            client_id: client.client_id.clone(),
            audience: api.map(|api| api.identifier.clone()),
            scopes: scopes.clone(),
            sid: details.sid.map(str::to_owned),
            auth_time: details.auth_time,
            organization: details.organization.map(str::to_owned),
            issued_at: tenant.clock.now().as_second(),
            metadata: login.refresh_token_metadata.clone(),
        };
        let client = client.clone();
        Some(tenant.in_pool(move |tenant| tenant.refresh_tokens.issue(&login, &client)).await?)
    } else {
        rotated
    };
    Ok(token_response(&access_token, lifetime, &scopes, id_token, refresh_token))
}

/// An ID token for the client.
pub(super) fn id_token(
    tenant: &Inner,
    client: &Client,
    login: &LoginResult,
    scopes: &[String],
    details: LoginDetails<'_>,
) -> Result<String, OAuthError> {
    let lifetime = client.jwt_configuration.lifetime_in_seconds.unwrap_or(36_000);
    let profile = claims::profile(&login.user, scopes);
    let details = LoginDetails { amr: &login.amr, actor: login.actor.as_ref(), ..details };
    Ok(tenant.key.sign(
        "JWT",
        &context(tenant, client, "", details.organization).id(lifetime, profile, &login.id, details),
    )?)
}

/// Whether a refresh token is requested, and allowed by the API and the client.
fn grants_offline_access(client: &Client, api: Option<&ResourceServer>, scope: Option<&str>) -> bool {
    if !scope.is_some_and(|scope| scope.split(' ').any(|scope| scope == OFFLINE_ACCESS)) {
        return false;
    }
    let reason = if !client.may_use("refresh_token") {
        "the client's grant_types lack refresh_token"
    } else if api.is_some_and(|api| !api.allow_offline_access) {
        "the API has no allow_offline_access"
    } else {
        return true;
    };
    tracing::warn!(client = client.client_id, reason, "offline_access is dropped, as at Auth0");
    false
}

/// The text of a [`TicketKind::EXTRA`].
pub(super) fn extra_claims_key(user_id: &str, client_id: &str) -> String {
    format!("{user_id} {client_id}")
}

/// The values that all tokens of a response share.
pub(super) fn context<'a>(
    tenant: &'a Inner,
    client: &'a Client,
    jti: &'a str,
    organization: Option<&str>,
) -> TokenContext<'a> {
    let has_name = tenant.bundle.tenant.allow_organization_name_in_authentication_api;
    let organization = organizations::find(tenant, organization).map(|found| (found, has_name));
    let now = tenant.clock.now().as_second();
    TokenContext { issuer: &tenant.issuer, client_id: &client.client_id, now, jti, organization }
}

/// The body of a successful response (RFC 6749 §5.1), without absent members.
pub(super) fn token_response(
    access: &str,
    lifetime: u32,
    scopes: &[String],
    id_token: Option<String>,
    refresh_token: Option<String>,
) -> Value {
    let mut members = object(json!({
        "access_token": access, "token_type": "Bearer", "expires_in": lifetime, "scope": scopes.join(" "),
        "id_token": id_token, "refresh_token": refresh_token,
    }));
    members.retain(|_, value| !value.is_null() && value != "");
    members.into()
}
