//! Runs requests for the demo, prints them with their checks, and counts the checks that fail.

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::super::http_client::{HttpClient, HttpResponse};
use super::super::out;
use super::super::token_request::{TokenRequest, password_client};
use super::browser;
use crate::app::{DevTenant, Development, PostSink};
use crate::config::Config;
use crate::tenant::{Direction, HttpExchange};

pub(super) struct Narrator<'a> {
    pub(super) config: &'a Config,
    pub(super) development: &'a Development,
    /// What the sign-up rule posts to.
    pub(super) sign_ups: &'a PostSink,
    pub(super) http: HttpClient,
    /// How many of the tenant's exchanges were printed or skipped.
    printed: usize,
    pub(super) failures: usize,
}

impl<'a> Narrator<'a> {
    pub(super) fn new(config: &'a Config, development: &'a Development, sign_ups: &'a PostSink) -> Self {
        let (http, printed) = (HttpClient::new(), development.tenant.tenant().exchanges().len());
        Self { config, development, sign_ups, http, printed, failures: 0 }
    }

    /// The Public API's URL.
    pub(super) fn public(&self) -> String {
        format!("http://{}/graphql", self.development.doors.public())
    }

    /// The Internal API's URL.
    pub(super) fn internal(&self) -> String {
        format!("http://{}/graphql", self.development.doors.internal())
    }

    /// The full name of one of our claims.
    pub(super) fn claim(&self, name: &str) -> String {
        format!("{}{name}", self.config.claims.namespace)
    }

    pub(super) fn title(&self, text: &str) -> anyhow::Result<()> {
        Ok(out::line(format!("\n{}\n", out::heading(text)))?)
    }

    pub(super) fn say(&self, text: &str) -> anyhow::Result<()> {
        Ok(out::line(out::wrapped(&format!("  {text}"), 0))?)
    }

    /// Prints whether a check passed. The demo goes on after a failure; the command fails at the end.
    pub(super) fn check(&mut self, passed: bool, what: &str) -> anyhow::Result<()> {
        self.failures += usize::from(!passed);
        Ok(out::line(out::wrapped(&format!("  {} {what}", out::mark(passed)), 2))?)
    }

    /// Logs a user in through the browser, by email or `user_id`; prints each request, and what the scripts did.
    pub(super) fn log_in(&mut self, name: &str, audience: &str) -> anyhow::Result<String> {
        self.log_in_at(&self.development.tenant, name, audience)
    }

    /// The same, at another tenant.
    pub(super) fn log_in_at(
        &mut self,
        tenant: &DevTenant,
        name: &str,
        audience: &str,
    ) -> anyhow::Result<String> {
        let mut users = tenant.served().users.iter();
        let user = users.find(|user| user.email == name || user.user_id == name);
        let login = user.and_then(|user| Some((user.email.as_str(), user.password.as_ref()?.expose())));
        let (email, password) =
            login.with_context(|| format!("the bundle has no user {name} with a password"))?;
        let client = password_client(tenant.served()).context("the bundle has no frontend")?;
        let request = TokenRequest { issuer: tenant.issuer(), client_id: &client.client_id, audience };
        let token =
            browser::log_in(&self.http, request, email, password, &mut |method, url, response, note| {
                out::line(format!("  → {method:4} {:<34} {}  {note}", url.path(), response.status))?;
                if note.contains("the rules and actions run") {
                    self.print_scripts(tenant)?;
                }
                Ok(())
            })?;
        self.printed = self.development.tenant.tenant().exchanges().len();
        out::line(format!("  ← {}", shortened(&token)))?;
        Ok(token)
    }

