//! `/u/login` and `/u/signup`: the login page, with one form or the other.

use std::sync::Arc;

use serde_json::Map;

use super::super::error::Result;
use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::request::HttpRequest;
use super::super::response::HttpResponse;
use super::super::tickets::TicketKind;
use super::super::users::TenantUser;
use super::super::{Inner, TenantError, clients};
use super::authorization_request::AuthorizationRequest;
use super::callback::ResponseMode;
use super::login_log::LoginStory;
use super::registration::AccountRequest;
use super::script_request::ScriptRequest;
use super::signup::{self, SignUpError};
use super::{authorize, html};

/// `GET …?state=…`: the page.
pub(super) fn show(tenant: &Arc<Inner>, request: &HttpRequest) -> HttpResponse {
    let params = Params::from_form(request.query.as_bytes()).unwrap_or_default();
    match pending_login(tenant, &params) {
        Ok((state, authorization)) => render(tenant, request, state, &authorization, None),
        Err(response) => *response,
    }
}

/// `POST` with `state` and either `user` (the one-click buttons: a `user_id`) or `email` and `password`.
pub(super) async fn submit(tenant: &Arc<Inner>, request: &HttpRequest) -> HttpResponse {
    // The one-click buttons need no password, so another site's page must not be able to submit them.
    if !request.is_same_origin() {
        return html::error(403, "This form was sent from another site.");
    }
    let params = match Params::from_body(request.header("content-type"), &request.body) {
        Ok(params) => params,
        Err(error) => return html::error(error.status, &error.description),
    };
    let (state, authorization) = match pending_login(tenant, &params) {
        Ok((state, authorization)) => (state.to_owned(), authorization),
        Err(response) => return *response,
    };
    let problem = match authenticate(tenant, request, &params, &authorization).await {
        Err(error) => return html::error(error.status, &error.description),
        // The ticket is taken only now, so that a user can correct a mistyped password.
        Ok(Ok(user)) => {
            return match tenant.in_pool(move |tenant| tenant.tickets.take(TicketKind::LOGIN, &state)).await {
                Ok(Some(authorization)) => authorize::complete(tenant, request, authorization, user).await,
                Ok(None) => expired(),
                Err(error) => failed(error),
            };
        }
        Ok(Err(problem)) => problem,
    };
    let email = params.get("email").map(str::to_owned);
    let story = LoginStory { email, ..LoginStory::of(&authorization.client_id) };
    story.record(tenant, Err(&OAuthError::invalid_grant(problem.as_str())));
    render(tenant, request, &state, &authorization, Some(&problem))
}

/// The user, or what to tell a person who can try again.
async fn authenticate(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    params: &Params,
    authorization: &AuthorizationRequest,
) -> Result<Result<TenantUser, String>, OAuthError> {
    const WRONG: &str = "Wrong email or password.";
    let wrong = || WRONG.to_owned();
    if let Some(user_id) = params.get("user") {
        let found =
            tenant.users.find(user_id)?.filter(|user| authorization.allows(tenant, user.connection()));
        return Ok(found.ok_or_else(wrong));
    }
    let (Some(email), Some(password)) = (params.get("email"), params.get("password")) else {
        return Ok(Err(wrong()));
    };
    if request.path == "/u/signup" {
        let Some(database) = authorization.sign_up_database(tenant) else {
            return Ok(Err("Sign-up is disabled for this application.".to_owned()));
        };
        let account = AccountRequest {
            client_id: &authorization.client_id,
            connection: database,
            authorization: Some(authorization),
            request: ScriptRequest::with_query(request, authorization.query.clone()),
        };
        let added = signup::add_user(tenant, &account, (email, password), Map::new()).await?;
        return Ok(added.map_err(|error| match error {
            SignUpError::Email => {
                "This email cannot sign up. It may have an account: log in instead.".to_owned()
            }
            SignUpError::WeakPassword(problem) => problem,
            SignUpError::Denied(denial) => denial.message,
        }));
    }
    let (email, password) = (email.to_owned(), password.to_owned());
    let authorization = authorization.clone();
    let user = tenant.in_pool(move |tenant| {
        let is_allowed = |connection: &str| authorization.allows(tenant, connection);
        tenant.users.authenticate(&email, &password, is_allowed)
    });
    Ok(user.await?.ok_or_else(wrong))
}

fn pending_login<'a>(
    tenant: &Inner,
    params: &'a Params,
) -> Result<(&'a str, AuthorizationRequest), Box<HttpResponse>> {
    let expired = || Box::new(expired());
    let state = params.get("state").ok_or_else(expired)?;
    let pending = tenant.tickets.read(TicketKind::LOGIN, state);
    let pending = pending.map_err(|error| Box::new(failed(error)))?;
    Ok((state, pending.ok_or_else(expired)?))
}

fn render(
    tenant: &Inner,
    request: &HttpRequest,
    state: &str,
    authorization: &AuthorizationRequest,
    problem: Option<&str>,
) -> HttpResponse {
    let mut users = match tenant.users.all() {
        Ok(users) => users,
        Err(error) => return failed(error),
    };
    users.retain(|(user, _)| authorization.admits(tenant, user));
    // The application gets Auth0's words only; which script denied its last login is said here.
    let last = tenant.log.find(|story| story.client_id == authorization.client_id);
    let can_sign_up = authorization.sign_up_database(tenant).is_some();
    let client = clients::find(&tenant.bundle, &authorization.client_id);
    let page = html::LoginPage {
        tenant: tenant.bundle.tenant.friendly_name.as_deref().unwrap_or("Dev tenant"),
        application: client.map_or("", |client| client.name.as_str()),
        redirect_uri: &authorization.redirect_uri,
        state,
        users: &users,
        problem,
        email: authorization.login_hint.as_deref().unwrap_or_default(),
        denied_by: last.as_ref().and_then(|story| story.denied_by.as_deref()),
        is_sign_up: request.path == "/u/signup" && can_sign_up,
        can_sign_up,
        has_opener: authorization.mode == ResponseMode::WebMessage,
    };
    html::login(if problem.is_some() { 400 } else { 200 }, &page)
}

fn expired() -> HttpResponse {
    html::error(
        400,
        "This login has expired or was used already. Go back to the application and start again.",
    )
}

fn failed(error: TenantError) -> HttpResponse {
    let error = OAuthError::from(error);
    html::error(error.status, &error.description)
}
