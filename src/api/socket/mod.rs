//! The WebSocket of a door: `GET /graphql`, upgraded, with the subprotocol `graphql-transport-ws`.
//!
//! Our own loop over juniper's execution, because `juniper_graphql_ws` has no time limit before `connection_init`, and can't close
//! a connection when its token expires.

mod shutdown;
mod message;
mod operation;
mod connection;

use std::sync::Arc;

use tokio::sync::Semaphore;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::header::SEC_WEBSOCKET_PROTOCOL;
use warp::http::{HeaderMap, HeaderValue};
use warp::reply::{Reply, Response};
use warp::ws::Ws;

use super::door::Door;
use super::request_error::RequestError;
use super::response::RequestOutcome;
use super::shares::Shares;
use crate::auth::{Presented, Refusal, bearer, headers_and_query};
use crate::user::UserId;
use message::PROTOCOL;
pub use shutdown::WebSockets;

/// Bytes that may wait to be written to a slow client, beyond one response.
const WRITE_BUFFER: usize = 1024 * 1024;

/// The upgrade. Rejects requests without one, for the next branch.
pub(super) fn route(door: &Arc<Door>) -> BoxedFilter<(Response,)> {
    let door = Arc::clone(door);
    let places = Arc::new(Places {
        all: Arc::new(Semaphore::new(door.socket.connections)),
        uninitialized: Arc::new(Semaphore::new(door.socket.connections.div_ceil(10))),
        callers: Shares::new(door.socket.per_caller),
    });
    warp::ws()
        .and(headers_and_query())
        .map(move |ws: Ws, headers: HeaderMap, query: String| {
            upgrade(&door, &places, ws, &headers, &query)
                .unwrap_or_else(|outcome| door.reject(&headers, outcome))
        })
        .boxed()
}

/// The places for the connections of a door.
struct Places {
    all: Arc<Semaphore>,
    /// Connections without an accepted `connection_init`, which anyone can open.
    uninitialized: Arc<Semaphore>,
    callers: Shares<SocketCaller>,
}

/// A user or a machine that holds connections. Nothing distinguishes anonymous callers: they have only the door's limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum SocketCaller {
    User(UserId),
    Machine(Arc<str>),
}

fn upgrade(
    door: &Arc<Door>,
    places: &Places,
    ws: Ws,
    headers: &HeaderMap,
    query: &str,
) -> Result<Response, RequestOutcome> {
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    if !offered.flat_map(|value| value.split(',')).any(|protocol| protocol.trim() == PROTOCOL) {
        return Err(RequestOutcome::Failed(RequestError::Subprotocol));
    }
    // CORS doesn't cover WebSockets, so the server checks the origin.
    if !door.check_origin(headers) {
        return Err(RequestOutcome::Failed(RequestError::Origin));
    }
    // A credential that is not read must not make its sender anonymous.
    let refused = match bearer(headers, query) {
        Ok(Presented::Nothing(_)) => None,
        Ok(Presented::Token(_)) => Some(Refusal::MalformedRequest(
            "Send the token in connection_init: {\"Authorization\": \"Bearer …\"}, not with the upgrade.",
        )),
        Err(refusal) => Some(refusal),
    };
    if let Some(refusal) = refused {
        door.services.refusals.count(door.name, refusal.code());
        return Err(RequestOutcome::Refused(refusal));
    }
    let take = |places: &Arc<Semaphore>| {
        let place = Arc::clone(places).try_acquire_owned();
        place.map_err(|_| RequestOutcome::Failed(RequestError::TooManySockets))
    };
    let (place, uninitialized) = (take(&places.all)?, take(&places.uninitialized)?);
    let callers = places.callers.clone();
    let (door, shutdown) = (Arc::clone(door), door.services.sockets.subscribe());
    // Twice the limit, so that a message slightly over it gets a close code; a longer one is cut off while it arrives.
    let max_message = door.socket.message.saturating_mul(2);
    let mut response = ws
        .max_message_size(max_message)
        .max_frame_size(max_message)
        .max_write_buffer_size(WRITE_BUFFER.saturating_add(door.live().limits.response))
        .on_upgrade(move |socket| async move {
            connection::serve(door, socket, shutdown, uninitialized, callers).await;
            drop(place);
        })
        .into_response();
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    Ok(response)
}
