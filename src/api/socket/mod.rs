//! The WebSocket of a door: `GET /graphql`, upgraded, speaking `graphql-transport-ws`.
//!
//! Our own loop over juniper's execution: `juniper_graphql_ws` has no limit on the time before `connection_init`, and nothing in
//! it can end a connection whose token has ended.

mod drain;
mod message;
mod running;
mod session;

use std::sync::Arc;

use tokio::sync::Semaphore;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::header::SEC_WEBSOCKET_PROTOCOL;
use warp::http::{HeaderMap, HeaderValue};
use warp::reply::{Reply, Response};
use warp::ws::Ws;

use super::endpoint::Door;
use super::outcome::{Outcome, Problem};
pub use drain::WebSockets;
use message::PROTOCOL;

/// What may wait to be written to a client that does not read; a connection that passes it is cut.
const UNWRITTEN_MAX: usize = 1024 * 1024;

/// The upgrade. What is none is for the next branch.
pub(super) fn route(door: &Arc<Door>) -> BoxedFilter<(Response,)> {
    let door = Arc::clone(door);
    let places = Arc::new(Semaphore::new(door.socket.connections));
    warp::ws()
        .and(warp::header::headers_cloned())
        .map(move |ws: Ws, headers: HeaderMap| {
            upgrade(&door, &places, ws, &headers)
                .unwrap_or_else(|problem| door.reply(&headers).render(Outcome::Problem(problem)))
        })
        .boxed()
}

fn upgrade(
    door: &Arc<Door>,
    places: &Arc<Semaphore>,
    ws: Ws,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let spoken = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    if !spoken.flat_map(|value| value.split(',')).any(|protocol| protocol.trim() == PROTOCOL) {
        return Err(Problem::Protocol);
    }
    // Browsers ask nobody before they open one, so this is ours to judge.
    if !door.origins.may_connect(headers) {
        return Err(Problem::Origin);
    }
    let place = Arc::clone(places).try_acquire_owned().map_err(|_| Problem::Sockets)?;
    let (door, told) = (Arc::clone(door), door.services.sockets.told());
    // Twice the limit, so that a message just over it is told why; a longer one is cut off while it comes.
    let longest = door.socket.message.saturating_mul(2);
    let mut response = ws
        .max_message_size(longest)
        .max_frame_size(longest)
        .max_write_buffer_size(UNWRITTEN_MAX.saturating_add(door.limits.response))
        .on_upgrade(move |socket| async move {
            session::serve(door, socket, told).await;
            drop(place);
        })
        .into_response();
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    Ok(response)
}
