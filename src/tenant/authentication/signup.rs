//! `POST /dbconnections/signup`: adds a user, who exists in this tenant's file only.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::request::HttpRequest;
use super::super::response::HttpResponse;
use super::super::tickets;
use super::super::users::{self, CONNECTION};
use super::super::{Inner, clients};

/// The shortest password, in characters, as in Auth0's default policy.
const MIN_PASSWORD: usize = 8;

pub(super) async fn signup(tenant: &Arc<Inner>, request: &HttpRequest) -> Result<HttpResponse, OAuthError> {
    let params = Params::from_body(request.header("content-type"), &request.body)?;
    let client =
        clients::find(&tenant.bundle, params.require("client_id")?).ok_or_else(OAuthError::unknown_client)?;
    if params.require("connection")? != CONNECTION {
        return Err(OAuthError::invalid_request(format!("Unknown connection; this tenant has {CONNECTION}")));
    }
    let (email, password) = (params.require("email")?.to_lowercase(), params.require("password")?.to_owned());
    if !is_email(&email) {
        return Ok(refused("invalid_signup", "Invalid sign up"));
    }
    if password.chars().count() < MIN_PASSWORD {
        return Ok(refused("invalid_password", "Password is too weak"));
    }
    let user_metadata = params.get("user_metadata").and_then(|text| serde_json::from_str(text).ok());
    let id = tickets::random()?.chars().filter(char::is_ascii_alphanumeric).take(24).collect::<String>();
    let body = json!({"_id": id, "email": email, "email_verified": false});
    let added = tenant.in_pool(move |tenant| {
        let user_id = format!("auth0|{id}");
        let hash = users::hash_password(&password)?;
        let mut profile = users::new_profile(&user_id, &email, tenant.clock.now());
        profile.extend(user_metadata.map(|metadata| ("user_metadata".to_owned(), Value::Object(metadata))));
        tenant.db.add_account(&user_id, &profile, Some(&hash))
    });
    if added.await? {
        Ok(HttpResponse::json(200, &body).with_actor(client.client_id.as_str()))
    } else {
        // As Auth0: the response does not reveal that the email has an account.
        Ok(refused("invalid_signup", "Invalid sign up"))
    }
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
