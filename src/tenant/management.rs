//! The Management API v2, as far as the doors need it: users by id and by email, behind a token and its scopes.

use std::sync::{Arc, Mutex, PoisonError};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::Inner;
use super::answer::Answer;
use super::apis::{READ_USERS, UPDATE_USERS};
use super::http::Request;
use super::params::Params;
use super::patch::patch;
use super::refusal::{Refusal, management as error};

/// Requests a second. Auth0's own limits are lower; this one only stops a runaway loop.
const LIMIT: u32 = 1_000;

/// How many requests the running second has seen.
#[derive(Default)]
pub(super) struct Meter(Mutex<(i64, u32)>);

impl Meter {
    /// Counts a request at `now` (unix seconds): how many are left, or `None` when it is one too many.
    fn take(&self, now: i64) -> Option<u32> {
        let mut meter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if meter.0 != now {
            *meter = (now, 0);
        }
        meter.1 = meter.1.saturating_add(1);
        LIMIT.checked_sub(meter.1)
    }
}

/// `/api/v2/…`; `path` is what follows.
pub(super) async fn answer(tenant: &Arc<Inner>, request: &Request, path: &str) -> Answer {
    let now = tenant.clock.now().as_second();
    let left = tenant.meter.take(now);
    let mut answer = match left {
        Some(_) => route(tenant, request, path).await,
        None => error(429, "Global limit has been reached", Some("too_many_requests")),
    };
    // The token proved it, whatever the request then came to.
    if answer.actor.is_none() {
        answer.actor = client(tenant, request).map(|claims| client_id(&claims));
    }
    let reset = now.saturating_add(1).to_string();
    let answer = if left.is_none() { answer.header("retry-after", "1") } else { answer };
    answer
        .header("x-ratelimit-limit", &LIMIT.to_string())
        .header("x-ratelimit-remaining", &left.unwrap_or(0).to_string())
        .header("x-ratelimit-reset", &reset)
}

async fn route(tenant: &Arc<Inner>, request: &Request, path: &str) -> Answer {
    let by_id = path.strip_prefix("users/").filter(|id| !id.is_empty() && !id.contains('/'));
    if by_id.is_none() && path != "users-by-email" {
        return error(404, "Not Found", None);
    }
    let scope = match (request.method.as_str(), by_id) {
        ("GET", _) => READ_USERS,
        ("PATCH", Some(_)) => UPDATE_USERS,
        (_, by_id) => {
            let allowed = if by_id.is_some() { "GET, PATCH" } else { "GET" };
            return error(405, &format!("This dev tenant answers {allowed} here"), None)
                .header("allow", allowed);
        }
    };
    let claims = match authorized(tenant, request, scope) {
        Ok(claims) => claims,
        Err(refused) => return *refused,
    };
    let id = match by_id.map(|id| percent_decode_str(id).decode_utf8()).transpose() {
        Ok(id) => id,
        Err(_) => return error(400, "Path validation error: 'id' is no UTF-8", Some("invalid_uri")),
    };
    let found = match id {
        Some(id) if scope == UPDATE_USERS => Ok(patch(tenant, request, id.into_owned()).await),
        Some(id) => user(tenant, request, &id),
        None => by_email(tenant, request),
    };
    match found {
        Ok(answer) => answer.with_actor(client_id(&claims)),
        Err(refusal) => {
            let refusal: Refusal = refusal;
            error(refusal.status, &refusal.description, None)
        }
    }
}

fn user(tenant: &Inner, request: &Request, id: &str) -> Result<Answer, Refusal> {
    Ok(match tenant.people.find(id)? {
        Some(account) => Answer::json(200, &Value::Object(fields(request, account.user)?)),
        None => error(404, "The user does not exist.", Some("inexistent_user")),
    })
}

fn by_email(tenant: &Inner, request: &Request) -> Result<Answer, Refusal> {
    let params = Params::from_form(request.query.as_bytes())?;
    let Some(email) = params.get("email") else {
        let say = "Query validation error: 'Missing required property: email'";
        return Ok(error(400, say, Some("invalid_query_string")));
    };
    // Auth0 compares as written; its database connections store lower case.
    let found = tenant.people.find_by_email(email)?.filter(|account| account.email() == email);
    let users = found.map(|account| fields(request, account.user)).transpose()?;
    Ok(Answer::json(200, &users.map(Value::Object).into_iter().collect()))
}

/// `fields` and `include_fields`: which members to give, or to leave out.
fn fields(request: &Request, mut user: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let params = Params::from_form(request.query.as_bytes())?;
    if let Some(fields) = params.get("fields") {
        let named: Vec<&str> = fields.split(',').map(str::trim).collect();
        let include = params.get("include_fields") != Some("false");
        user.retain(|member, _| named.contains(&member.as_str()) == include);
    }
    Ok(user)
}

/// The claims of a Management API token that has the scope.
fn authorized(tenant: &Inner, request: &Request, wanted: &str) -> Result<Map<String, Value>, Box<Answer>> {
    if request.header("authorization").is_none() {
        return Err(Box::new(error(401, "Missing authentication", None)));
    }
    let claims = client(tenant, request).ok_or_else(|| Box::new(error(401, "Invalid token", None)))?;
    let scope = claims.get("scope").and_then(Value::as_str).unwrap_or_default();
    if scope.split(' ').any(|held| held == wanted) {
        return Ok(claims);
    }
    let say = format!("Insufficient scope, expected any of: {wanted}");
    let refused = error(403, &say, Some("insufficient_scope"));
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{wanted}\"");
    Err(Box::new(refused.header("www-authenticate", &challenge).with_actor(client_id(&claims))))
}

/// The claims of the request's token, if it is for this API.
fn client(tenant: &Inner, request: &Request) -> Option<Map<String, Value>> {
    let claims = tenant.verify(request.bearer()?)?;
    let management = tenant.apis.management();
    let is_meant = match claims.get("aud")? {
        Value::String(audience) => audience == management,
        Value::Array(list) => list.iter().any(|audience| audience == management),
        _ => false,
    };
    is_meant.then_some(claims)
}

fn client_id(claims: &Map<String, Value>) -> String {
    claims.get("azp").and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_room_for_so_many() {
        let meter = Meter::default();
        assert_eq!(meter.take(1), Some(LIMIT - 1));
        let last = (1..LIMIT).map(|_| meter.take(1)).last();
        assert_eq!((last, meter.take(1)), (Some(Some(0)), None));
        assert_eq!(meter.take(2), Some(LIMIT - 1));
    }
}
