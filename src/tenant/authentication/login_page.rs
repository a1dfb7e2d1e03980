//! `/u/login`: shows the login page and handles its forms.

use std::sync::Arc;

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
use super::{authorize, html};

/// `GET /u/login?state=…`: the page.
pub(super) fn show(tenant: &Arc<Inner>, request: &HttpRequest) -> HttpResponse {
    let params = Params::from_form(request.query.as_bytes()).unwrap_or_default();
    match pending_login(tenant, &params) {
        Ok((state, authorization)) => render(tenant, state, &authorization, None, 200),
        Err(response) => *response,
    }
}

/// `POST /u/login` with `state` and either `user` (the one-click buttons: a `user_id`) or `email` and `password`.
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
    match authenticate(tenant, &params).await {
        // The ticket is taken only now, so that a user can correct a mistyped password.
        Ok(Some(user)) => {
            match tenant.in_pool(move |tenant| tenant.tickets.take(TicketKind::LOGIN, &state)).await {
                Ok(Some(authorization)) => authorize::complete(tenant, request, authorization, user).await,
                Ok(None) => expired(),
                Err(error) => failed(error),
            }
        }
        Ok(None) => {
            let email = params.get("email").map(str::to_owned);
            let story = LoginStory { email, ..LoginStory::of(&authorization.client_id) };
            story.record(tenant, Err(&OAuthError::wrong_password()));
            render(tenant, &state, &authorization, Some("Wrong email or password."), 400)
        }
        Err(error) => failed(error),
    }
}

async fn authenticate(tenant: &Arc<Inner>, params: &Params) -> Result<Option<TenantUser>> {
    if let Some(user_id) = params.get("user") {
        return tenant.users.find(user_id);
    }
    let (Some(email), Some(password)) = (params.get("email"), params.get("password")) else {
        return Ok(None);
    };
    let (email, password) = (email.to_owned(), password.to_owned());
    tenant.in_pool(move |tenant| tenant.users.authenticate(&email, &password)).await
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
    state: &str,
    authorization: &AuthorizationRequest,
    problem: Option<&str>,
    status: u16,
) -> HttpResponse {
    let users = match tenant.users.all() {
        Ok(users) => users,
        Err(error) => return failed(error),
    };
    let client = clients::find(&tenant.bundle, &authorization.client_id);
    let page = html::LoginPage {
        tenant: tenant.bundle.tenant.friendly_name.as_deref().unwrap_or("Dev tenant"),
        application: client.map_or("", |client| client.name.as_str()),
        redirect_uri: &authorization.redirect_uri,
        state,
        users: &users,
        problem,
        email: authorization.login_hint.as_deref().unwrap_or_default(),
        has_opener: authorization.mode == ResponseMode::WebMessage,
    };
    html::login(status, &page)
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
