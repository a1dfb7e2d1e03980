//! The origins whose pages may read a door's responses (CORS, in the Fetch standard) and open its WebSocket, for which
//! browsers send no preflight.
//!
//! Origins are parsed and compared exactly; only a loopback host may be listed with any port (`http://localhost:*`). There is
//! no `*` and no `Access-Control-Allow-Credentials`: the page's own code sends the token in a header.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use url::{Origin, Url};
use warp::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, HOST,
    ORIGIN, VARY,
};
use warp::http::{HeaderMap, HeaderValue, StatusCode};
use warp::reply::Response;

use super::settings::DoorSettings;

/// The headers that the door itself reads, apart from those that browsers always allow.
const REQUIRED_HEADERS: [&str; 2] = ["authorization", "content-type"];

/// The methods of the endpoint.
pub(super) const METHODS: &str = "GET, HEAD, POST, OPTIONS";

/// The allowed origins of a door, and the headers that their pages may send.
#[derive(Debug, Clone)]
pub(super) struct Origins {
    origins: Vec<Origin>,
    /// Hosts whose pages are allowed on any port, over http.
    any_port: Vec<String>,
    headers: HeaderValue,
    /// Refused origins that the log has named already.
    refused: Arc<Mutex<HashSet<String>>>,
}

/// How many refused origins the log names; a client can send as many as it likes.
const MAX_NAMED: usize = 100;

impl Origins {
    /// Parses origins. Skips invalid ones, and headers that are invalid, which the configuration refuses beforehand.
    pub(super) fn new(origins: &[String], headers: &[String]) -> Self {
        let any_port =
            origins.iter().filter_map(|text| DoorSettings::any_port_host(text)).map(str::to_owned).collect();
        let origins = origins.iter().filter_map(|text| parsed(text)).collect();
        let headers = REQUIRED_HEADERS.into_iter().chain(headers.iter().map(String::as_str));
        let headers = headers.collect::<Vec<_>>().join(", ").to_ascii_lowercase();
        let headers = HeaderValue::try_from(headers);
        let headers = headers.unwrap_or(HeaderValue::from_static("authorization, content-type"));
        Self { origins, any_port, headers, refused: Arc::default() }
    }

    /// The response to OPTIONS, without authentication, because browsers send preflights without a token.
    pub(super) fn preflight(&self, headers: &HeaderMap) -> Response {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        let response_headers = response.headers_mut();
        response_headers.insert(ALLOW, HeaderValue::from_static(METHODS));
        if self.allowed(headers).is_some() && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            response_headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
            response_headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
            // Ten minutes.
            response_headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
        self.allow(headers, response)
    }

    /// Adds the headers that let a page of an allowed origin read the response.
    pub(super) fn allow(&self, headers: &HeaderMap, mut response: Response) -> Response {
        let response_headers = response.headers_mut();
        if !response_headers.contains_key(VARY) {
            response_headers.insert(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = self.allowed(headers) {
            response_headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response_headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("x-request-id, retry-after, www-authenticate"),
            );
        }
        response
    }

    /// Whether the door may answer a page: the request isn't from a page (no `Origin`), or the page has the door's own host or
    /// an allowed origin. A WebSocket opens only then; over HTTP the browser keeps the response from the page.
    pub(super) fn may_connect(&self, headers: &HeaderMap) -> bool {
        let Some(sent) = headers.get(ORIGIN) else { return true };
        let own = || {
            // Ignores the scheme, which is unknown behind a proxy that terminates TLS.
            let host = headers.get(HOST)?.to_str().ok()?;
            let (_, authority) = sent.to_str().ok()?.split_once("://")?;
            Some(authority.eq_ignore_ascii_case(host))
        };
        self.allowed(headers).is_some() || own().unwrap_or(false)
    }

    /// The origin of a page that may not read the door's responses, if the log has not named it yet.
    pub(super) fn newly_refused(&self, headers: &HeaderMap) -> Option<String> {
        let origin = headers.get(ORIGIN)?.to_str().ok().and_then(parsed)?.ascii_serialization();
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        (refused.len() < MAX_NAMED && refused.insert(origin.clone())).then_some(origin)
    }

    /// The request's origin in canonical form, if it is allowed.
    fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut sent = headers.get_all(ORIGIN).iter();
        let (Some(one), None) = (sent.next(), sent.next()) else { return None };
        let origin = parsed(one.to_str().ok()?)?;
        let on_any_port = || match &origin {
            Origin::Tuple(scheme, host, _) => {
                scheme == "http" && self.any_port.iter().any(|known| *known == host.to_string())
            }
            Origin::Opaque(_) => false,
        };
        let known = self.origins.contains(&origin) || on_any_port();
        known.then(|| HeaderValue::try_from(origin.ascii_serialization()).ok())?
    }
}

