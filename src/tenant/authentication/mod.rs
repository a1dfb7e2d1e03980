//! The Authentication API: authorization, tokens, the login page, sessions, sign-up, discovery, and the scripts at each place
//! where Auth0 runs them.
//!
//! Owns what OAuth, OpenID Connect and Auth0's own endpoints exchange for tokens. Never serves `/api/v2/`.
//!
//! A login: `authorize.rs` or `token.rs` → `transaction.rs` → `login.rs` (`scripts.rs` runs scripts, with what
//! `rule_context.rs` and `login_event.rs` give them) → `effects.rs` → `user_tokens.rs`. One that waits for its browser:
//! `pending.rs`, then `continue_login.rs`.

mod authorization_request;
mod authorize;
mod background;
mod bound_actions;
mod callback;
mod claims;
mod client_credentials;
mod continue_login;
mod discovery;
mod effects;
mod event_stream;
mod html;
mod interaction_page;
mod login;
mod login_event;
mod login_log;
mod login_log_page;
mod login_page;
mod login_result;
mod logout;
mod mails;
mod organizations;
mod password_reset;
mod passwords;
mod pending;
mod phone_messages;
mod pkce;
mod refresh_tokens;
mod registration;
mod rule_context;
mod script_request;
mod scripts;
mod sessions;
pub(super) mod test_input;
mod signup;
mod token;
mod token_exchange;
mod transaction;
mod user_tokens;
mod userinfo;

use std::sync::Arc;

pub(super) use background::BACKGROUND_RUNS;
pub(super) use bound_actions::warnings;
pub(super) use event_stream::deliver;
pub(super) use login_log::LoginLog;
pub(super) use refresh_tokens::RefreshTokens;
pub(super) use scripts::Scripts;

use super::Inner;
use super::oauth_error::OAuthError;
use super::request::HttpRequest;
use super::response::HttpResponse;

/// Every path but `/api/v2/…`.
pub(super) async fn serve(tenant: &Arc<Inner>, request: &HttpRequest) -> HttpResponse {
    match (request.method.as_str(), request.path.as_str()) {
        ("OPTIONS", path) if allows_cors(path) => HttpResponse::new(204),
        ("GET", "/.well-known/openid-configuration") => public(&discovery::document(&tenant.issuer)),
        ("GET", "/.well-known/jwks.json") => public(&tenant.key.jwks),
        ("POST", "/oauth/token") => token::token(tenant, request).await,
        ("POST", "/oauth/revoke") => {
            token::revoke(tenant, request).await.unwrap_or_else(|error| error.response())
        }
        ("GET" | "POST", "/authorize") => authorize::authorize(tenant, request).await,
        ("GET", "/u/login" | "/u/signup") => login_page::show(tenant, request),
        ("POST", "/u/login" | "/u/signup") => login_page::submit(tenant, request).await,
        ("GET" | "POST", "/continue") => page(continue_login::resume(tenant, request).await),
        ("GET", "/u/mfa" | "/u/prompt") => page(continue_login::show(tenant, request)),
        ("POST", "/u/mfa" | "/u/prompt") => page(continue_login::submit(tenant, request).await),
        ("GET", "/v2/logout") => page(logout::logout(tenant, request).await),
        ("GET" | "POST", "/oidc/logout") => page(logout::oidc_logout(tenant, request).await),
        ("GET" | "POST", "/userinfo") => userinfo::userinfo(tenant, request),
        ("POST", "/dbconnections/signup") => {
            signup::signup(tenant, request).await.unwrap_or_else(|error| error.response())
        }
        ("POST", "/dbconnections/change_password") => {
            passwords::change_password(tenant, request).await.unwrap_or_else(|error| error.response())
        }
        ("GET", "/u/verify-email") => page(mails::verify_email(tenant, request).await),
        ("GET" | "POST", "/u/reset-password") => page(passwords::reset_password(tenant, request).await),
        ("GET", "/") => login_log_page::page(tenant),
        ("GET", "/dev/logins") => login_log_page::json(tenant),
        (_, path) => match allowed_methods(path) {
            Some(methods) => HttpResponse::text(405, "Method Not Allowed").header("allow", methods),
            None => HttpResponse::text(404, "Not Found"),
        },
    }
}

/// The methods of the paths above, for a 405.
fn allowed_methods(path: &str) -> Option<&'static str> {
    Some(match path {
        "/dev/faults" => "GET, POST, DELETE",
        "/dev/clock" => "GET, POST",
        "/"
        | "/dev/logins"
        | "/u/verify-email"
        | "/v2/logout"
        | "/.well-known/openid-configuration"
        | "/.well-known/jwks.json" => "GET",
        "/oauth/token"
        | "/oauth/revoke"
        | "/dbconnections/signup"
        | "/dbconnections/change_password"
        | "/dev/keys/rotate" => "POST",
        "/authorize" | "/continue" | "/u/login" | "/u/signup" | "/u/mfa" | "/u/prompt"
        | "/u/reset-password" | "/oidc/logout" | "/userinfo" => "GET, POST",
        _ => return None,
    })
}

/// Whether an application's own origin may read a path's responses.
pub(super) fn allows_cors(path: &str) -> bool {
    matches!(path, "/oauth/token" | "/oauth/revoke" | "/userinfo")
        || path.starts_with("/dbconnections/")
        || path.starts_with("/.well-known/")
}

fn public(body: &serde_json::Value) -> HttpResponse {
    HttpResponse::json(200, body).header("cache-control", "public, max-age=15")
}

/// A response for a browser; an error is shown as a page.
fn page(response: Result<HttpResponse, OAuthError>) -> HttpResponse {
    response.unwrap_or_else(|error| html::error(error.status, &error.description))
}
