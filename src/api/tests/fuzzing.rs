//! The entry point of the fuzz target for refusals. Tests compile it too, so that it stays up to date.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use warp::http::HeaderMap;
use warp::hyper::body::Body;

use super::request_line::RequestLine;
use super::response::{MediaType, RequestOutcome, Responder};
use crate::auth::Refusal;
use crate::clock::Clock;
use crate::telemetry::RequestId;

/// Renders a refusal as the doors do: status, headers and body.
pub fn render_refusal(refusal: Refusal, request_headers: &HeaderMap) -> (u16, HeaderMap, Vec<u8>) {
    let media = MediaType::negotiate(request_headers);
    let line =
        RequestLine::new("public", RequestId::fresh(), &Arc::default(), &Clock::system(), Duration::ZERO);
    let responder = Responder { line, media, max_bytes: 1024 * 1024 };
    let (parts, body) = responder.render(RequestOutcome::Refused(refusal)).into_parts();
    let (mut body, mut bytes) = (pin!(body), Vec::new());
    // A body in memory is ready at once.
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop()))
    {
        bytes.extend(frame.into_data().unwrap_or_default());
    }
    (parts.status.as_u16(), parts.headers, bytes)
}
