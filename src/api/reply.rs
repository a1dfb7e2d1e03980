//! An outcome or a refusal → status, headers, body. The only place that makes replies, and that logs how a request ended.

use juniper::{ExecutionError, GraphQLError, Value};
use serde::Serialize;
use warp::http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use warp::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use warp::hyper::body::Bytes;
use warp::reply::Response;

use crate::auth::Refusal;
use crate::telemetry::RequestId;

/// How a request ended.
pub(super) enum Outcome {
    /// The gate said no.
    Refused(Refusal),
    /// It was no GraphQL request, or could not be carried out.
    Problem(Problem),
    /// The document or its variables are not valid in the schema.
    Invalid(GraphQLError),
    /// It was executed, perhaps with errors in some fields.
    Executed(Value, Vec<ExecutionError<juniper::DefaultScalarValue>>),
}

/// What keeps a request from being executed, other than its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    Method,
    MutationByGet,
    Subscription,
    NotAcceptable,
    MediaType,
    TooLarge(usize),
    SlowBody,
    BrokenBody,
    Batch,
    Json(String),
    Parameter(&'static str),
    OutOfTime,
    Panicked,
}

/// The media types of GraphQL over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/graphql-response+json`: the status tells of the outcome.
    Response,
    /// `application/json`: a well-formed request gets 200 whatever its outcome, as older clients expect.
    Json,
}

/// What is the same for every reply to one request.
pub(super) struct Reply {
    /// The door's name.
    pub(super) door: &'static str,
    /// The request's name.
    pub(super) request: RequestId,
    /// The best media type the client accepts, if it accepts any.
    pub(super) media: Option<Media>,
}

impl Media {
    /// The best type that `Accept` allows; JSON where it says nothing or anything.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        let mut said = false;
        for range in
            headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','))
        {
            said = true;
            let mut parts = range.split(';').map(str::trim);
            let media = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/graphql-response+json" => Self::Response,
                "application/json" | "application/*" | "*/*" => Self::Json,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            // Of equals the first wins.
            if weight > 0.0 && best.is_none_or(|(so_far, _)| weight > so_far) {
                best = Some((weight, media));
            }
        }
        if said { best.map(|(_, media)| media) } else { Some(Self::Json) }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Response => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

impl Problem {
    fn facts(&self) -> (StatusCode, &'static str, String) {
        let say = str::to_owned;
        match self {
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", say("Send GET or POST.")),
            Self::MutationByGet => {
                (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", say("Send mutations by POST."))
            }
            Self::Subscription => {
                (StatusCode::BAD_REQUEST, "BAD_REQUEST", say("Subscriptions are not served over plain HTTP."))
            }
            Self::NotAcceptable => (
                StatusCode::NOT_ACCEPTABLE,
                "NOT_ACCEPTABLE",
                say("Accept application/graphql-response+json or application/json."),
            ),
            Self::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                say("Send the request as application/json in UTF-8."),
            ),
            Self::TooLarge(limit) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "TOO_LARGE",
                format!("The body is over the limit of {limit} bytes (limits.body)."),
            ),
            Self::SlowBody => {
                (StatusCode::REQUEST_TIMEOUT, "TOO_SLOW", say("The body took too long to arrive."))
            }
            Self::BrokenBody => {
                (StatusCode::BAD_REQUEST, "BAD_REQUEST", say("The body ended before its time."))
            }
            Self::Batch => {
                (StatusCode::BAD_REQUEST, "BAD_REQUEST", say("Batches are not served; send one request."))
            }
            Self::Json(what) => (StatusCode::BAD_REQUEST, "BAD_REQUEST", what.clone()),
            Self::Parameter(what) => (StatusCode::BAD_REQUEST, "BAD_REQUEST", say(what)),
            Self::OutOfTime => (
                StatusCode::SERVICE_UNAVAILABLE,
                "OUT_OF_TIME",
                say("The operation took longer than it may (limits.time)."),
            ),
            Self::Panicked => {
                (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", say("The server failed; its log tells more."))
            }
        }
    }
}

