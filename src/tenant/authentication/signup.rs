//! Sign-ups, by `POST /dbconnections/signup` and by the page: a user who exists in this tenant's file only.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::password_hash::hash_password;
use super::super::request::HttpRequest;
use super::super::response::HttpResponse;
use super::super::tickets;
use super::super::users::{self, CONNECTION, TenantUser};
use super::super::{Inner, clients};
use super::mails;

/// The shortest password, in characters, as in Auth0's default policy.
const MIN_PASSWORD: usize = 8;

/// Why a sign-up is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignUpError {
    /// The email is not one, or has an account: the response does not say which, as at Auth0.
    Email,
    WeakPassword,
}

pub(super) async fn signup(tenant: &Arc<Inner>, request: &HttpRequest) -> Result<HttpResponse, OAuthError> {
    let params = Params::from_body(request.header("content-type"), &request.body)?;
    let client =
        clients::find(&tenant.bundle, params.require("client_id")?).ok_or_else(OAuthError::unknown_client)?;
    require_connection(&params)?;
    let (email, password) = (params.require("email")?, params.require("password")?);
    let metadata = params.get("user_metadata").and_then(|text| serde_json::from_str(text).ok());
    Ok(match add_user(tenant, &client.client_id, email, password, metadata).await? {
        Ok(user) => {
            let id = user.user_id().trim_start_matches("auth0|");
            let body = json!({"_id": id, "email": user.email(), "email_verified": false});
            HttpResponse::json(200, &body).with_actor(client.client_id.as_str())
        }
        Err(SignUpError::Email) => refused("invalid_signup", "Invalid sign up"),
        Err(SignUpError::WeakPassword) => refused("invalid_password", "Password is too weak"),
    })
}

/// Adds a user of Auth0's own database, and logs the mail that would verify the email.
pub(super) async fn add_user(
    tenant: &Arc<Inner>,
    client_id: &str,
    email: &str,
    password: &str,
    metadata: Option<Map<String, Value>>,
) -> Result<Result<TenantUser, SignUpError>, OAuthError> {
    let (email, password) = (email.to_lowercase(), password.to_owned());
    if !is_email(&email) {
        return Ok(Err(SignUpError::Email));
    }
    if is_weak(&password) {
        return Ok(Err(SignUpError::WeakPassword));
    }
    let id = tickets::random()?.chars().filter(char::is_ascii_alphanumeric).take(24).collect::<String>();
    let user_id = format!("auth0|{id}");
    let added = tenant.in_pool(move |tenant| {
        let hash = hash_password(&password)?;
        let mut profile = users::new_profile(&user_id, &email, tenant.clock.now());
        profile.extend(metadata.map(|metadata| ("user_metadata".to_owned(), Value::Object(metadata))));
        let is_new = tenant.db.add_account(&user_id, &profile, Some(&hash))?;
        if is_new { tenant.users.find(&user_id) } else { Ok(None) }
    });
    let Some(user) = added.await? else { return Ok(Err(SignUpError::Email)) };
    mails::send(tenant, client_id, &user, mails::VERIFY).await?;
    Ok(Ok(user))
}

pub(super) fn is_weak(password: &str) -> bool {
    password.chars().count() < MIN_PASSWORD
}

/// Refuses every connection but Auth0's own database.
pub(super) fn require_connection(params: &Params) -> Result<(), OAuthError> {
    if params.require("connection")? == CONNECTION {
        return Ok(());
    }
    Err(OAuthError::invalid_request(format!("Unknown connection; this tenant has {CONNECTION}")))
}

fn refused(code: &str, description: &str) -> HttpResponse {
    let body =
        json!({"name": "BadRequestError", "code": code, "description": description, "statusCode": 400});
    HttpResponse::json(400, &body)
}

/// Whether a text looks like an address. The doors validate emails; the tenant only stores them.
fn is_email(email: &str) -> bool {
    let is_plain = !email.chars().any(|c| c.is_whitespace() || c.is_control()) && email.len() <= 254;
    let [local, host] = *email.split('@').collect::<Vec<_>>() else { return false };
    is_plain && !local.is_empty() && !host.is_empty()
}
