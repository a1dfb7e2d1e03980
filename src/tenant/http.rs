//! The HTTP server: checks the host, reads the body within limits, routes, adds CORS headers, records the exchange.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use warp::Filter;
use warp::http::Method;
use warp::path::FullPath;
use warp::reply::Response;

use super::exchanges::{Direction, HttpExchange};
use super::oauth_error::OAuthError;
use super::request::{HttpRequest, is_loopback};
use super::response::HttpResponse;
use super::{Inner, authentication, clients, faults, management};

/// The longest body, in bytes. Auth0's own requests are far shorter.
const MAX_BODY: usize = 64 * 1024;
/// The longest body of the Management API: a file of users.
const MAX_MANAGEMENT_BODY: usize = 1024 * 1024;

/// See [`Tenant::filter`](super::Tenant::filter).
pub(super) fn filter(
    current: Arc<ArcSwap<Inner>>,
    body_timeout: Duration,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::host::optional())
        .and(warp::filters::addr::remote())
        .and(warp::body::stream())
        .then(move |method: Method, path: FullPath, query, headers, host, remote, body| {
            let tenant = current.load_full();
            async move {
                let is_management = path.as_str().starts_with("/api/v2/");
                let max = if is_management { MAX_MANAGEMENT_BODY } else { MAX_BODY };
                let body = if matches!(method, Method::POST | Method::PATCH | Method::PUT | Method::DELETE) {
                    let too_slow =
                        OAuthError::new(408, "invalid_request", "The body took too long to arrive");
                    tokio::time::timeout(body_timeout, read(body, max)).await.unwrap_or(Err(too_slow))
                } else {
                    Ok(Bytes::new())
                };
                let refused = body.as_ref().err().map(OAuthError::response);
                let (path, body) = (path.as_str().to_owned(), body.unwrap_or_default());
                let request = HttpRequest { method, path, query, headers, body, host, remote };
                serve(&tenant, &request, refused).await
            }
        })
        // The only rejection left is an unreadable Host header.
        .recover(|_rejection| async { Ok::<_, Infallible>(misdirected().into_response()) })
        .unify()
}

async fn serve(tenant: &Arc<Inner>, request: &HttpRequest, refused: Option<HttpResponse>) -> Response {
    // Other names that resolve to this machine are refused (DNS rebinding).
    let response = if !request.host.as_ref().is_some_and(|host| is_loopback(host.host())) {
        misdirected()
    } else if let Some(refused) = refused {
        refused
    } else {
        let route = Box::pin(route(tenant, request));
        match tenant.faults.take(request) {
            None => route.await,
            Some(fault) => fault.respond(tenant, request, route).await,
        }
    };
    authentication::deliver(tenant);
    let response = with_cors(tenant, request, response);
    tenant.exchanges.record(HttpExchange {
        direction: Direction::In,
        method: request.method.to_string(),
        path: request.path.clone(),
        status: Some(response.status.as_u16()),
        actor: response.actor.clone(),
    });
    response.into_response()
}

async fn route(tenant: &Arc<Inner>, request: &HttpRequest) -> HttpResponse {
    match request.path.strip_prefix("/api/v2/") {
        Some(path) => management::serve(tenant, request, path).await,
        None => match faults::serve(tenant, request).await {
            Some(response) => response,
            None => authentication::serve(tenant, request).await,
        },
    }
}

fn misdirected() -> HttpResponse {
    HttpResponse::text(421, "The dev tenant serves loopback names only, such as 127.0.0.1 and localhost.")
}

/// Lets the applications' own origins read the response. Without credentials: these paths use no cookie.
fn with_cors(tenant: &Inner, request: &HttpRequest, response: HttpResponse) -> HttpResponse {
    if !authentication::allows_cors(&request.path) {
        return response;
    }
    if request.path.starts_with("/.well-known/") {
        return response.header("access-control-allow-origin", "*");
    }
    let response = response.header("vary", "Origin");
    let is_known =
        |origin: &&str| tenant.bundle.clients.iter().any(|client| clients::is_origin(client, origin));
    let Some(origin) = request.header("origin").filter(is_known) else { return response };
    // Any header, as at Auth0: SDKs send several of their own.
    let headers = request.header("access-control-request-headers").unwrap_or("authorization, content-type");
    response
        .header("access-control-allow-origin", origin)
        .header("access-control-allow-methods", "GET, POST")
        .header("access-control-allow-headers", headers)
        .header("access-control-max-age", "600")
}

async fn read(
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
    max: usize,
) -> Result<Bytes, OAuthError> {
    let mut body = pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let mut chunk = chunk.map_err(|_| OAuthError::invalid_request("The body ended early"))?;
        if bytes.len().saturating_add(chunk.remaining()) > max {
            let description = format!("The body is over {} KiB", max / 1024);
            return Err(OAuthError::new(413, "invalid_request", description));
        }
        bytes.extend_from_slice(&chunk.copy_to_bytes(chunk.remaining()));
    }
    Ok(bytes.freeze())
}
