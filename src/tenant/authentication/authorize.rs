//! `/authorize`: logs a user in for an application and sends a code to its callback.
//!
//! 1. client and callback; without them no redirect is safe    2. the rest, whose errors go to the callback
//! 3. a session of the browser, or the login page    4. rules    5. a code

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::error::Result;
use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::request::HttpRequest;
use super::super::response::HttpResponse;
use super::super::tickets::{self, TicketKind};
use super::super::users::TenantUser;
use super::super::{Inner, clients};
use super::authorization_request::{AuthorizationCode, AuthorizationRequest, client_and_callback};
use super::callback::{Callback, ResponseMode};
use super::html;
use super::login::{self, LoginAttempt};

/// The lifetime of a code, in seconds.
const CODE_LIFETIME: i64 = 60;
/// The time to complete the login page, in seconds.
const LOGIN_LIFETIME: i64 = 15 * 60;
/// The name of the session cookie.
const COOKIE: &str = "auth0";

/// The browser session behind a cookie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct BrowserSession {
    user_id: String,
    /// The session's id in tokens; not the cookie's value.
    sid: String,
    /// When the user authenticated, unix seconds.
    since: i64,
}

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
        let since = tenant.clock.now().as_second();
        let session = BrowserSession { user_id: user_id.clone(), sid: tickets::random()?, since };
        let response = finish(tenant, request, &authorization, user, &session, true).await?;
        let hours = tenant.bundle.tenant.session_lifetime.unwrap_or(168.0);
        #[expect(clippy::cast_possible_truncation, reason = "saturates at 292 billion years")]
        let seconds = (hours * 3600.0).max(0.0) as i64;
        let issue = move |tenant: &Inner| tenant.tickets.issue(TicketKind::SESSION, &session, seconds);
        let cookie = tenant.in_pool(issue).await?;
        Ok::<_, OAuthError>(response.header("set-cookie", &set_cookie(tenant, &cookie, seconds)))
    };
    let response = completed.await.unwrap_or_else(|error| authorization.callback().error(&error));
    response.with_actor(user_id)
}

/// `GET /v2/logout`: ends the session and redirects to `returnTo`, if the client lists it.
pub(super) async fn logout(tenant: &Arc<Inner>, request: &HttpRequest) -> HttpResponse {
    let params = Params::from_form(request.query.as_bytes()).unwrap_or_default();
    if let Some(cookie) = request.cookie(COOKIE) {
        let take = move |tenant: &Inner| tenant.tickets.take::<BrowserSession>(TicketKind::SESSION, &cookie);
        if let Err(error) = tenant.in_pool(take).await {
            return html::error(503, &OAuthError::from(error).description);
        }
    }
    let client = params.get("client_id").and_then(|id| clients::find(&tenant.bundle, id));
    let may_return =
        |to: &str| client.is_some_and(|client| clients::is_registered(&client.allowed_logout_urls, to));
    let response = match params.get("returnTo") {
        None => HttpResponse::text(200, "OK"),
        Some(to) if may_return(to) => HttpResponse::redirect(to),
        Some(_) => {
            return html::error(400, "The \"returnTo\" URL is not among the client's allowed_logout_urls.");
        }
    };
    response.header("set-cookie", &set_cookie(tenant, "", 0))
}

/// Sends a code at once when the browser has a session, else redirects to the login page.
async fn proceed(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    authorization: AuthorizationRequest,
) -> Result<HttpResponse, OAuthError> {
    let prompt = authorization.prompt.as_deref();
    if prompt != Some("login")
        && let Some((user, session)) = session(tenant, request, authorization.max_age)?
    {
        return finish(tenant, request, &authorization, user, &session, false).await;
    }
    if prompt == Some("none") {
        return Err(OAuthError::new(403, "login_required", "Login required"));
    }
    let issue = move |tenant: &Inner| tenant.tickets.issue(TicketKind::LOGIN, &authorization, LOGIN_LIFETIME);
    Ok(HttpResponse::redirect(&format!("/u/login?state={}", tenant.in_pool(issue).await?)))
}

/// The session of the request's cookie and its user, unless the session is older than `max_age` seconds.
fn session(
    tenant: &Inner,
    request: &HttpRequest,
    max_age: Option<i64>,
) -> Result<Option<(TenantUser, BrowserSession)>> {
    let Some(cookie) = request.cookie(COOKIE) else { return Ok(None) };
    let now = tenant.clock.now().as_second();
    let session = tenant.tickets.read::<BrowserSession>(TicketKind::SESSION, &cookie)?;
    let is_recent =
        |session: &BrowserSession| max_age.is_none_or(|max_age| now.saturating_sub(session.since) <= max_age);
    let Some(session) = session.filter(is_recent) else { return Ok(None) };
    Ok(tenant.users.find(&session.user_id)?.map(|user| (user, session)))
}

/// Runs the rules and sends a code to the callback.
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
    let attempt = LoginAttempt {
        user,
        client,
        protocol: "oidc-basic-profile",
        is_fresh,
        session: Some(&session.sid),
        request,
        query: authorization.query.clone(),
        body: json!({}),
    };
    let login = login::login(tenant, attempt).await?;
    let auth_time = authorization.max_age.map(|_| session.since);
    let (request, sid) = (authorization.clone(), session.sid.clone());
    let code = AuthorizationCode { request, sid, auth_time, login };
    let issue = move |tenant: &Inner| tenant.tickets.issue(TicketKind::CODE, &code, CODE_LIFETIME);
    Ok(authorization.callback().send(&[("code", &tenant.in_pool(issue).await?)]))
}

fn set_cookie(tenant: &Inner, value: &str, seconds: i64) -> String {
    let secure = if tenant.issuer.starts_with("https://") { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}
