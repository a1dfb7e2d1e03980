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
use message::PROTOCOL;
pub use shutdown::WebSockets;

/// Bytes that may wait to be written to a slow client, beyond one response.
const WRITE_BUFFER: usize = 1024 * 1024;

/// The upgrade. Rejects requests without one, for the next branch.
pub(super) fn route(door: &Arc<Door>) -> BoxedFilter<(Response,)> {
    let door = Arc::clone(door);
    let permits = Arc::new(Semaphore::new(door.socket.connections));
    warp::ws()
        .and(warp::header::headers_cloned())
        .map(move |ws: Ws, headers: HeaderMap| {
            upgrade(&door, &permits, ws, &headers)
                .unwrap_or_else(|error| door.responder(&headers).render(RequestOutcome::Failed(error)))
        })
        .boxed()
}

fn upgrade(
    door: &Arc<Door>,
    permits: &Arc<Semaphore>,
    ws: Ws,
    headers: &HeaderMap,
) -> Result<Response, RequestError> {
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    if !offered.flat_map(|value| value.split(',')).any(|protocol| protocol.trim() == PROTOCOL) {
        return Err(RequestError::Subprotocol);
    }
    // CORS doesn't cover WebSockets, so the server checks the origin.
    if !door.origins.may_connect(headers) {
        return Err(RequestError::Origin);
    }
    let permit = Arc::clone(permits).try_acquire_owned().map_err(|_| RequestError::TooManySockets)?;
    let (door, shutdown) = (Arc::clone(door), door.services.sockets.subscribe());
    // Twice the limit, so that a message slightly over it gets a close code; a longer one is cut off while it arrives.
    let max_message = door.socket.message.saturating_mul(2);
    let mut response = ws
        .max_message_size(max_message)
        .max_frame_size(max_message)
        .max_write_buffer_size(WRITE_BUFFER.saturating_add(door.limits.response))
        .on_upgrade(move |socket| async move {
            connection::serve(door, socket, shutdown).await;
            drop(permit);
        })
        .into_response();
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    Ok(response)
}
