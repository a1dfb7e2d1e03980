//! Sign-ups, by `POST /dbconnections/signup` and by the page: a user who exists in this tenant's file only.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::password_hash::hash_password;
use super::super::request::HttpRequest;
use super::super::response::HttpResponse;
use super::super::tickets;
use super::super::users::{self, TenantUser};
use super::super::{Inner, clients, connections};
use super::registration::{AccountRequest, SignUpDenial};
use super::script_request::ScriptRequest;
use super::{mails, registration};

/// Why a sign-up is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SignUpError {
    /// The email is not one, or has an account: the response does not say which, as at Auth0.
    Email,
    /// What the database asks of a password.
    WeakPassword(String),
    /// An action of pre-user-registration refused it.
    Denied(SignUpDenial),
}

pub(super) async fn signup(tenant: &Arc<Inner>, request: &HttpRequest) -> Result<HttpResponse, OAuthError> {
    let params = Params::from_body(request.header("content-type"), &request.body)?;
    let client =
        clients::find(&tenant.bundle, params.require("client_id")?).ok_or_else(OAuthError::unknown_client)?;
    let connection = require_database(tenant, &params)?;
    if !connections::is_enabled(&tenant.bundle, client, connection) {
        let id = &client.client_id;
        return Ok(disabled(&format!("connection is disabled (client_id: {id} - connection: {connection})")));
    }
    if !connections::allows_sign_up(&tenant.bundle, connection) {
        return Ok(disabled("public signup is disabled"));
    }
    let (email, password) = (params.require("email")?, params.require("password")?);
    let mut members = Map::new();
    if let Some(metadata) = params.get("user_metadata").and_then(|text| serde_json::from_str(text).ok()) {
        members.insert("user_metadata".to_owned(), Value::Object(metadata));
    }
    for name in ["username", "given_name", "family_name", "name", "nickname", "picture"] {
        members.extend(params.get(name).map(|value| (name.to_owned(), value.into())));
    }
    let view = ScriptRequest::with_body(request, &params);
    let account =
        AccountRequest { client_id: &client.client_id, connection, authorization: None, request: view };
    Ok(match add_user(tenant, &account, (email, password), members).await? {
        Ok(user) => {
            let id = user.user_id().trim_start_matches("auth0|");
            let body = json!({"_id": id, "email": user.email(), "email_verified": false});
            HttpResponse::json(200, &body).with_actor(client.client_id.as_str())
        }
        Err(SignUpError::Email) => refused("invalid_signup", "Invalid sign up"),
        Err(SignUpError::WeakPassword(policy)) => {
            let body = json!({"name": "PasswordStrengthError", "message": "Password is too weak", "code": "invalid_password",
                "description": "Password is too weak", "policy": policy, "statusCode": 400});
            HttpResponse::json(400, &body)
        }
        Err(SignUpError::Denied(SignUpDenial { reason, message })) => {
            let body = json!({"name": "InternalExtensibilityError", "code": "extensibility_error", "message": reason,
                "description": reason, "friendly_message": message, "fromSandbox": true, "statusCode": 400});
            HttpResponse::json(400, &body)
        }
    })
}

/// Adds a user of a database, with more members of the profile, and logs the mail that would verify the email.
pub(super) async fn add_user(
    tenant: &Arc<Inner>,
    account: &AccountRequest<'_>,
    (email, password): (&str, &str),
    members: Map<String, Value>,
) -> Result<Result<TenantUser, SignUpError>, OAuthError> {
    let (email, password) = (email.to_lowercase(), password.to_owned());
    if !is_email(&email) {
        return Ok(Err(SignUpError::Email));
    }
    if let Some(problem) = connections::weakness(&tenant.bundle, account.connection, &password) {
        return Ok(Err(SignUpError::WeakPassword(problem)));
    }
    let id = tickets::random()?.chars().filter(char::is_ascii_alphanumeric).take(24).collect::<String>();
    let user_id = format!("auth0|{id}");
    let mut profile = users::new_profile(&user_id, &email, account.connection, tenant.clock.now());
    profile.extend(members);
    if let Err(denial) = registration::before_sign_up(tenant, account, &mut profile).await? {
        return Ok(Err(SignUpError::Denied(denial)));
    }
    let added = tenant.in_pool(move |tenant| {
        let hash = hash_password(&password)?;
        let is_new = tenant.db.add_account(&user_id, &profile, Some(&hash))?;
        if is_new { tenant.users.find(&user_id) } else { Ok(None) }
    });
    let Some(user) = added.await? else { return Ok(Err(SignUpError::Email)) };
    mails::send(tenant, account, &user, mails::VERIFY).await?;
    registration::after_sign_up(tenant, account, &user);
    Ok(Ok(user))
}

/// The database that a request names.
pub(super) fn require_database<'a>(tenant: &Inner, params: &'a Params) -> Result<&'a str, OAuthError> {
    let name = params.require("connection")?;
    if connections::is_database(&tenant.bundle, name) {
        return Ok(name);
    }
    Err(OAuthError::invalid_request(format!("the connection {name} was not found")))
}

fn disabled(error: &str) -> HttpResponse {
    HttpResponse::json(400, &json!({"error": error}))
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
