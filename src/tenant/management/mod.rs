//! The Management API v2.
//!
//! Owns every path under `/api/v2/`: who may call it, the rate limit, and the handlers. A call's scopes are checked before its
//! handler runs, on the pool. Never signs a token.
//!
//! Reading order: `routes.rs` (the paths), `call.rs`, `collections.rs` with `kinds.rs`, `users.rs`, then the rest.

mod call;
mod routes;
mod schemas;
mod collections;
mod kinds;
mod actions;
mod action_modules;
mod users;
mod search;
mod relations;
mod organizations;
mod identities;
mod rule_configs;
mod sessions;
mod settings;
mod rest;
mod signing_keys;
mod logs;
mod jobs;
mod events;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::Inner;
use super::params::Params;
use super::request::HttpRequest;
use super::response::HttpResponse;
use super::response::object;
pub(super) use actions::deployed_version;
use call::{Answer, ApiError, Call};
pub(super) use routes::scopes;
use routes::{Handler, Route};
pub(super) use signing_keys::rotate_now;

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
        Some(_) => {
            answer(tenant, request, path, claims.as_ref()).await.unwrap_or_else(|error| error.response())
        }
        None => ApiError::new(429, "Global limit has been reached", "too_many_requests")
            .response()
            .header("retry-after", "1"),
    };
    response.actor = claims.and_then(|claims| claims.get("azp")?.as_str().map(str::to_owned));
    response
        .header("x-ratelimit-limit", &LIMIT.to_string())
        .header("x-ratelimit-remaining", &left.unwrap_or(0).to_string())
        .header("x-ratelimit-reset", &now.saturating_add(1).to_string())
}

async fn answer(
    tenant: &Arc<Inner>,
    request: &HttpRequest,
    path: &str,
    claims: Option<&Map<String, Value>>,
) -> Answer {
    let method = request.method.as_str();
    let route = match routes::find(method, path)? {
        Ok(route) => route,
        Err(allowed) => {
            let message = format!("This dev tenant supports {allowed} here");
            return Ok(ApiError::new(405, message, "").response().header("allow", &allowed));
        }
    };
    let mut scopes = String::new();
    if !matches!(route.handler, Handler::Download) {
        match authorize(request, claims, &route) {
            Ok(granted) => scopes = granted,
            Err(refused) => return Ok(*refused),
        }
    }
    if matches!(route.handler, Handler::Events) {
        let events = events::subscribe(tenant, request)?;
        return Ok(HttpResponse::new(200).header("x-accel-buffering", "no").events(events));
    }
    let (request, actor) = (request.clone(), claims.and_then(|claims| claims.get("azp").cloned()));
    let answered = tenant.in_pool(move |tenant| {
        // Objects change one at a time, so that each change sees the one before. Users have transactions of their own.
        let writing = tenant.writing.clone();
        let _guard = (request.method != "GET" && !route.is_of_users())
            .then(|| writing.lock().unwrap_or_else(PoisonError::into_inner));
        let current = tenant.current.upgrade();
        let current = current.map(|current| current.load_full());
        let tenant = current.as_deref().unwrap_or(tenant);
        let query = Params::from_form(request.query.as_bytes()).unwrap_or_default();
        let call = Call { tenant, request: &request, args: route.args, query, scopes };
        let answer = match route.handler {
            Handler::Function(handler) => handler(&call),
            Handler::Collection(collection) => {
                collection.answer(&call, call.args.first().map(String::as_str))
            }
            Handler::Rest(rest, path, id) => rest.answer(&call, &path, id.as_deref()),
            Handler::Download => jobs::download(&call),
            Handler::Events => Err(ApiError::new(404, "Not Found", "")),
        };
        if request.method != "GET" && answer.is_ok() {
            let what = format!("{} {}", request.method, request.path);
            tenant.db.log(
                "sapi",
                None,
                json!({"description": what, "client_id": actor, "ip": request.ip()}),
            )?;
        }
        Ok(answer)
    });
    answered.await?
}

/// The token's scopes, if one of them is enough for the route. Refuses a request without a token for this API.
fn authorize(
    request: &HttpRequest,
    claims: Option<&Map<String, Value>>,
    route: &Route,
) -> Result<String, Box<HttpResponse>> {
    let refused = |error: ApiError| Box::new(error.response());
    if request.header("authorization").is_none() {
        return Err(refused(ApiError::new(401, "Missing authentication", "")));
    }
    let claims = claims.ok_or_else(|| refused(ApiError::new(401, "Invalid token", "")))?;
    let granted = claims.get("scope").and_then(Value::as_str).unwrap_or_default();
    let has = |scope: &String| granted.split(' ').any(|granted| granted == scope);
    // A user may see, and change the metadata of, their own account only.
    let is_own = route.args.first().map(String::as_str) == claims.get("sub").and_then(Value::as_str);
    let is_enough = |scope: &String| has(scope) && (is_own || !scope.contains(":current_user"));
    if route.scopes.iter().any(is_enough) {
        if !route.scopes.iter().any(|scope| has(scope) && !scope.contains(":current_user"))
            && request.method == "PATCH"
        {
            let body = serde_json::from_slice(&request.body).map(object).unwrap_or_default();
            if body.keys().any(|member| member != "user_metadata") {
                let message = "Insufficient scope, expected any of: update:users";
                return Err(refused(ApiError::new(403, message, "insufficient_scope")));
            }
        }
        return Ok(granted.to_owned());
    }
    let shown: Vec<&str> =
        route.scopes.iter().map(String::as_str).filter(|scope| !scope.contains(":current_user")).collect();
    let expected = shown.join(",");
    let message = format!("Insufficient scope, expected any of: {expected}");
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", shown.join(" "));
    let response = ApiError::new(403, message, "insufficient_scope").response();
    Err(Box::new(response.header("www-authenticate", &challenge)))
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
