//! From the wire to a handler and back: the host check, bounded bodies, routing, CORS, and the note of it all.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use warp::Filter;
use warp::host::Authority;
use warp::http::{HeaderMap, Method, Response, header};

use super::answer::Answer;
use super::exchanges::{Direction, HttpExchange};
use super::login::Visitor;
use super::refusal::Refusal;
use super::{Inner, authorize, clients, discovery, login_page, management, signup, token, userinfo};

/// The longest body, in bytes. Auth0's own requests are far shorter.
const MAX_BODY: usize = 64 * 1024;

/// A request that was read whole.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Percent-encoded, as it was sent.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    host: Option<Authority>,
    remote: Option<SocketAddr>,
}

impl Request {
    /// A header's text; `None` when it is absent or not ASCII.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of the one `Authorization: Bearer` header.
    pub(super) fn bearer(&self) -> Option<&str> {
        let mut all = self.headers.get_all(header::AUTHORIZATION).iter();
        let (Some(only), None) = (all.next(), all.next()) else { return None };
        let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// A cookie's value.
    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        let lines = self.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value.to_owned())
            .filter(|value| !value.is_empty())
    }

    /// Whether a browser says that the request comes from the tenant's own page. Who is no browser says nothing.
    pub(super) fn is_same_origin(&self) -> bool {
        match (self.headers.get(header::ORIGIN), &self.host) {
            (None, _) => true,
            (Some(origin), Some(host)) => {
                let origin = origin.to_str().unwrap_or_default();
                let of_origin = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
                of_origin.is_some_and(|of_origin| of_origin.eq_ignore_ascii_case(host.as_str()))
            }
            (Some(_), None) => false,
        }
    }

    pub(super) fn visitor(&self) -> Visitor {
        Visitor {
            ip: self.remote.map_or_else(|| "127.0.0.1".to_owned(), |remote| remote.ip().to_string()),
            user_agent: self.header("user-agent").unwrap_or_default().to_owned(),
        }
    }
}

/// The whole tenant as a filter that answers every request.
pub(super) fn filter(
    tenant: Arc<Inner>,
    body_time: Duration,
) -> impl Filter<Extract = (Response<String>,), Error = Infallible> + Clone + Send + Sync + 'static {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::host::optional())
        .and(warp::filters::addr::remote())
        .and(warp::body::stream())
        .then(move |method, path: warp::path::FullPath, query, headers, host, remote, body| {
            let tenant = Arc::clone(&tenant);
            async move {
                let body = if matches!(method, Method::POST | Method::PATCH) {
                    match tokio::time::timeout(body_time, read(body)).await {
                        Ok(read) => read,
                        Err(_) => {
                            Err(Refusal::new(408, "invalid_request", "The body took too long to arrive"))
                        }
                    }
                } else {
                    Ok(Bytes::new())
                };
                let path = path.as_str().to_owned();
                let (body, refused) = match body {
                    Ok(body) => (body, None),
                    Err(refusal) => (Bytes::new(), Some(refusal.answer())),
                };
                let request = Request { method, path, query, headers, body, host, remote };
                serve(&tenant, &request, refused).await
            }
        })
        // The one rejection left is a Host header that can not be read.
        .recover(|_rejection| async { Ok::<_, Infallible>(misdirected().into_response()) })
        .unify()
}

async fn serve(tenant: &Arc<Inner>, request: &Request, refused: Option<Answer>) -> Response<String> {
    let answer = if !is_loopback(request.host.as_ref()) {
        misdirected()
    } else if let Some(refused) = refused {
        refused
    } else {
        Box::pin(route(tenant, request)).await
    };
    let answer = cors(tenant, request, answer);
    tenant.exchanges.note(HttpExchange {
        direction: Direction::In,
        method: request.method.to_string(),
        path: request.path.clone(),
        status: Some(answer.status.as_u16()),
        actor: answer.actor.clone(),
    });
    answer.into_response()
}

async fn route(tenant: &Arc<Inner>, request: &Request) -> Answer {
    let method = request.method.as_str();
    if let Some(path) = request.path.strip_prefix("/api/v2/") {
        return management::answer(tenant, request, path).await;
    }
    match (method, request.path.as_str()) {
        ("OPTIONS", path) if has_cors(path) => Answer::new(204),
        ("GET", "/.well-known/openid-configuration") => public(&discovery::document(&tenant.issuer)),
        ("GET", "/.well-known/jwks.json") => public(&tenant.key.jwks()),
        ("POST", "/oauth/token") => token::token(tenant, request).await,
        ("GET" | "POST", "/authorize") => authorize::authorize(tenant, request).await,
        ("GET", "/u/login") => login_page::show(tenant, request),
        ("POST", "/u/login") => login_page::submit(tenant, request).await,
        ("GET", "/v2/logout") => authorize::logout(tenant, request).await,
        ("GET" | "POST", "/userinfo") => userinfo::userinfo(tenant, request),
        ("POST", "/dbconnections/signup") => signup::signup(tenant, request).await,
        ("GET", "/") => {
            Answer::text(200, "A Vestibule dev tenant. Start at /.well-known/openid-configuration.\n")
        }
        (_, path) => match allowed(path) {
            Some(methods) => Answer::text(405, "Method Not Allowed").header("allow", methods),
            None => Answer::text(404, "Not Found"),
        },
    }
}

/// The methods of the paths above, for a 405.
fn allowed(path: &str) -> Option<&'static str> {
    Some(match path {
        "/" | "/v2/logout" | "/.well-known/openid-configuration" | "/.well-known/jwks.json" => "GET",
        "/oauth/token" | "/dbconnections/signup" => "POST",
        "/authorize" | "/u/login" | "/userinfo" => "GET, POST",
        _ => return None,
    })
}

fn public(body: &serde_json::Value) -> Answer {
    Answer::json(200, body).header("cache-control", "public, max-age=15")
}

/// Whatever resolves to this machine must not be talked to under another name (DNS rebinding).
fn is_loopback(host: Option<&Authority>) -> bool {
    host.is_some_and(|host| {
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

fn misdirected() -> Answer {
    Answer::text(421, "The dev tenant answers to loopback names only, such as 127.0.0.1 and localhost.")
}

fn has_cors(path: &str) -> bool {
    matches!(path, "/oauth/token" | "/userinfo" | "/dbconnections/signup")
        || path.starts_with("/.well-known/")
}

/// Lets the applications' own origins read the answer. Credentials stay off: nothing here goes by cookie.
fn cors(tenant: &Inner, request: &Request, answer: Answer) -> Answer {
    if !has_cors(&request.path) {
        return answer;
    }
    let answer = answer.header("vary", "Origin");
    let Some(origin) = request.header("origin") else { return answer };
    if !tenant.bundle.clients.iter().any(|client| clients::is_origin(client, origin)) {
        return answer;
    }
    answer
        .header("access-control-allow-origin", origin)
        .header("access-control-allow-methods", "GET, POST")
        .header("access-control-allow-headers", "authorization, content-type, auth0-client")
        .header("access-control-max-age", "600")
}

async fn read(body: impl Stream<Item = Result<impl Buf, warp::Error>>) -> Result<Bytes, Refusal> {
    let mut body = pin!(body);
    let mut read = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let mut chunk = chunk.map_err(|_| Refusal::invalid_request("The body ended early"))?;
        if read.len().saturating_add(chunk.remaining()) > MAX_BODY {
            return Err(Refusal::new(413, "invalid_request", "The body is over 64 KiB"));
        }
        read.extend_from_slice(&chunk.copy_to_bytes(chunk.remaining()));
    }
    Ok(read.freeze())
}