    /// Gets a machine's token with its own credentials.
    pub(super) fn machine_token(&self, client_id: &str, audience: &str) -> anyhow::Result<String> {
        let tenant = &self.development.tenant;
        let machine = tenant.served().clients.iter().find(|client| client.client_id == client_id);
        let secret = machine
            .and_then(|machine| machine.client_secret.as_ref())
            .context("the machine has no secret")?;
        let request = TokenRequest { issuer: tenant.issuer(), client_id, audience };
        let token = request.with_secret(&self.http, secret.expose())?;
        out::line(format!("  → POST {:<34} 200  client credentials of {client_id}", "/oauth/token"))?;
        out::line(format!("  ← {}", shortened(&token)))?;
        Ok(token)
    }

    /// Sends a query to a door. Prints and returns the response, and the requests that the tenant received meanwhile.
    pub(super) fn query(
        &mut self,
        url: &str,
        token: Option<&str>,
        query: &str,
    ) -> anyhow::Result<(HttpResponse, Vec<HttpExchange>)> {
        self.printed = self.development.tenant.tenant().exchanges().len();
        let response = self.http.graphql(url, token, query, Value::Null)?;
        let bearer = token.map_or("no token".to_owned(), shortened);
        out::line(out::wrapped(&format!("  → POST {url}  {query}"), 7))?;
        out::line(format!("         {bearer}"))?;
        let exchanges = self.print_exchanges()?;
        let challenge = response.header("www-authenticate").map(|text| format!("\n         {text}"));
        let answer = format!("  ← {}  {}{}", response.status, response.body, challenge.unwrap_or_default());
        out::line(out::wrapped(&answer, 7))?;
        Ok((response, exchanges))
    }

    /// Prints what each script of the latest login did, from the tenant's login log.
    fn print_scripts(&self, tenant: &DevTenant) -> anyhow::Result<()> {
        let log = self.http.get(&format!("{}dev/logins", tenant.url()), &[])?;
        let scripts = log.at("/logins/0/scripts");
        for script in list(&scripts) {
            let took = format!("{} ms", text(script, "milliseconds"));
            out::line(format!("      · {:6} {:<32} {took:>7}", text(script, "kind"), text(script, "name")))?;
            for fetch in list(script.get("fetches").unwrap_or(&Value::Null)) {
                let (method, url, status) =
                    (text(fetch, "method"), text(fetch, "url"), text(fetch, "status"));
                out::line(format!("          ⇢ {method:4} {url:<40} {status}"))?;
            }
            for call in list(script.get("calls").unwrap_or(&Value::Null)) {
                let call = format!("api.{}{}", text(call, "member"), text(call, "arguments"));
                out::line(format!("          {}", call.chars().take(90).collect::<String>()))?;
            }
            for line in list(script.get("console").unwrap_or(&Value::Null)) {
                out::line(format!("          console.{}: {}", text(line, "level"), text(line, "text")))?;
            }
        }
        Ok(())
    }

    /// Prints and returns the requests that the tenant received since the last time.
    fn print_exchanges(&mut self) -> anyhow::Result<Vec<HttpExchange>> {
        let all = self.development.tenant.tenant().exchanges();
        let new = all.iter().skip(self.printed).filter(|exchange| exchange.direction == Direction::In);
        let new: Vec<HttpExchange> = new.cloned().collect();
        self.printed = all.len();
        for HttpExchange { method, path, status, actor, .. } in &new {
            let status = status.map_or("no response".to_owned(), |status| status.to_string());
            let actor = actor.as_deref().unwrap_or("unknown");
            out::line(format!("      ⇢ {method:4} {path:<40} {status}  client `{actor}`"))?;
        }
        Ok(new)
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A member as text, without the quotes of JSON.
fn text(value: &Value, member: &str) -> String {
    let value = value.get(member).cloned().unwrap_or_default();
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The beginning of a token and its length: too little to use it.
fn shortened(token: &str) -> String {
    format!("{}… ({} characters)", token.chars().take(16).collect::<String>(), token.len())
}

/// A token's payload, unverified.
pub(super) fn payload(token: &str) -> Value {
    let decoded = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    decoded.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
}
