//! The Management API v2, as far as the doors and scripts need it: get a user by id or email, update a user.

use std::sync::{Arc, Mutex, PoisonError};

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use warp::http::StatusCode;

use super::Inner;
use super::apis::{READ_USERS, UPDATE_USERS};
use super::oauth_error::OAuthError;
use super::params::Params;
use super::request::HttpRequest;
use super::response::HttpResponse;
use super::response::object;
use crate::script::{MetadataKind, MetadataUpdate};

/// Requests a second. Auth0's own limits are lower; this one only stops a runaway loop.
const LIMIT: u32 = 1_000;

/// The number of requests in the current second.
#[derive(Default)]
pub(super) struct RateLimit(Mutex<(i64, u32)>);

impl RateLimit {
    /// Counts a request at `now` (unix seconds). Returns how many are left, or `None` when the limit is exceeded.
    fn take(&self, now: i64) -> Option<u32> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 != now {
            *current = (now, 0);
        }
        current.1 = current.1.saturating_add(1);
        LIMIT.checked_sub(current.1)
    }
}

/// `/api/v2/…`; `path` is the part after it.
pub(super) async fn serve(tenant: &Arc<Inner>, request: &HttpRequest, path: &str) -> HttpResponse {
    let now = tenant.clock.now().as_second();
    let left = tenant.rate_limit.take(now);
    let claims = claims(tenant, request);
    let mut response = match left {
        Some(_) => route(tenant, request, path, claims.as_ref()).await,
        None => error(429, "Global limit has been reached", "too_many_requests").header("retry-after", "1"),
    };
    response.actor = claims.and_then(|claims| claims.get("azp")?.as_str().map(str::to_owned));
    response
        .header("x-ratelimit-limit", &LIMIT.to_string())
        .header("x-ratelimit-remaining", &left.unwrap_or(0).to_string())
        .header("x-ratelimit-reset", &now.saturating_add(1).to_string())
}

async fn route(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    path: &str,
    claims: Option<&Map<String, Value>>,
) -> HttpResponse {
    let by_id = path.strip_prefix("users/").filter(|id| !id.is_empty() && !id.contains('/'));
    if by_id.is_none() && path != "users-by-email" {
        return error(404, "Not Found", "");
    }
    let scope = match (request.method.as_str(), by_id) {
        ("GET", _) => READ_USERS,
        ("PATCH", Some(_)) => UPDATE_USERS,
        (_, by_id) => {
            let allowed = if by_id.is_some() { "GET, PATCH" } else { "GET" };
            let message = format!("This dev tenant supports {allowed} here");
            return error(405, &message, "").header("allow", allowed);
        }
    };
    if let Some(refused) = refuse(request, claims, scope) {
        return refused;
    }
    let Ok(id) = by_id.map(|id| percent_decode_str(id).decode_utf8()).transpose() else {
        return error(400, "Path validation error: 'id' is not UTF-8", "invalid_uri");
    };
    let response = match id {
        Some(id) if scope == UPDATE_USERS => update_user(tenant, request, id.into_owned()).await,
        Some(id) => get_user(tenant, request, &id),
        None => get_users_by_email(tenant, request),
    };
    response.unwrap_or_else(|failed| error(failed.status, &failed.description, ""))
}

/// Refuses a request without a token for this API, or without the scope.
fn refuse(request: &HttpRequest, claims: Option<&Map<String, Value>>, scope: &str) -> Option<HttpResponse> {
    if request.header("authorization").is_none() {
        return Some(error(401, "Missing authentication", ""));
    }
    let Some(claims) = claims else { return Some(error(401, "Invalid token", "")) };
    let granted = claims.get("scope").and_then(Value::as_str).unwrap_or_default();
    if granted.split(' ').any(|granted| granted == scope) {
        return None;
    }
    let message = format!("Insufficient scope, expected any of: {scope}");
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
    Some(error(403, &message, "insufficient_scope").header("www-authenticate", &challenge))
}

