//! `/authorize`: logs a user in for an application and sends a code or an ID token to its callback.
//!
//! 1. client and callback; without them no redirect is safe    2. the rest, whose errors go to the callback
//! 3. a session of the browser, or the login page    4. rules and actions (`login.rs`)    5. the response

use std::sync::Arc;

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
use super::login::{self, Progress};
use super::login_log::LoginStory;
use super::script_request::ScriptRequest;
use super::sessions::{self, BrowserSession};
use super::transaction::Transaction;
use super::{html, organizations, pending, user_tokens};

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
    let (callback, user_id) = (authorization.clone(), user.user_id().to_owned());
    let begin = async {
        organizations::check(tenant, authorization.organization.as_deref(), &user).await?;
        let session = BrowserSession::new(tenant, &user, request)?;
        let query = authorization.query.clone();
        Ok::<_, OAuthError>((Transaction::authorize(tenant, authorization, &user, session, true)?, query))
    };
    match begin.await {
        Ok((transaction, query)) => {
            advance(tenant, transaction, &ScriptRequest::with_query(request, query)).await
        }
        Err(error) => callback.callback().error(&error).with_actor(user_id),
    }
}

/// Runs a login's next scripts, and answers with what comes of them: tokens or an error for the callback, or another place
/// for the browser.
pub(super) async fn advance(
    tenant: &Arc<Inner>,
    transaction: Transaction,
    request: &ScriptRequest<'_>,
) -> HttpResponse {
    let (callback, user_id) = (transaction.authorization.clone(), transaction.user_id.clone());
    let advanced = async {
        match login::advance(tenant, transaction, request).await? {
            Progress::Done(transaction) => respond(tenant, request.http, *transaction).await,
            Progress::Waits(transaction, wait) => {
                pending::suspend(tenant, request.http, *transaction, wait).await
            }
        }
    };
    let response = advanced.await.unwrap_or_else(|error| match &callback {
        Some(authorization) => authorization.callback().error(&error),
        None => html::error(error.status, &error.description),
    });
    response.with_actor(user_id)
}

/// Ends a login with an error, which the log shows.
pub(super) fn refuse(tenant: &Inner, transaction: &Transaction, error: OAuthError) -> HttpResponse {
    let story =
        LoginStory { user_id: Some(transaction.user_id.clone()), ..LoginStory::of(&transaction.client_id) };
    story.record(tenant, Err(&error));
    match &transaction.authorization {
        Some(authorization) => authorization.callback().error(&error),
        None => html::error(error.status, &error.description),
    }
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
        organizations::check(tenant, authorization.organization.as_deref(), &user).await?;
        let query = authorization.query.clone();
        let transaction = Transaction::authorize(tenant, authorization, &user, session, false)?;
        return Ok(advance(tenant, transaction, &ScriptRequest::with_query(request, query)).await);
    }
    if prompt == Some("none") {
        return Err(OAuthError::new(403, "login_required", "Login required"));
    }
    let signs_up = authorization.is_sign_up && authorization.sign_up_database(tenant).is_some();
    let page = if signs_up { "signup" } else { "login" };
    let issue = move |tenant: &Inner| tenant.tickets.issue(TicketKind::LOGIN, &authorization, LOGIN_LIFETIME);
    Ok(HttpResponse::redirect(&format!("/u/{page}?state={}", tenant.in_pool(issue).await?)))
}

/// Sends a code, an ID token or both to the callback, and keeps the browser's session.
async fn respond(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    transaction: Transaction,
) -> Result<HttpResponse, OAuthError> {
    let Transaction { authorization, session, login, is_fresh, .. } = transaction;
    let authorization = authorization.ok_or_else(OAuthError::unknown_client)?;
    let session = session.ok_or_else(OAuthError::unknown_client)?;
    let client =
        clients::find(&tenant.bundle, &authorization.client_id).ok_or_else(OAuthError::unknown_client)?;
    let auth_time = authorization.max_age.map(|_| session.since);
    let sid = session.sid.clone();
    let mut code = None;
    if authorization.response_type != ResponseType::IdToken {
        let (request, sid, login) = (authorization.clone(), sid.clone(), login.clone());
        let content = AuthorizationCode { request, sid, auth_time, login };
        let issue = move |tenant: &Inner| tenant.tickets.issue(TicketKind::CODE, &content, CODE_LIFETIME);
        code = Some(tenant.in_pool(issue).await?);
    }
    let mut id_token = None;
    if authorization.response_type != ResponseType::Code {
        let scopes = tenant.apis.user_scopes(None, &[], authorization.scope.as_deref(), false);
        let details = LoginDetails {
            nonce: authorization.nonce.as_deref(),
            sid: Some(&sid),
            auth_time,
            code: code.as_deref(),
            organization: authorization.organization.as_deref(),
            ..LoginDetails::default()
        };
        id_token = Some(user_tokens::id_token(tenant, client, &login, &scopes, details)?);
    }
    let cookie = if is_fresh {
        Some(sessions::start(tenant, request, session).await?)
    } else {
        sessions::update(tenant, request, session).await?;
        None
    };
    let params = [("code", code.as_deref()), ("id_token", id_token.as_deref())];
    let params: Vec<_> = params.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let response = authorization.callback().send(&params);
    Ok(match cookie {
        Some(cookie) => response.header("set-cookie", &cookie),
        None => response,
    })
}
