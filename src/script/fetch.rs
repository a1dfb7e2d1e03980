//! A script's HTTP request: checked, sent and limited by the host. The worker has no network.
//!
//! Only the origins that the configuration lists, compared exactly. No redirect is followed, no proxy used and no
//! connection kept, so a request reaches only the address that was checked.

use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use ureq::http::{HeaderName, HeaderValue, Method, Request};
use ureq::tls::TlsConfig;
use url::{Origin, Url};

use super::ipc::{Body, CallError, FetchCall, FetchResponse};
use crate::pool::{Pool, PoolError};

/// The longest response body a script may read, in bytes.
const BODY_LIMIT: u64 = 1024 * 1024;
/// The methods a script may use.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
/// Headers that belong to the connection; a script's values are dropped.
const CONNECTION_HEADERS: [HeaderName; 7] =
    [HOST, CONTENT_LENGTH, CONNECTION, TRANSFER_ENCODING, EXPECT, TE, UPGRADE];

/// The text is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an origin; write scheme, host and port only, as in \"http://127.0.0.1:4001\"")]
pub struct InvalidOrigin(String);

/// Parses an origin of `tenant.allow_fetch`: `http` or `https`, a host and optionally a port.
///
/// # Errors
/// When the text has anything else (a path, credentials, a wildcard).
pub fn parse_origin(text: &str) -> Result<Origin, InvalidOrigin> {
    let refused = || InvalidOrigin(text.to_owned());
    let url = Url::parse(text).map_err(|_| refused())?;
    let origin = url.origin();
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.as_str() == format!("{}/", origin.ascii_serialization())
        && !text.contains('*');
    if is_plain { Ok(origin) } else { Err(refused()) }
}
/// Sends scripts' requests.
pub(super) struct Fetcher {
    agent: Agent,
    allowed: Vec<Origin>,
    timeout: Duration,
    /// Also for metadata updates.
    pub(super) pool: Pool,
}

/// A request that passed the checks.
pub(super) struct AllowedFetch {
    /// For the log: without query and fragment.
    pub(super) address: String,
    pub(super) request: Request<Vec<u8>>,
    timeout: Duration,
}

