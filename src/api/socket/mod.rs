//! The WebSocket of a door: `GET /graphql`, upgraded, with the subprotocol `graphql-transport-ws`.
//!
//! Our own loop over juniper's execution, because `juniper_graphql_ws` has no time limit before `connection_init`, and can't
//! close a connection when its token expires.

mod shutdown;
mod message;
mod operation;
mod connection;

use std::future::ready;
use std::sync::Arc;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use warp::filters::BoxedFilter;
use warp::http::header::{CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use warp::http::{HeaderMap, HeaderValue, StatusCode};
use warp::reply::{Reply, Response, with_header};
use warp::{Filter, reject};

use super::door::Door;
use super::request_error::RequestError;
use super::response::RequestOutcome;
use super::shares::Shares;
use crate::auth::{Presented, Refusal, bearer, headers_and_query};
use crate::user::UserId;
use connection::WebSocket;
use message::PROTOCOL;
pub use shutdown::WebSockets;

/// Bytes that are read at a time. Each connection has a buffer of this size; larger messages get a larger one.
const READ_BUFFER: usize = 4 * 1024;

/// Bytes that may wait to be written to a slow client, beyond one response.
const WRITE_BUFFER: usize = 1024 * 1024;

/// The upgrade (RFC 6455 §4.2), without `warp::ws`, whose connections have 128 KiB of buffer each. Rejects requests without an
/// upgrade, for the next branch.
pub(super) fn route(door: &Arc<Door>) -> BoxedFilter<(Response,)> {
    let door = Arc::clone(door);
    let places = Arc::new(Places {
        all: Arc::new(Semaphore::new(door.socket.connections)),
        uninitialized: Arc::new(Semaphore::new(door.socket.connections.div_ceil(10))),
        callers: Shares::new(door.socket.per_caller),
    });
    warp::get()
        .and(warp::header::exact_ignore_case("upgrade", "websocket"))
        .and(warp::header::exact("sec-websocket-version", "13"))
        .and(warp::header::value("sec-websocket-key"))
        .and(warp::ext::get::<OnUpgrade>())
        .and(headers_and_query())
        .and_then(move |key: HeaderValue, connection: OnUpgrade, headers: HeaderMap, query: String| {
            let is_upgrade =
                listed(&headers, CONNECTION).any(|option| option.eq_ignore_ascii_case("upgrade"));
            let response = is_upgrade.then(|| {
                upgrade(&door, &places, connection, &key, &headers, &query)
                    .unwrap_or_else(|outcome| door.reject(&headers, outcome))
            });
            ready(response.ok_or_else(reject::not_found))
        })
        .boxed()
}

/// The members of a header that is a list.
fn listed(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lists = headers.get_all(name).into_iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim)
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
    connection: OnUpgrade,
    key: &HeaderValue,
    headers: &HeaderMap,
    query: &str,
) -> Result<Response, RequestOutcome> {
    if !listed(headers, SEC_WEBSOCKET_PROTOCOL).any(|protocol| protocol == PROTOCOL) {
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
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message))
        .max_write_buffer_size(WRITE_BUFFER.saturating_add(door.live().limits.response));
    tokio::spawn(async move {
        match connection.await {
            Ok(upgraded) => {
                let upgraded = TokioIo::new(upgraded);
                let socket = WebSocket::from_raw_socket(upgraded, Role::Server, Some(config)).await;
                connection::serve(door, socket, shutdown, uninitialized, callers).await;
            }
            Err(error) => {
                tracing::debug!(door = door.name, %error, "a connection did not become a WebSocket")
            }
        }
        drop(place);
    });
    let response = with_header(StatusCode::SWITCHING_PROTOCOLS, CONNECTION, "upgrade");
    let response = with_header(response, UPGRADE, "websocket");
    let response = with_header(response, SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()));
    Ok(with_header(response, SEC_WEBSOCKET_PROTOCOL, PROTOCOL).into_response())
}
