//! The HTTP client of a tenant: bounded in time and size, without redirects or a proxy from the environment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::http::{HeaderMap, Response};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};

use super::resolver::{Addresses, CachingResolver, MAX_AGE};
use super::tls::client_tls;
use super::{Auth0Error, Call, Settings};
use crate::clock::Clock;
use crate::telemetry::Secret;

/// The longest key set, token or error response, in bytes …
const MAX_BODY: u64 = 64 * 1024;
/// … and the longest profile: far above the sum of the limits that Auth0 has for metadata and identities.
const MAX_PROFILE: u64 = 1024 * 1024;
/// The longest pause that the tenant can ask for, in seconds.
const MAX_PAUSE: i64 = 600;
/// The longest error code of Auth0: a word like `inexistent_user`.
const MAX_CODE: usize = 64;

/// A handle to one tenant. Cheap to clone. Every call blocks: run it on the pool.
#[derive(Clone, Debug)]
pub struct Auth0 {
    pub(super) agent: Agent,
    pub(super) settings: Arc<Settings>,
    pub(super) clock: Clock,
    /// Never locked across a call.
    pub(super) token: Arc<Mutex<Option<ManagementToken>>>,
    quota: Arc<Mutex<Option<Quota>>>,
    addresses: Addresses,
}

/// What the tenant allows of calls to its Management API, as it last reported (Auth0: "Rate Limit Policy").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Calls allowed at once.
    pub limit: u64,
    /// Calls left.
    pub remaining: u64,
    /// When all calls are left again, on the monotonic clock.
    pub resets_at: Duration,
}

/// A cached token for the Management API.
#[derive(Debug)]
pub(super) struct ManagementToken {
    pub(super) token: Secret,
    /// On the monotonic clock.
    pub(super) good_until: Duration,
}

impl Auth0 {
    /// Creates the client without a call.
    ///
    /// # Errors
    /// When `auth0.ca_file` cannot be read or contains no certificate.
    #[expect(clippy::disallowed_methods, reason = "this module is the client of a tenant")]
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, Auth0Error> {
        let tls = client_tls(settings.ca_file.as_deref())
            .map_err(|why| Auth0Error::Setup(format!("`auth0.ca_file` {why}")))?;
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_global(Some(settings.timeout))
            .max_idle_connections(settings.calls)
            .max_idle_connections_per_host(settings.calls)
            .max_idle_age(MAX_AGE)
            .user_agent(concat!("vestibule/", env!("CARGO_PKG_VERSION")))
            .build();
        let addresses = Addresses::default();
        Ok(Self {
            agent: Agent::with_parts(
                config,
                DefaultConnector::default(),
                CachingResolver::new(DefaultResolver::default(), addresses.clone(), clock.clone()),
            ),
            addresses,
            settings: Arc::new(settings.clone()),
            clock,
            token: Arc::default(),
            quota: Arc::default(),
        })
    }

    /// The tenant's issuer, with its final slash.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// How old a stored profile may be; zero for no limit.
    pub fn profile_max_age(&self) -> Duration {
        self.settings.profile_max_age
    }

    /// What the last profile's response said of the quota.
    pub fn quota(&self) -> Option<Quota> {
        *self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_quota(&self, headers: &HeaderMap) {
        let quota = self.reported_quota(headers);
        *self.quota.lock().unwrap_or_else(PoisonError::into_inner) = quota;
    }

    fn reported_quota(&self, headers: &HeaderMap) -> Option<Quota> {
        let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
        let (limit, remaining) = (number("x-ratelimit-limit")?, number("x-ratelimit-remaining")?);
        let resets_in = number("x-ratelimit-reset")? - self.clock.now().as_second();
        let resets_in = Duration::from_secs(resets_in.clamp(0, MAX_PAUSE).unsigned_abs());
        let resets_at = self.clock.elapsed() + resets_in;
        Some(Quota { limit: limit.try_into().ok()?, remaining: remaining.try_into().ok()?, resets_at })
    }

    /// The JSON of a response, or the right error.
    pub(super) fn json<T: DeserializeOwned>(
        &self,
        call: Call,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<T, Auth0Error> {
        let text = self.text(call, answer)?;
        serde_json::from_str(&text).map_err(|_| Auth0Error::UnexpectedAnswer {
            call,
            what: "something that is not the expected JSON",
        })
    }

    /// The text of a response, or the right error.
    pub(super) fn text(
        &self,
        call: Call,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<String, Auth0Error> {
        let unreachable = |cause| {
            self.addresses.forget();
            Auth0Error::Unreachable { call, cause: Box::new(cause) }
        };
        let mut answer = answer.map_err(unreachable)?;
        if call == Call::Profile {
            self.note_quota(answer.headers());
        }
        match answer.status().as_u16() {
            200 => {}
            429 => return Err(Auth0Error::RateLimited { call, wait: self.retry_after(answer.headers()) }),
            status => {
                let body = answer.body_mut().with_config().limit(MAX_BODY).read_to_string();
                return Err(Auth0Error::Status { call, status, code: code(&body.unwrap_or_default()) });
            }
        }
        let limit = if call == Call::Profile { MAX_PROFILE } else { MAX_BODY };
        answer.body_mut().with_config().limit(limit).read_to_string().map_err(|cause| match cause {
            ureq::Error::BodyExceedsLimit(_) => Auth0Error::UnexpectedAnswer { call, what: "too many bytes" },
            other => unreachable(other),
        })
    }

    /// `Retry-After` in seconds, else `X-RateLimit-Reset` as Unix seconds; at most ten minutes.
    pub(super) fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
        let seconds = number("retry-after")
            .or_else(|| Some(number("x-ratelimit-reset")? - self.clock.now().as_second()))?;
        Some(Duration::from_secs(seconds.clamp(0, MAX_PAUSE).unsigned_abs()))
    }
}

/// The code of an error that Auth0 made; a proxy's error page has none. The text of the error is dropped: it may contain an
/// id with an email in it.
fn code(body: &str) -> Option<String> {
    let error: serde_json::Value = serde_json::from_str(body).ok()?;
    let code = error.get("errorCode").or(error.get("error"))?.as_str()?;
    let is_word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    (code.len() <= MAX_CODE && code.bytes().all(is_word)).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_of_an_error_is_kept() {
        for (body, expected) in [
            (
                r#"{"statusCode":400,"error":"Bad Request","message":"No auth0|ada@b.c","errorCode":"invalid_uri"}"#,
                Some("invalid_uri"),
            ),
            (
                r#"{"error":"access_denied","error_description":"Service not found: ada@b.c"}"#,
                Some("access_denied"),
            ),
            (r#"{"statusCode":404,"error":"Not Found","message":"auth0|ada@b.c"}"#, None),
            (r#"{"errorCode":"ada@b.c"}"#, None),
            (r#"{"errorCode":{"a":1}}"#, None),
            ("<h1>ada@b.c</h1>", None),
        ] {
            let code = code(body);
            assert_eq!(code.as_deref(), expected, "{body}");
            let error = Auth0Error::Status { call: Call::Profile, status: 400, code };
            assert!(!format!("{error} {error:?}").contains('@'), "{error}");
        }
        assert_eq!(code(&format!("{{\"errorCode\":\"{}\"}}", "a".repeat(65))), None);
    }
}