impl Fetcher {
    #[expect(
        clippy::disallowed_methods,
        reason = "these are the rules' requests, not ours to Auth0: other origins, none of our tokens"
    )]
    pub(super) fn new(allowed: Vec<Origin>, timeout: Duration, pool: Pool) -> Self {
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().unversioned_rustls_crypto_provider(crypto).build())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            // An idle connection would delay the shutdown of its server, and may be stale.
            .max_idle_connections(0)
            .user_agent(concat!("vestibule-script/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: Agent::new_with_config(config), allowed, timeout, pool }
    }

    /// Checks a request before anything is sent.
    pub(super) fn check(&self, call: FetchCall) -> Result<AllowedFetch, CallError> {
        let refused = |message: String| CallError::new("ENOTALLOWED", message);
        let mut url = Url::parse(&call.url)
            .map_err(|error| refused(format!("fetch: \"{}\" is not an absolute URL: {error}", call.url)))?;
        if !self.allowed.contains(&url.origin()) {
            return Err(refused(format!(
                "fetch: scripts may not call {}; add this origin to tenant.allow_fetch",
                url.origin().ascii_serialization()
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("fetch: credentials in a URL are not sent; use a header".to_owned()));
        }
        url.set_fragment(None);
        let method = METHODS
            .into_iter()
            .find(|method| method.as_str().eq_ignore_ascii_case(&call.method))
            .ok_or_else(|| refused(format!("fetch: the method \"{}\" is not supported", call.method)))?;
        let mut request = Request::builder().method(&method).uri(url.as_str());
        for (name, value) in &call.headers {
            let bad = || refused(format!("fetch: the header \"{name}\" is not valid"));
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            if !CONNECTION_HEADERS.contains(&name) {
                request = request.header(name, HeaderValue::from_str(value).map_err(|_| bad())?);
            }
        }
        let body = call.body.map_or(Some(Vec::new()), Body::into_bytes);
        let request = request
            .body(body.ok_or_else(|| refused("fetch: the body is not base64".to_owned()))?)
            .map_err(|error| refused(format!("fetch: {error}")))?;
        url.set_query(None);
        let own = call.timeout_millis.map_or(Duration::MAX, Duration::from_millis);
        Ok(AllowedFetch { address: url.into(), request, timeout: self.timeout.min(own) })
    }

    /// Sends a request, on the pool. Dropping the future does not stop it: a script need not wait for its requests.
    pub(super) async fn send(&self, allowed: AllowedFetch) -> Result<FetchResponse, CallError> {
        let (agent, pool) = (self.agent.clone(), self.pool.clone());
        let AllowedFetch { address, request, timeout } = allowed;
        let sent = tokio::spawn(async move { pool.run(move || send(&agent, request, timeout)).await });
        let response = sent.await.unwrap_or(Err(PoolError::Stopped)).map_err(pool_error)?;
        response.map_err(|error| explain(&address, timeout, &error))
    }
}

/// The error of a job that did not run.
pub(super) fn pool_error(error: PoolError) -> CallError {
    CallError::new("EBUSY", format!("the call did not run: {error}"))
}

fn send(agent: &Agent, request: Request<Vec<u8>>, timeout: Duration) -> Result<FetchResponse, ureq::Error> {
    let bodiless =
        request.body().is_empty() && !matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    let timeout = Some(timeout);
    let response = if bodiless {
        let request = request.map(|_| ());
        agent.run(agent.configure_request(request).timeout_global(timeout).build())?
    } else {
        agent.run(agent.configure_request(request).timeout_global(timeout).build())?
    };
    let (parts, body) = response.into_parts();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let body = Body::new(body.into_with_config().limit(BODY_LIMIT).read_to_vec()?);
    Ok(FetchResponse { status: parts.status.as_u16(), headers, body })
}

fn explain(address: &str, timeout: Duration, error: &ureq::Error) -> CallError {
    let (code, problem) = match error {
        ureq::Error::Timeout(_) => ("ETIMEDOUT", format!("{address} did not respond within {timeout:?}")),
        ureq::Error::BodyExceedsLimit(limit) => {
            ("ETOOBIG", format!("the response of {address} is over {limit} bytes"))
        }
        other => ("EFETCH", format!("{address} cannot be reached: {other}")),
    };
    CallError::new(code, format!("fetch: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool;

    fn fetcher() -> Fetcher {
        let pool = Pool::start(&pool::Settings { threads: 1, queue: 1 }).unwrap();
        let allowed =
            vec![parse_origin("http://127.0.0.1:4001").unwrap(), parse_origin("https://a.example").unwrap()];
        Fetcher::new(allowed, Duration::from_secs(2), pool)
    }

    fn get(url: &str) -> FetchCall {
        let (method, headers) = ("get".to_owned(), Vec::new());
        FetchCall { url: url.to_owned(), method, headers, body: None, timeout_millis: None }
    }

    #[test]
    fn only_exact_listed_origins_are_allowed() {
        let fetcher = fetcher();
        for url in ["http://127.0.0.1:4001/graphql", "https://a.example:443/x", "https://A.example/"] {
            assert!(fetcher.check(get(url)).is_ok(), "{url}");
        }
        let refused = [
            "https://127.0.0.1:4001/",
            "http://127.0.0.1:4002/",
            "http://127.0.0.1:40011/",
            "http://127.0.0.1:4001@evil.example/",
            "http://127.0.0.1:4001.evil.example/",
            "http://localhost:4001/",
            "http://a.example/",
            "https://a.example.evil.example/",
            "https://user:pass@a.example/",
            "file:///etc/passwd",
            "data:text/plain,x",
            "/graphql",
        ];
        for url in refused {
            assert!(fetcher.check(get(url)).is_err(), "{url}");
        }
        let error = fetcher.check(get("http://evil.example/path?secret=1")).err().unwrap();
        let expected =
            "fetch: scripts may not call http://evil.example; add this origin to tenant.allow_fetch";
        assert_eq!(error.message, expected);
    }

    #[test]
    fn the_logged_url_has_no_query_and_connection_headers_are_dropped() {
        let mut call = get("https://a.example/p?token=1#f");
        call.headers = vec![("Host".into(), "evil.example".into()), ("X-A".into(), "1".into())];
        let allowed = fetcher().check(call).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(allowed.address, "https://a.example/p");
        assert_eq!(allowed.request.method(), "GET");
        assert!(allowed.request.headers().get(HOST).is_none());
        assert_eq!(allowed.request.uri(), "https://a.example/p?token=1");
        let mut call = get("https://a.example/");
        call.headers = vec![("X-A".into(), "1\r\nX-B: 2".into())];
        assert!(fetcher().check(call).is_err());
    }

    #[test]
    fn an_origin_has_no_path_and_no_wildcard() {
        assert!(parse_origin("http://127.0.0.1:4001/").is_ok());
        for text in
            ["http://a.example/x", "*", "https://*.a.example", "a.example", "http://u@a.example", "ws://a"]
        {
            assert!(parse_origin(text).is_err(), "{text}");
        }
    }
}
