//! Which pages of other origins may read a door's answers (the Fetch standard's CORS protocol), and which may open its
//! WebSocket, where browsers ask nobody.
//!
//! Origins are compared exactly, after parsing. Nothing is reflected, there is no `*`, and no credentials: tokens travel in
//! a header that the page's own code sets.

use url::{Origin, Url};
use warp::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, HOST,
    ORIGIN, VARY,
};
use warp::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use warp::reply::Response;

/// What the endpoint answers to.
pub(super) const METHODS: &str = "GET, HEAD, POST, OPTIONS";

/// The origins that a door lets in.
#[derive(Debug, Clone)]
pub(super) struct Origins(Vec<Origin>);

impl Origins {
    /// Of their texts. What is no origin lets nobody in; the configuration refuses it before.
    pub(super) fn new(texts: &[String]) -> Self {
        Self(texts.iter().filter_map(|text| parsed(text)).collect())
    }

    /// The answer to an OPTIONS request, which the gate never sees: browsers send preflights without a token.
    pub(super) fn options(&self, headers: &HeaderMap) -> Response {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(ALLOW, HeaderValue::from_static(METHODS));
        if self.allowed(headers).is_some() && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            for (name, value) in [
                (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
                (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
                // Ten minutes; Chromium takes no more than two hours.
                (ACCESS_CONTROL_MAX_AGE, "600"),
            ] {
                answer.insert(name, HeaderValue::from_static(value));
            }
        }
        self.mark(headers, response)
    }

    /// Adds what lets the page read the answer, if its origin is one of these.
    pub(super) fn mark(&self, headers: &HeaderMap, mut response: Response) -> Response {
        let answer = response.headers_mut();
        if !answer.contains_key(VARY) {
            answer.insert(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = self.allowed(headers) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            answer.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("x-request-id, retry-after, www-authenticate"),
            );
        }
        response
    }

    /// Whether a WebSocket may be opened: by what is no page (it sends no `Origin`), by a page of this very host, or by a
    /// page of one of these origins.
    pub(super) fn may_connect(&self, headers: &HeaderMap) -> bool {
        let Some(sent) = headers.get(ORIGIN) else { return true };
        let own = || {
            // Behind a proxy that ends TLS the scheme is not ours to know; host and port are.
            let host = headers.get(HOST)?.to_str().ok()?;
            let (_, authority) = sent.to_str().ok()?.split_once("://")?;
            Some(authority.eq_ignore_ascii_case(host))
        };
        self.allowed(headers).is_some() || own().unwrap_or(false)
    }

    /// The request's origin as we write it, if it is one of these.
    fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut sent = headers.get_all(ORIGIN).iter();
        let (Some(one), None) = (sent.next(), sent.next()) else { return None };
        let origin = parsed(one.to_str().ok()?)?;
        let known = self.0.contains(&origin);
        known.then(|| HeaderValue::try_from(origin.ascii_serialization()).ok())?
    }
}

/// A text that is an origin and nothing more: scheme, host, perhaps a port. `null` is none.
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

/// Headers of an answer that is data and never a page.
pub(super) const NO_PAGE: [(HeaderName, &str); 3] = [
    (HeaderName::from_static("x-content-type-options"), "nosniff"),
    (HeaderName::from_static("content-security-policy"), "default-src 'none'; frame-ancestors 'none'"),
    (HeaderName::from_static("referrer-policy"), "no-referrer"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn origins() -> Origins {
        Origins::new(&["https://app.example".to_owned(), "http://localhost:3000".to_owned()])
    }

    #[test]
    fn an_origin_is_let_in_exactly_or_not_at_all() {
        for (origin, answer) in [
            ("https://app.example", Some("https://app.example")),
            // The same origin, however it is written.
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
            let marked = origins().mark(&sent, Response::default());
            let allowed = marked.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN);
            assert_eq!(allowed.map(|value| value.to_str().unwrap()), answer, "{origin}");
            assert_eq!(marked.headers()[VARY], "Origin");
            assert!(!marked.headers().contains_key("access-control-allow-credentials"));
        }
        let twice = headers(&[("origin", "https://app.example"), ("origin", "https://app.example")]);
        assert_eq!(origins().allowed(&twice), None);
    }

    #[test]
    fn a_preflight_is_answered_for_known_origins_alone() {
        let ask = |origin| {
            origins().options(&headers(&[("origin", origin), ("access-control-request-method", "POST")]))
        };
        let (known, unknown) = (ask("https://app.example"), ask("https://evil.example"));
        assert_eq!(known.headers()[ACCESS_CONTROL_ALLOW_HEADERS], "authorization, content-type");
        for answer in [known.status(), unknown.status()] {
            assert_eq!(answer, StatusCode::NO_CONTENT);
        }
        assert!(unknown.headers().keys().all(|name| !name.as_str().starts_with("access-control")));
    }

    #[test]
    fn a_socket_is_opened_by_no_page_by_our_own_and_by_known_ones() {
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
