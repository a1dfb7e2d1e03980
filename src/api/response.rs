//! A request's outcome, and its response: JSON for a WebSocket message; status, headers and body for HTTP.

use std::borrow::Cow;
use std::sync::LazyLock;

use juniper::{DefaultScalarValue, ExecutionError, GraphQLError, Value};
use serde::Serialize;
use warp::http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, VARY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use warp::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use warp::hyper::body::Bytes;
use warp::reply::{Reply, Response};

use super::bounded_json::{bounded_data, bounded_json};
use super::cors::METHODS;
use super::request_error::{PrepareError, RequestError};
use super::request_line::{OutcomeLabel, RequestLine};
use super::schema::ExecutionOutput;
use crate::auth::Refusal;
use crate::telemetry::RequestId;

/// How a request ended.
pub(super) enum RequestOutcome {
    /// The gate refused the caller.
    Refused(Refusal),
    /// The request isn't a GraphQL request, or could not be executed.
    Failed(RequestError),
    /// The document or its variables aren't valid in the schema.
    Invalid(GraphQLError),
    /// The operation was executed; fields may have errors.
    Executed(ExecutionOutput),
}

impl From<PrepareError> for RequestOutcome {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Request(error) => Self::Failed(error),
            PrepareError::Invalid(error) => Self::Invalid(error),
        }
    }
}

/// The JSON of a response.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ResponseBody<'a> {
    Executed {
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        errors: &'a [ExecutionError<DefaultScalarValue>],
        data: &'a Value,
    },
    Errors {
        errors: ResponseErrors<'a>,
    },
}

/// The errors of a request that wasn't executed.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ResponseErrors<'a> {
    Invalid(&'a GraphQLError),
    One([ResponseError<'a>; 1]),
}

/// An error, with its members in the order that people read them.
#[derive(Serialize)]
pub(super) struct ResponseError<'a> {
    message: Cow<'a, str>,
    extensions: ErrorExtensions<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorExtensions<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'a str>,
    request_id: String,
}

impl RequestOutcome {
    /// The response's JSON.
    pub(super) fn body(&self, request: RequestId) -> ResponseBody<'_> {
        let one = |code, stage, message| {
            let extensions = ErrorExtensions { code, stage, request_id: request.to_string() };
            ResponseBody::Errors { errors: ResponseErrors::One([ResponseError { message, extensions }]) }
        };
        match self {
            Self::Executed(ExecutionOutput { data, errors }) => ResponseBody::Executed { errors, data },
            Self::Invalid(error) => ResponseBody::Errors { errors: ResponseErrors::Invalid(error) },
            Self::Refused(refusal) => one(refusal.code(), Some(refusal.stage().as_str()), refusal.message()),
            Self::Failed(error) => one(error.status_and_code().1, None, error.to_string().into()),
        }
    }

    /// What the log calls it.
    pub(super) fn label(&self) -> OutcomeLabel<'_> {
        match self {
            Self::Refused(refusal) => {
                OutcomeLabel { stage: Some(refusal.stage().as_str()), ..OutcomeLabel::of(refusal.code()) }
            }
            Self::Failed(error) => {
                let (status, code) = error.status_and_code();
                OutcomeLabel { has_failed: status.is_server_error(), ..OutcomeLabel::of(code) }
            }
            Self::Invalid(_) => OutcomeLabel::of("INVALID"),
            Self::Executed(output) if output.errors.is_empty() => OutcomeLabel::of("ok"),
            Self::Executed(output) => OutcomeLabel::of(output.code().unwrap_or("errors")),
        }
    }
}

/// The media types of GraphQL over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/graphql-response+json`: an invalid operation gets 400.
    GraphqlResponse,
    /// `application/json`: an invalid operation gets 200, as older clients expect.
    Json,
}

impl MediaType {
    /// The best type that `Accept` allows; JSON without that header. `None` when it allows neither.
    pub(super) fn negotiate(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key(ACCEPT) {
            return Some(Self::Json);
        }
        let mut best: Option<(f32, Self)> = None;
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for range in values.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let media = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/graphql-response+json" => Self::GraphqlResponse,
                "application/json" | "application/*" | "*/*" => Self::Json,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            // The first of equals wins.
            if weight > 0.0 && best.is_none_or(|(highest, _)| weight > highest) {
                best = Some((weight, media));
            }
        }
        best.map(|(_, media)| media)
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }
}

