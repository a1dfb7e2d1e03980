//! `POST /dbconnections/signup`: someone new, who exists in this tenant's file alone.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::Answer;
use super::http::Request;
use super::params::Params;
use super::people::{self, CONNECTION};
use super::refusal::Refusal;
use super::state::{self, SignUp};
use super::{Inner, clients};

/// The shortest password it takes, as Auth0's default policy has it.
const SHORTEST: usize = 8;

pub(super) async fn signup(tenant: &Arc<Inner>, request: &Request) -> Answer {
    match add(tenant, request).await {
        Ok(answer) => answer,
        Err(refusal) => refusal.answer(),
    }
}

async fn add(tenant: &Arc<Inner>, request: &Request) -> Result<Answer, Refusal> {
    let params = Params::from_body(request.header("content-type"), &request.body)?;
    let client =
        clients::find(&tenant.bundle, params.need("client_id")?).ok_or_else(Refusal::unknown_client)?;
    let who = client.client_id.clone();
    if params.need("connection")? != CONNECTION {
        return Err(Refusal::invalid_request(format!("Unknown connection; this tenant has {CONNECTION}")));
    }
    let (email, password) = (params.need("email")?.to_lowercase(), params.need("password")?.to_owned());
    if !is_email(&email) {
        return Ok(refused("invalid_signup", "Invalid sign up"));
    }
    if password.chars().count() < SHORTEST {
        return Ok(refused("invalid_password", "Password is too weak"));
    }
    let metadata = params.get("user_metadata").and_then(|text| serde_json::from_str(text).ok());
    let inner = Arc::clone(tenant);
    let id = state::random()?.chars().filter(char::is_ascii_alphanumeric).take(24).collect::<String>();
    let (user_id, address) = (format!("auth0|{id}"), email.clone());
    let added = tenant.in_pool(move || {
        if inner.people.find_by_email(&address)?.is_some() {
            return Ok(false);
        }
        let hash = people::hash_password(&password)?;
        let now = inner.clock.now();
        let profile = people::fresh_profile(&user_id, &address, now);
        inner.state.sign_up(&SignUp { user_id, email: address, profile, hash, user_metadata: metadata }, now)
    });
    if !added.await? {
        // Auth0 tells no more either: who has an account is nobody's business.
        return Ok(refused("invalid_signup", "Invalid sign up"));
    }
    let body = json!({"_id": id, "email": email, "email_verified": false});
    Ok(Answer::json(200, &body).with_actor(who))
}

fn refused(code: &str, description: &str) -> Answer {
    let body: Value =
        json!({"name": "BadRequestError", "code": code, "description": description, "statusCode": 400});
    Answer::json(400, &body)
}

/// Enough to tell an address from a slip. The doors judge emails; the tenant only keeps them.
fn is_email(email: &str) -> bool {
    let is_plain = !email.chars().any(|c| c.is_whitespace() || c.is_control()) && email.len() <= 254;
    let parts = email.split_once('@');
    is_plain
        && parts.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains('@'))
}