impl Reply {
    /// Makes the reply and logs how the request ended, once.
    pub(super) fn render(&self, outcome: Outcome) -> Response {
        match outcome {
            Outcome::Refused(refusal) => self.refused(&refusal),
            Outcome::Problem(problem) => self.problem(&problem),
            Outcome::Invalid(error) => {
                tracing::debug!(door = self.door, request = %self.request, "invalid operation");
                let status = match self.media {
                    Some(Media::Response) => StatusCode::BAD_REQUEST,
                    _ => StatusCode::OK,
                };
                self.json(status, &Errors { errors: &error })
            }
            Outcome::Executed(data, errors) => {
                tracing::debug!(door = self.door, request = %self.request, errors = errors.len(), "executed");
                self.json(StatusCode::OK, &Executed { data: &data, errors: &errors })
            }
        }
    }

    fn refused(&self, refusal: &Refusal) -> Response {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (code, stage) = (refusal.code(), refusal.stage().as_str());
        let request = self.request.to_string();
        tracing::info!(door = self.door, request = %self.request, code, stage, "refused");
        let mut response = self.json(
            status,
            &Failure::new(&refusal.message(), Extensions { code, stage: Some(stage), request_id: &request }),
        );
        let headers = response.headers_mut();
        if let Some(challenge) =
            refusal.challenge(self.door).and_then(|text| HeaderValue::try_from(text).ok())
        {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = refusal.retry_after() {
            // Whole seconds, rounded up: a client that comes too early is refused again.
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1000).max(1) as u64));
        }
        response
    }

    fn problem(&self, problem: &Problem) -> Response {
        let (status, code, message) = problem.facts();
        let request = self.request.to_string();
        if status.is_server_error() {
            tracing::error!(door = self.door, request = %self.request, code, "failed");
        } else {
            tracing::debug!(door = self.door, request = %self.request, code, "not executed");
        }
        let mut response = self
            .json(status, &Failure::new(&message, Extensions { code, stage: None, request_id: &request }));
        match problem {
            Problem::Method => response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST")),
            Problem::MutationByGet => response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST")),
            _ => None,
        };
        response
    }

    fn json(&self, status: StatusCode, body: &impl Serialize) -> Response {
        // What is serialized here has string keys only, so it does not fail; if it did, the reply would be empty.
        let body = serde_json::to_vec(body).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body).into());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let media = self.media.unwrap_or(Media::Json).content_type();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("Accept, Authorization, Origin"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Ok(request) = HeaderValue::try_from(self.request.to_string()) {
            headers.insert(HeaderName::from_static("x-request-id"), request);
        }
        response
    }
}

/// One error without data, its members in the order people read them.
#[derive(Serialize)]
struct Failure<'a> {
    errors: [Error<'a>; 1],
}

#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    extensions: Extensions<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extensions<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'a str>,
    request_id: &'a str,
}

impl<'a> Failure<'a> {
    fn new(message: &'a str, extensions: Extensions<'a>) -> Self {
        Self { errors: [Error { message, extensions }] }
    }
}

#[derive(Serialize)]
struct Executed<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ExecutionError<juniper::DefaultScalarValue>],
    data: &'a Value,
}

/// juniper serializes these errors as the list they are.
#[derive(Serialize)]
struct Errors<'a> {
    errors: &'a GraphQLError,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_s_favourite_media_type_wins() {
        let of = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
            Media::of(&headers)
        };
        assert_eq!(Media::of(&HeaderMap::new()), Some(Media::Json));
        for (accept, media) in [
            ("*/*", Some(Media::Json)),
            ("application/json", Some(Media::Json)),
            ("application/graphql-response+json", Some(Media::Response)),
            ("application/graphql-response+json, application/json;q=0.9", Some(Media::Response)),
            (
                "application/json;q=0.5, application/graphql-response+json; charset=utf-8; q=0.6",
                Some(Media::Response),
            ),
            ("application/json, application/graphql-response+json", Some(Media::Json)),
            ("text/html", None),
            ("application/json;q=0", None),
        ] {
            assert_eq!(of(accept), media, "{accept}");
        }
    }
}
