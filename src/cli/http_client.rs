//! A blocking HTTP client for commands that act as a frontend or a machine: `dev`, `demo`, `token`.
//!
//! It does not follow redirects: a login needs each of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{HeaderMap, Request};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// The client. Any HTTP status is a response; an error means that there was none.
#[derive(Debug, Clone)]
pub struct HttpClient {
    agent: Agent,
}

/// A response, read to its end.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub body: String,
}

impl HttpClient {
    /// Does not connect yet.
    pub fn new() -> Self {
        Self::with_roots(RootCerts::WebPki)
    }

    /// A client that trusts only the authorities of a PEM file, if one is given.
    pub fn trusting(ca_file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = ca_file else { return Ok(Self::new()) };
        let pem = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let roots: Vec<_> = parse_pem(&pem)
            .filter_map(|item| if let Ok(PemItem::Certificate(root)) = item { Some(root) } else { None })
            .collect();
        Ok(Self::with_roots(RootCerts::from(roots)))
    }

    #[expect(clippy::disallowed_methods, reason = "acts as a frontend; not used by the server")]
    fn with_roots(roots: RootCerts) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .tls_config(
                TlsConfig::builder()
                    .unversioned_rustls_crypto_provider(Arc::new(
                        rustls::crypto::aws_lc_rs::default_provider(),
                    ))
                    .root_certs(roots)
                    .build(),
            )
            // A door may answer before it has read the body, and then close the connection.
            .max_idle_connections(0)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        Self { agent: Agent::new_with_config(config) }
    }

    /// Sends a GET.
    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> anyhow::Result<HttpResponse> {
        self.send("GET", url, headers, String::new())
    }

    /// Sends a form by POST.
    pub fn post_form(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        form: &[(&str, &str)],
    ) -> anyhow::Result<HttpResponse> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let typed = [headers, &[("content-type", "application/x-www-form-urlencoded")]].concat();
        self.send("POST", url, &typed, body)
    }

    /// Sends JSON by POST.
    pub fn post_json(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> anyhow::Result<HttpResponse> {
        let typed = [headers, &[("content-type", "application/json")]].concat();
        self.send("POST", url, &typed, body.to_string())
    }

    /// Sends a GraphQL query.
    pub fn graphql(
        &self,
        url: &str,
        token: Option<&str>,
        query: &str,
        variables: Value,
    ) -> anyhow::Result<HttpResponse> {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        self.post_json(url, &headers, &json!({"query": query, "variables": variables}))
    }

    /// Sends any request.
    pub fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> anyhow::Result<HttpResponse> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = if body.is_empty() && method == "GET" {
            self.agent.run(request.body(())?)
        } else {
            self.agent.run(request.body(body)?)
        };
        let mut response = response.with_context(|| format!("{method} {url} got no response"))?;
        let body = response
            .body_mut()
            .read_to_string()
            .with_context(|| format!("{method} {url}: the response was interrupted"))?;
        Ok(HttpResponse { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpResponse {
    /// The body as JSON; `null` if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The value at a JSON pointer (RFC 6901) in the body; `null` if there is none.
    pub fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or_default()
    }

    /// A header, if present and ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `extensions.code` of the first GraphQL error.
    pub fn code(&self) -> Option<String> {
        self.at("/errors/0/extensions/code").as_str().map(str::to_owned)
    }
}