/// Parses an origin: scheme, host, optional port, and nothing else. Refuses `null`.
fn parsed(text: &str) -> Option<Origin> {
    let url = Url::parse(text).ok()?;
    let bare = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    bare.then(|| url.origin())
}

#[cfg(test)]
mod tests {
    use warp::http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn origins() -> Origins {
        let origins = ["https://app.example", "http://localhost:3000"].map(str::to_owned);
        Origins::new(&origins, &["Apollographql-Client-Name".to_owned()])
    }

    #[test]
    fn an_origin_is_compared_exactly() {
        for (origin, answer) in [
            ("https://app.example", Some("https://app.example")),
            // Other spellings of the same origin.
            ("https://app.example:443", Some("https://app.example")),
            ("HTTPS://APP.example", Some("https://app.example")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("http://app.example", None),
            ("https://app.example:8443", None),
            ("https://app.example.evil", None),
            ("https://evilapp.example", None),
            ("https://app.example.", None),
            ("https://user@app.example", None),
            ("https://app.example/path", None),
            ("https://\u{430}pp.example", None),
            ("http://localhost", None),
            ("null", None),
            ("*", None),
            ("", None),
        ] {
            let sent = headers(&[("origin", origin)]);
            let response = origins().allow(&sent, Response::default());
            let allowed = response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN);
            assert_eq!(allowed.map(|value| value.to_str().unwrap()), answer, "{origin}");
            assert_eq!(response.headers()[VARY], "Origin");
            assert!(!response.headers().contains_key("access-control-allow-credentials"));
        }
        let twice = headers(&[("origin", "https://app.example"), ("origin", "https://app.example")]);
        assert_eq!(origins().allowed(&twice), None);
    }

    #[test]
    fn only_a_loopback_host_is_allowed_on_any_port() {
        let listed = ["http://localhost:*", "http://*:*", "http://app.example:*"].map(str::to_owned);
        let origins = Origins::new(&listed, &[]);
        for (origin, allowed) in [
            ("http://localhost:5173", true),
            ("http://localhost", true),
            ("https://localhost:5173", false),
            ("http://127.0.0.1:5173", false),
            ("http://localhost.evil.example:5173", false),
            ("http://app.example:1", false),
        ] {
            assert_eq!(origins.allowed(&headers(&[("origin", origin)])).is_some(), allowed, "{origin}");
        }
    }

    #[test]
    fn a_refused_origin_is_named_once_and_not_without_bound() {
        let origins = origins();
        let named = |port: usize| {
            origins.newly_refused(&headers(&[("origin", &format!("http://localhost:{port}"))])).is_some()
        };
        assert!(named(1) && !named(1));
        assert_eq!((2..500).filter(|port| named(*port)).count(), MAX_NAMED - 1);
    }

    #[test]
    fn only_allowed_origins_get_a_preflight_response() {
        let ask = |origin| {
            origins().preflight(&headers(&[("origin", origin), ("access-control-request-method", "POST")]))
        };
        let (known, unknown) = (ask("https://app.example"), ask("https://evil.example"));
        let allowed = "authorization, content-type, apollographql-client-name";
        assert_eq!(known.headers()[ACCESS_CONTROL_ALLOW_HEADERS], allowed);
        for answer in [known.status(), unknown.status()] {
            assert_eq!(answer, StatusCode::NO_CONTENT);
        }
        assert!(unknown.headers().keys().all(|name| !name.as_str().starts_with("access-control")));
    }

    #[test]
    fn a_websocket_opens_without_an_origin_from_our_own_host_and_from_allowed_origins() {
        for (sent, may) in [
            (&[("host", "api.example")][..], true),
            (&[("host", "api.example:4000"), ("origin", "https://api.example:4000")], true),
            (&[("host", "api.example"), ("origin", "https://app.example")], true),
            (&[("host", "api.example"), ("origin", "https://evil.example")], false),
            (&[("host", "api.example"), ("origin", "https://api.example.evil")], false),
            (&[("host", "api.example"), ("origin", "null")], false),
            (&[("origin", "https://api.example")], false),
        ] {
            assert_eq!(origins().may_connect(&headers(sent)), may, "{sent:?}");
        }
    }
}