/// Headers of a response that is data, never a page.
static DATA_HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
    let mut headers = HeaderMap::with_capacity(12);
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (VARY, "Accept, Authorization, Origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
});

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers of a response of the endpoint. A clone has no room for more, so those that differ are replaced.
static ENDPOINT_HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
    let mut headers = DATA_HEADERS.clone();
    headers.insert(CONTENT_TYPE, MediaType::Json.content_type());
    headers.insert(REQUEST_ID, HeaderValue::from_static(""));
    headers
});

/// A response outside GraphQL: data, and no page.
pub(super) fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = warp::reply::json(body).into_response();
    *response.status_mut() = status;
    response.headers_mut().extend(DATA_HEADERS.clone());
    response
}

/// Renders the response to one HTTP request.
pub(super) struct Responder {
    pub(super) line: RequestLine,
    /// `None` when the client accepts neither media type.
    pub(super) media: Option<MediaType>,
    /// The limit of the body, in bytes.
    pub(super) max_bytes: usize,
}

impl Responder {
    /// Renders and logs the outcome. The only place that makes responses of the endpoint.
    pub(super) fn render(mut self, mut outcome: RequestOutcome) -> Response {
        let RequestLine { door, request, .. } = self.line;
        let body = match &outcome {
            RequestOutcome::Executed(output) if output.errors.is_empty() => {
                bounded_data(&output.data, self.max_bytes)
            }
            _ => bounded_json(&outcome.body(request), self.max_bytes),
        };
        let body = body.unwrap_or_else(|| {
            outcome = RequestOutcome::Failed(RequestError::ResponseTooLarge(self.max_bytes));
            // The error is short, however low the limit.
            bounded_json(&outcome.body(request), usize::MAX).unwrap_or_default()
        });
        self.line.end(&outcome.label());
        let mut response = Response::new(Bytes::from(body).into());
        *response.status_mut() = self.status(&outcome);
        let headers = response.headers_mut();
        headers.clone_from(&ENDPOINT_HEADERS);
        if let Some(MediaType::GraphqlResponse) = self.media {
            headers.insert(CONTENT_TYPE, MediaType::GraphqlResponse.content_type());
        }
        if let Ok(id) = HeaderValue::try_from(request.to_string()) {
            headers.insert(REQUEST_ID, id);
        }
        match &outcome {
            RequestOutcome::Refused(refusal) => {
                let challenge = refusal.challenge(door).and_then(|text| HeaderValue::try_from(text).ok());
                headers.extend(challenge.map(|challenge| (WWW_AUTHENTICATE, challenge)));
                headers.extend(refusal.retry_seconds().map(|seconds| (RETRY_AFTER, seconds.into())));
            }
            RequestOutcome::Failed(RequestError::Method) => {
                headers.insert(ALLOW, HeaderValue::from_static(METHODS));
            }
            RequestOutcome::Failed(RequestError::MutationByGet) => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"));
            }
            _ => {}
        }
        response
    }

    fn status(&self, outcome: &RequestOutcome) -> StatusCode {
        match outcome {
            RequestOutcome::Refused(refusal) => {
                StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            RequestOutcome::Failed(error) => error.status_and_code().0,
            RequestOutcome::Invalid(_) if self.media == Some(MediaType::GraphqlResponse) => {
                StatusCode::BAD_REQUEST
            }
            RequestOutcome::Invalid(_) | RequestOutcome::Executed(_) => StatusCode::OK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_with_the_highest_weight_wins() {
        let of = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
            MediaType::negotiate(&headers)
        };
        assert_eq!(MediaType::negotiate(&HeaderMap::new()), Some(MediaType::Json));
        for (accept, media) in [
            ("*/*", Some(MediaType::Json)),
            ("application/json", Some(MediaType::Json)),
            ("application/graphql-response+json", Some(MediaType::GraphqlResponse)),
            ("application/graphql-response+json, application/json;q=0.9", Some(MediaType::GraphqlResponse)),
            (
                "application/json;q=0.5, application/graphql-response+json; charset=utf-8; q=0.6",
                Some(MediaType::GraphqlResponse),
            ),
            ("application/json, application/graphql-response+json", Some(MediaType::Json)),
            ("text/html", None),
            ("application/json;q=0", None),
        ] {
            assert_eq!(of(accept), media, "{accept}");
        }
    }
}
