//! Faults that tests ask for: slow, wrong and missing responses, and keys that are rotated, a clock that is moved.
//! These paths exist in the dev tenant only, and serve no other site's page.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use warp::http::StatusCode;

use super::oauth_error::OAuthError;
use super::request::HttpRequest;
use super::response::HttpResponse;
use super::{Inner, management};

/// The most faults at one time.
const CAPACITY: usize = 100;
/// The longest that a response is withheld.
const MAX_DELAY: Duration = Duration::from_secs(600);
/// The furthest that the clock is moved: ten years, in seconds.
const MAX_SHIFT: i64 = 10 * 365 * 86_400;

/// What happens to requests of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    /// A path; a final `*` matches any rest.
    path: String,
    /// Absent: all methods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// Before the response.
    #[serde(default)]
    delay_ms: u64,
    /// Absent: the true response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<FaultAnswer>,
    /// How many requests it is for. Absent: until it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FaultAnswer {
    /// None, for ten minutes.
    None,
    /// A proxy's error page, with status 502.
    Html,
    /// The true response, cut in half.
    Truncated,
    /// An error of Auth0's with this status; 429 with rate-limit headers.
    #[serde(untagged)]
    Status(u16),
}

/// The faults, in the order in which they were added.
#[derive(Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

/// The fault of one request.
pub(super) struct ActiveFault(Fault);

impl Faults {
    /// The first fault for a request. Counts it.
    pub(super) fn take(&self, request: &HttpRequest) -> Option<ActiveFault> {
        let mut faults = self.lock();
        let index = faults.iter().position(|fault| fault.matches(request))?;
        let fault = faults.get_mut(index)?;
        fault.times = fault.times.map(|times| times.saturating_sub(1));
        let taken = fault.clone();
        if taken.times == Some(0) {
            faults.remove(index);
        }
        Some(ActiveFault(taken))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    fn matches(&self, request: &HttpRequest) -> bool {
        let path = match self.path.strip_suffix('*') {
            Some(start) => request.path.starts_with(start),
            None => request.path == self.path,
        };
        let method =
            self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(request.method.as_str()));
        path && method && !request.path.starts_with("/dev/")
    }

    /// What is wrong with it.
    fn problem(&self) -> Option<&'static str> {
        let is_status = |status| (400..600).contains(&status);
        match self.answer {
            _ if !self.path.starts_with('/') => Some("`path` begins with /"),
            _ if self.delay_ms > MAX_DELAY.as_secs() * 1000 => Some("`delay_ms` is at most 600000"),
            _ if self.times == Some(0) => Some("`times` is at least 1"),
            Some(FaultAnswer::Status(status)) if !is_status(status) => Some("a status is from 400 to 599"),
            _ => None,
        }
    }
}

impl ActiveFault {
    /// The response instead of the true one, which `route` makes.
    pub(super) async fn respond(
        self,
        tenant: &Inner,
        request: &HttpRequest,
        route: impl Future<Output = HttpResponse>,
    ) -> HttpResponse {
        tokio::time::sleep(Duration::from_millis(self.0.delay_ms)).await;
        match self.0.answer {
            None => route.await,
            Some(FaultAnswer::None) => {
                tokio::time::sleep(MAX_DELAY).await;
                HttpResponse::text(504, "No response, as asked.")
            }
            Some(FaultAnswer::Html) => HttpResponse::new(502)
                .header("content-type", "text/html")
                .body("<html><body><h1>502 Bad Gateway</h1></body></html>".to_owned()),
            Some(FaultAnswer::Truncated) => {
                let mut response = route.await;
                let half = response.body.floor_char_boundary(response.body.len() / 2);
                response.body.truncate(half);
                response
            }
            Some(FaultAnswer::Status(status)) => failure(tenant, request, status),
        }
    }
}

/// An error in the shape of the request's API.
fn failure(tenant: &Inner, request: &HttpRequest, status: u16) -> HttpResponse {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let is_limit = status == 429;
    let message = if is_limit { "Global limit has been reached" } else { "A fault that was asked for" };
    let code = if is_limit { "too_many_requests" } else { "server_error" };
    let body = if request.path.starts_with("/api/v2/") {
        json!({"statusCode": status, "error": reason, "message": message, "errorCode": code})
    } else {
        json!({"error": code, "error_description": message})
    };
    let response = HttpResponse::json(status, &body);
    if !is_limit {
        return response;
    }
    let reset = tenant.clock.now().as_second().saturating_add(1).to_string();
    response
        .header("retry-after", "1")
        .header("x-ratelimit-limit", "10")
        .header("x-ratelimit-remaining", "0")
        .header("x-ratelimit-reset", &reset)
}

/// `/dev/faults` (GET, POST, DELETE), `/dev/clock` (GET, POST), `/dev/keys/rotate` (POST). `None` for other paths and methods.
pub(super) async fn serve(tenant: &Arc<Inner>, request: &HttpRequest) -> Option<HttpResponse> {
    let response = match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/dev/faults") => Ok(HttpResponse::json(200, &json!({"faults": *tenant.faults.lock()}))),
        ("DELETE", "/dev/faults") if request.is_same_origin() => {
            tenant.faults.lock().clear();
            Ok(HttpResponse::new(204))
        }
        ("POST", "/dev/faults") => add(tenant, request),
        ("GET", "/dev/clock") => Ok(clock(tenant)),
        ("POST", "/dev/clock") => shift(tenant, request),
        ("POST", "/dev/keys/rotate") if request.is_same_origin() => {
            let rotated = tenant.in_pool(management::rotate_now).await;
            rotated.map(|()| HttpResponse::new(204)).map_err(OAuthError::from)
        }
        _ => return None,
    };
    Some(response.unwrap_or_else(|error| error.response()))
}

fn add(tenant: &Inner, request: &HttpRequest) -> Result<HttpResponse, OAuthError> {
    let fault: Fault = read(request)?;
    if let Some(problem) = fault.problem() {
        return Err(OAuthError::invalid_request(problem));
    }
    let mut faults = tenant.faults.lock();
    if faults.len() == CAPACITY {
        return Err(OAuthError::invalid_request("There are 100 faults; remove them with DELETE"));
    }
    let response = HttpResponse::json(201, &json!(fault));
    faults.push(fault);
    Ok(response)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shift {
    /// Ahead of the machine's clock; negative: behind.
    seconds: i64,
}

fn shift(tenant: &Inner, request: &HttpRequest) -> Result<HttpResponse, OAuthError> {
    let Shift { seconds } = read(request)?;
    if seconds.saturating_abs() > MAX_SHIFT {
        return Err(OAuthError::invalid_request("The clock moves by at most ten years"));
    }
    tenant.clock.shift(seconds);
    Ok(clock(tenant))
}

fn clock(tenant: &Inner) -> HttpResponse {
    let now = tenant.clock.now().to_string();
    HttpResponse::json(200, &json!({"seconds": tenant.clock.shifted_by(), "now": now}))
}

/// The body as JSON. Pages of other sites cannot send this content type without a preflight, which is not answered.
fn read<T: for<'de> Deserialize<'de>>(request: &HttpRequest) -> Result<T, OAuthError> {
    let is_json = request.header("content-type").is_some_and(|media| media.starts_with("application/json"));
    if !is_json || !request.is_same_origin() {
        return Err(OAuthError::new(
            403,
            "access_denied",
            "Send application/json, from no other site's page",
        ));
    }
    serde_json::from_slice(&request.body).map_err(|error| OAuthError::invalid_request(error.to_string()))
}
