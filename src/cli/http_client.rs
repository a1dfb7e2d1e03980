//! The wire as a frontend or a machine sees it, for the commands that play one: `dev`, `demo`, `token`.
//!
//! Plain HTTP, blocking. Redirects are answers here, since a login is made of them.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

/// A client that shows what it was answered.
#[derive(Debug, Clone)]
pub struct HttpClient {
    agent: Agent,
}

/// What came back.
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
    /// Connects to nobody yet.
    #[expect(clippy::disallowed_methods, reason = "plays a frontend: its calls are not the server's")]
    pub fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            // A door may answer before it read the body, and then close: such a connection can not be used twice.
            .max_idle_connections(0)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        Self { agent: Agent::new_with_config(config) }
    }

    /// Sends a GET.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> anyhow::Result<HttpResponse> {
        self.send("GET", url, headers, String::new())
    }

    /// Sends a POST with a form.
    ///
    /// # Errors
    /// When there is no answer.
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

    /// Sends a POST with JSON.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn post_json(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> anyhow::Result<HttpResponse> {
        let typed = [headers, &[("content-type", "application/json")]].concat();
        self.send("POST", url, &typed, body.to_string())
    }

    /// Asks a GraphQL endpoint, with a token if there is one.
    ///
    /// # Errors
    /// When there is no answer.
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

    /// Sends anything.
    ///
    /// # Errors
    /// When there is no answer.
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
        let answer = if body.is_empty() && method == "GET" {
            self.agent.run(request.body(())?)
        } else {
            self.agent.run(request.body(body)?)
        };
        let mut answer = answer.with_context(|| format!("{method} {url} got no answer"))?;
        let body = answer.body_mut().read_to_string().with_context(|| format!("{method} {url} broke off"))?;
        Ok(HttpResponse { status: answer.status().as_u16(), headers: answer.headers().clone(), body })
    }
}

/// Whether an error of a [`HttpClient`] means that nobody answered: a refusal, however bad, is an answer.
pub(super) fn is_connection_error(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<ureq::Error>())
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpResponse {
    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// What the body holds at a JSON pointer (RFC 6901); `null` when there is nothing.
    pub fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or_default()
    }

    /// A header, if it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The code of the first GraphQL error.
    pub fn code(&self) -> Option<String> {
        self.at("/errors/0/extensions/code").as_str().map(str::to_owned)
    }
}
