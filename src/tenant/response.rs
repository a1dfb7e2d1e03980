//! A response under construction. Sets the headers that every response needs.

use serde_json::{Map, Value};
use warp::http::header::{HeaderMap, HeaderName, HeaderValue};
use warp::http::{Response, StatusCode};

/// A response, and the client or user it was for.
#[derive(Debug)]
pub(super) struct HttpResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// The id of a client or user, for the recorded exchanges.
    pub(super) actor: Option<String>,
}

impl HttpResponse {
    /// An empty response. An invalid status becomes 500.
    pub(super) fn new(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let response = Self { status, headers: HeaderMap::new(), body: String::new(), actor: None };
        response.header("cache-control", "no-store").header("x-content-type-options", "nosniff")
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::new(status).header("content-type", "application/json; charset=utf-8").body(body.to_string())
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self::new(status).header("content-type", "text/plain; charset=utf-8").body(body.to_owned())
    }

    pub(super) fn redirect(to: &str) -> Self {
        Self::new(302).header("location", to)
    }

    /// Sets a header. A value that is not valid in a header is left out.
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    pub(super) fn body(self, body: String) -> Self {
        Self { body, ..self }
    }

    pub(super) fn with_actor(self, actor: impl Into<String>) -> Self {
        Self { actor: Some(actor.into()), ..self }
    }

    pub(super) fn into_response(self) -> Response<String> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// The members of an object; none of another value.
pub(super) fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(members) = value { members } else { Map::new() }
}