fn get_user(tenant: &Inner, request: &HttpRequest, id: &str) -> Result<HttpResponse, OAuthError> {
    Ok(match tenant.users.find(id)? {
        Some(user) => HttpResponse::json(200, &select_fields(request, user.user)?),
        None => unknown_user(),
    })
}

fn get_users_by_email(tenant: &Inner, request: &HttpRequest) -> Result<HttpResponse, OAuthError> {
    let params = Params::from_form(request.query.as_bytes())?;
    let Some(email) = params.get("email") else {
        let message = "Query validation error: 'Missing required property: email'";
        return Ok(error(400, message, "invalid_query_string"));
    };
    // Auth0 compares the exact text; its database connections store lower case.
    let found = tenant.users.find_by_email(email)?.into_iter().filter(|user| user.email() == email);
    let users = found.map(|user| select_fields(request, user.user)).collect::<Result<_, _>>()?;
    Ok(HttpResponse::json(200, &users))
}

/// Applies `fields` and `include_fields`: the members to return, or to leave out.
fn select_fields(request: &HttpRequest, mut user: Map<String, Value>) -> Result<Value, OAuthError> {
    let params = Params::from_form(request.query.as_bytes())?;
    if let Some(fields) = params.get("fields") {
        let named: Vec<&str> = fields.split(',').map(str::trim).collect();
        let include = params.get("include_fields") != Some("false");
        user.retain(|member, _| named.contains(&member.as_str()) == include);
    }
    Ok(Value::Object(user))
}

/// The body of a `PATCH`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserChanges {
    blocked: Option<bool>,
    app_metadata: Option<Map<String, Value>>,
    user_metadata: Option<Map<String, Value>>,
}

/// `PATCH /api/v2/users/{id}`: changes `blocked` and the metadata and returns the whole user. Refuses other members.
async fn update_user(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    id: String,
) -> Result<HttpResponse, OAuthError> {
    let changes: UserChanges = match serde_json::from_slice(&request.body) {
        Ok(changes) => changes,
        Err(problem) => {
            return Ok(error(400, &format!("Payload validation error: '{problem}'"), "invalid_body"));
        }
    };
    let updated = tenant.in_pool(move |tenant| {
        if tenant.users.find(&id)?.is_none() {
            return Ok(None);
        }
        if let Some(blocked) = changes.blocked {
            tenant.db.set_blocked(&id, blocked)?;
        }
        let all = [(MetadataKind::App, changes.app_metadata), (MetadataKind::User, changes.user_metadata)];
        for (kind, metadata) in all {
            if let Some(metadata) = metadata {
                tenant.users.update_metadata(MetadataUpdate { user_id: id.clone(), kind, metadata })?;
            }
        }
        tenant.users.find(&id)
    });
    Ok(match updated.await? {
        Some(user) => HttpResponse::json(200, &Value::Object(user.user)),
        None => unknown_user(),
    })
}

/// The claims of the request's token, if it is for this API.
fn claims(tenant: &Inner, request: &HttpRequest) -> Option<Map<String, Value>> {
    let claims = tenant.verify(request.bearer()?)?;
    let management = tenant.apis.management();
    let has_audience = match claims.get("aud")? {
        Value::String(audience) => audience == management,
        Value::Array(list) => list.iter().any(|audience| audience == management),
        _ => false,
    };
    has_audience.then_some(claims)
}

fn unknown_user() -> HttpResponse {
    error(404, "The user does not exist.", "inexistent_user")
}

/// An error in the Management API's shape; without `errorCode` when `code` is empty.
fn error(status: u16, message: &str, code: &str) -> HttpResponse {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let body = json!({"statusCode": status, "error": reason, "message": message, "errorCode": code});
    let mut body = object(body);
    body.retain(|_, value| value != "");
    HttpResponse::json(status, &body.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_beyond_the_limit_of_a_second_are_refused() {
        let limit = RateLimit::default();
        assert_eq!(limit.take(1), Some(LIMIT - 1));
        let last = (1..LIMIT).map(|_| limit.take(1)).last();
        assert_eq!((last, limit.take(1)), (Some(Some(0)), None));
        assert_eq!(limit.take(2), Some(LIMIT - 1));
    }
}
