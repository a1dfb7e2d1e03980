//! What the fuzz target for refusals reaches into. Only `cargo fuzz` uses this; tests build it too, so that
//! it does not fall behind.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use warp::http::HeaderMap;
use warp::hyper::body::Body;

use super::outcome::Outcome;
use super::reply::{Media, Reply};
use crate::auth::Refusal;
use crate::telemetry::RequestId;

/// Renders a refusal as the doors do: its status, its headers and its body.
pub fn render_refusal(refusal: Refusal, request_headers: &HeaderMap) -> (u16, HeaderMap, Vec<u8>) {
    let media = Media::of(request_headers);
    let reply = Reply { door: "public", request: RequestId::fresh(), media, most: 1024 * 1024 };
    let (parts, body) = reply.render(Outcome::Refused(refusal)).into_parts();
    let (mut body, mut bytes) = (pin!(body), Vec::new());
    // A body made of text is all there at once.
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop()))
    {
        bytes.extend(frame.into_data().unwrap_or_default());
    }
    (parts.status.as_u16(), parts.headers, bytes)
}
