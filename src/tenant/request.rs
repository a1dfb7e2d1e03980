//! A request that was read whole.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use warp::host::Authority;
use warp::http::{HeaderMap, Method, header};

/// A request with its whole body.
#[derive(Debug, Clone)]
pub(super) struct HttpRequest {
    pub(super) method: Method,
    /// Percent-encoded, as sent.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) host: Option<Authority>,
    pub(super) remote: Option<SocketAddr>,
}

impl HttpRequest {
    /// A header's text; `None` when it is absent or not ASCII.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of the `Authorization: Bearer` header; `None` when the request has two such headers.
    pub(super) fn bearer(&self) -> Option<&str> {
        let mut all = self.headers.get_all(header::AUTHORIZATION).iter();
        let (Some(only), None) = (all.next(), all.next()) else { return None };
        let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// A cookie's value, if it is not empty.
    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        let lines = self.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.find(|(found, _)| *found == name)?;
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Whether the request has no `Origin` (it does not come from a browser's form) or the tenant's own.
    pub(super) fn is_same_origin(&self) -> bool {
        let Some(origin) = self.headers.get(header::ORIGIN) else { return true };
        let origin = origin.to_str().unwrap_or_default();
        let origin_host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        let (Some(origin_host), Some(host)) = (origin_host, &self.host) else { return false };
        origin_host.eq_ignore_ascii_case(host.as_str())
    }

    /// The client's address, as rules see it.
    pub(super) fn ip(&self) -> String {
        self.remote.map_or_else(|| "127.0.0.1".to_owned(), |remote| remote.ip().to_string())
    }
}

/// Whether a host's name is `localhost` or a loopback address, perhaps in brackets.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
