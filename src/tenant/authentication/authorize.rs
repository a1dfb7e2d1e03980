//! `/authorize`: logs a user in for an application and sends a code or an ID token to its callback.
//!
//! 1. client and callback; without them no redirect is safe    2. the rest, whose errors go to the callback
//! 3. a session of the browser, or the login page    4. rules    5. the response

use std::sync::Arc;

use serde_json::json;

use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::request::HttpRequest;
use super::super::response::HttpResponse;
use super::super::tickets::TicketKind;
use super::super::users::TenantUser;
use super::super::{Inner, clients};
use super::authorization_request::{
    AuthorizationCode, AuthorizationRequest, ResponseType, client_and_callback,
};
use super::callback::{Callback, ResponseMode};
use super::claims::LoginDetails;
use super::login::{self, LoginAttempt};
use super::sessions::{self, BrowserSession};
use super::{html, organizations, user_tokens};

/// The lifetime of a code, in seconds.
const CODE_LIFETIME: i64 = 60;
/// The time to complete the login page, in seconds.
const LOGIN_LIFETIME: i64 = 15 * 60;

/// `GET` or `POST /authorize` (OpenID Connect Core 1.0 §3.1.2.1).
pub(super) async fn authorize(tenant: &Arc<Inner>, request: &HttpRequest) -> HttpResponse {
    let params = if request.body.is_empty() {
        Params::from_form(request.query.as_bytes())
    } else {
        Params::from_body(request.header("content-type"), &request.body)
    };
    // The callback may not be the client's, so the error is shown here.
    let show = |error: OAuthError| html::error(error.status, &error.description);
    let params = match params {
        Ok(params) => params,
        Err(error) => return show(error),
    };
    let (client, redirect_uri) = match client_and_callback(tenant, &params) {
        Ok(checked) => checked,
        Err(error) => return show(error),
    };
    let mode = ResponseMode::from_params(&params).unwrap_or_default();
    let callback = Callback { redirect_uri, state: params.get("state"), mode };
    let response = match AuthorizationRequest::parse(tenant, &params, client, redirect_uri) {
        Ok(parsed) => proceed(tenant, request, parsed).await,
        Err(error) => Err(error),
    };
    response.unwrap_or_else(|error| callback.error(&error)).with_actor(client.client_id.as_str())
}

/// Completes a login after the user authenticated on the login page.
pub(super) async fn complete(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    authorization: AuthorizationRequest,
    user: TenantUser,
) -> HttpResponse {
    let user_id = user.user_id().to_owned();
    let completed = async {
        let session = BrowserSession::new(tenant, &user_id)?;
        let response = finish(tenant, request, &authorization, user, &session, true).await?;
        let cookie = sessions::start(tenant, request, session).await?;
        Ok::<_, OAuthError>(response.header("set-cookie", &cookie))
    };
    let response = completed.await.unwrap_or_else(|error| authorization.callback().error(&error));
    response.with_actor(user_id)
}

/// Responds at once when the browser has a session that will do, else redirects to the login page.
async fn proceed(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    authorization: AuthorizationRequest,
) -> Result<HttpResponse, OAuthError> {
    let prompt = authorization.prompt.as_deref();
    let asks = matches!(prompt, Some("login" | "select_account" | "create")) || authorization.is_sign_up;
    let session = if asks && prompt != Some("none") { None } else { sessions::find(tenant, request)? };
    let age = |session: &BrowserSession| tenant.clock.now().as_second().saturating_sub(session.since);
    let session = session.filter(|(user, session)| {
        // With `max_age=0` every session is too old.
        authorization.max_age.is_none_or(|max| age(session) < max.max(1) && max > 0)
            && authorization.admits(tenant, user)
    });
    if let Some((user, session)) = session {
        sessions::touch(tenant, request).await?;
        return finish(tenant, request, &authorization, user, &session, false).await;
    }
    if prompt == Some("none") {
        return Err(OAuthError::new(403, "login_required", "Login required"));
    }
    let signs_up = authorization.is_sign_up && authorization.sign_up_database(tenant).is_some();
    let page = if signs_up { "signup" } else { "login" };
    let issue = move |tenant: &Inner| tenant.tickets.issue(TicketKind::LOGIN, &authorization, LOGIN_LIFETIME);
    Ok(HttpResponse::redirect(&format!("/u/{page}?state={}", tenant.in_pool(issue).await?)))
}

/// Runs the rules and sends a code, an ID token or both to the callback.
async fn finish(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    authorization: &AuthorizationRequest,
    user: TenantUser,
    session: &BrowserSession,
    is_fresh: bool,
) -> Result<HttpResponse, OAuthError> {
    let client =
        clients::find(&tenant.bundle, &authorization.client_id).ok_or_else(OAuthError::unknown_client)?;
    let organization = authorization.organization.as_deref();
    organizations::check(tenant, organization, &user).await?;
    let attempt = LoginAttempt {
        user,
        client,
        protocol: authorization.response_type.protocol(),
        is_fresh,
        session: Some(&session.sid),
        organization: organizations::find(tenant, organization),
        request,
        query: authorization.query.clone(),
        body: json!({}),
    };
    let login = login::login(tenant, attempt).await?;
    let auth_time = authorization.max_age.map(|_| session.since);
    let mut code = None;
    if authorization.response_type != ResponseType::IdToken {
        let (request, sid, login) = (authorization.clone(), session.sid.clone(), login.clone());
        let content = AuthorizationCode { request, sid, auth_time, login };
        let issue = move |tenant: &Inner| tenant.tickets.issue(TicketKind::CODE, &content, CODE_LIFETIME);
        code = Some(tenant.in_pool(issue).await?);
    }
    let mut id_token = None;
    if authorization.response_type != ResponseType::Code {
        let scopes = tenant.apis.user_scopes(None, &[], authorization.scope.as_deref(), false);
        let details = LoginDetails {
            nonce: authorization.nonce.as_deref(),
            sid: Some(&session.sid),
            auth_time,
            code: code.as_deref(),
            organization,
        };
        id_token = Some(user_tokens::id_token(tenant, client, &login, &scopes, details)?);
    }
    let params = [("code", code.as_deref()), ("id_token", id_token.as_deref())];
    let params: Vec<_> = params.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    Ok(authorization.callback().send(&params))
}
