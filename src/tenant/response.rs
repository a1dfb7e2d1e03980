//! A response under construction. Sets the headers that every response needs.

use serde_json::{Map, Value};
use std::convert::Infallible;
use std::pin::Pin;
use warp::http::header::{HeaderMap, HeaderName, HeaderValue};

use futures_util::Stream;
use warp::Reply;
use warp::http::StatusCode;
use warp::reply::Response;
use warp::sse::Event;

/// A response, and the client or user it was for.
#[derive(Debug)]
pub(super) struct HttpResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// The id of a client or user, for the recorded exchanges.
    pub(super) actor: Option<String>,
    /// A stream in the place of the body.
    events: Option<Events>,
}

struct Events(Pin<Box<dyn Stream<Item = Result<Event, Infallible>> + Send + Sync>>);

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl HttpResponse {
    /// An empty response. An invalid status becomes 500.
    pub(super) fn new(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let response =
            Self { status, headers: HeaderMap::new(), body: String::new(), actor: None, events: None };
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

    /// Answers with server-sent events.
    pub(super) fn events(
        self,
        events: impl Stream<Item = Result<Event, Infallible>> + Send + Sync + 'static,
    ) -> Self {
        Self { events: Some(Events(Box::pin(events))), ..self }
            .header("content-type", "text/event-stream")
            .header("cache-control", "no-cache")
    }

    pub(super) fn into_response(self) -> Response {
        let mut response = match self.events {
            Some(events) => warp::sse::reply(warp::sse::keep_alive().stream(events.0)).into_response(),
            None => Response::new(self.body.into()),
        };
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// The members of an object; none of another value.
pub(super) fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(members) = value { members } else { Map::new() }
}

/// The members of an object but those that are null.
pub(super) fn without_null(members: Value) -> Map<String, Value> {
    let mut members = object(members);
    members.retain(|_, value| !value.is_null());
    members
}
