//! An answer before it becomes a response, so that what every answer needs is added in one place.

use warp::http::header::{HeaderMap, HeaderName, HeaderValue};
use warp::http::{Response, StatusCode};

/// A response, and who it was for.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// A client's or a person's id, for the exchanges.
    pub(super) actor: Option<String>,
}

impl Answer {
    /// Of a status code that is one; anything else is 500.
    pub(super) fn new(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let answer = Self { status, headers: HeaderMap::new(), body: String::new(), actor: None };
        answer.header("cache-control", "no-store").header("x-content-type-options", "nosniff")
    }

    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status).header("content-type", "application/json; charset=utf-8").body(body.to_string())
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self::new(status).header("content-type", "text/plain; charset=utf-8").body(body.to_owned())
    }

    pub(super) fn redirect(to: &str) -> Self {
        Self::new(302).header("location", to)
    }

    /// Sets a header. A value that no header can carry is left out.
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    pub(super) fn body(mut self, body: String) -> Self {
        self.body = body;
        self
    }

    pub(super) fn with_actor(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    pub(super) fn into_response(self) -> Response<String> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
