//! The stage of the demo: what is running, what to print, what was found not to hold.

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::super::frontend::{self, Client};
use super::super::http_client::{HttpClient, HttpResponse};
use super::super::out;
use super::browser;
use crate::app::{Development, PostSink};
use crate::bundle::Bundle;
use crate::config::Config;
use crate::telemetry::Secret;
use crate::tenant::{Direction, HttpExchange};

/// What the acts play on.
pub(super) struct Stage<'a> {
    config: &'a Config,
    development: &'a Development,
    inbox: &'a PostSink,
    wire: HttpClient,
    /// The client that logs people in.
    frontend: String,
    /// How many of the tenant's exchanges were told.
    told: usize,
    failures: usize,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        config: &'a Config,
        development: &'a Development,
        inbox: &'a PostSink,
    ) -> anyhow::Result<Self> {
        let frontend =
            frontend::frontend(development.tenant.served()).context("the bundle has no frontend")?;
        let frontend = frontend.client_id.clone();
        let mut stage =
            Self { config, development, inbox, wire: HttpClient::new(), frontend, told: 0, failures: 0 };
        // What the doors fetched while they opened is no part of the story.
        stage.told = stage.development.tenant.tenant().exchanges().len();
        Ok(stage)
    }

    pub(super) fn public(&self) -> String {
        format!("http://{}/graphql", self.development.doors.public())
    }

    pub(super) fn internal(&self) -> String {
        format!("http://{}/graphql", self.development.doors.internal())
    }

    pub(super) fn config(&self) -> &Config {
        self.config
    }

    pub(super) fn bundle(&self) -> &Bundle {
        self.development.tenant.served()
    }

    /// What the sign-up rule posted so far.
    pub(super) fn sign_ups(&self) -> Vec<Value> {
        self.inbox.received()
    }

    /// A name of a claim of ours.
    pub(super) fn claim(&self, name: &str) -> String {
        format!("{}{name}", self.config.claims.namespace)
    }

    pub(super) fn title(&self, text: &str) -> anyhow::Result<()> {
        Ok(out::line(format!("\n{text}\n"))?)
    }

    pub(super) fn say(&self, text: &str) -> anyhow::Result<()> {
        Ok(out::line(format!("  {text}"))?)
    }

    /// Tells whether something held. The demo goes on; the command fails in the end.
    pub(super) fn check(&mut self, held: bool, what: &str) -> anyhow::Result<()> {
        self.failures += usize::from(!held);
        Ok(out::line(format!("  {} {what}", if held { '✓' } else { '✗' }))?)
    }

    pub(super) fn failures(&self) -> usize {
        self.failures
    }

    /// A person logs in through the browser; each hop is told, and then what went on behind the tenant's back.
    pub(super) fn log_in(&mut self, email: &str, audience: &str) -> anyhow::Result<String> {
        let person = self.bundle().users.iter().find(|person| person.email == email);
        let password = person.and_then(|person| person.password.as_ref()).map(Secret::expose);
        let password =
            password.with_context(|| format!("the bundle has no person {email} with a password"))?;
        let client = Client { issuer: self.development.tenant.issuer(), client_id: &self.frontend, audience };
        let (token, hops) = browser::log_in(&self.wire, client, email, password)?;
        for hop in &hops {
            out::line(format!("  → {:4} {:<34} {}  {}", hop.method, hop.path, hop.status, hop.note))?;
            if hop.note.contains("the rules run") {
                self.told(|exchange| exchange.direction == Direction::Out)?;
            }
        }
        self.told = self.development.tenant.tenant().exchanges().len();
        out::line(format!("  ← {}", shortened(&token)))?;
        Ok(token)
    }

    /// A machine gets a token by its own credentials.
    pub(super) fn machine_token(&self, client_id: &str, audience: &str) -> anyhow::Result<String> {
        let machine = self.bundle().clients.iter().find(|client| client.client_id == client_id);
        let secret = machine
            .and_then(|machine| machine.client_secret.as_ref())
            .context("the machine has no secret")?;
        let client = Client { issuer: self.development.tenant.issuer(), client_id, audience };
        let token = client.token_by_secret(&self.wire, secret.expose())?;
        out::line(format!(
            "  → POST {:<34} 200  the machine {client_id}, with its own secret",
            "/oauth/token"
        ))?;
        out::line(format!("  ← {}", shortened(&token)))?;
        Ok(token)
    }

    /// Asks a door; the question, what the door asked in turn, and the answer are told. Gives both.
    pub(super) fn ask(
        &mut self,
        url: &str,
        token: Option<&str>,
        query: &str,
    ) -> anyhow::Result<(HttpResponse, Vec<HttpExchange>)> {
        self.told = self.development.tenant.tenant().exchanges().len();
        let answer = self.wire.graphql(url, token, query, Value::Null)?;
        let bearer = token.map_or("no token".to_owned(), shortened);
        out::line(format!("  → POST {url}  {query}"))?;
        out::line(format!("         {bearer}"))?;
        let asked = self.told(|exchange| exchange.direction == Direction::In)?;
        let challenge = answer.header("www-authenticate").map(|challenge| format!("\n         {challenge}"));
        out::line(format!("  ← {}  {}{}", answer.status, answer.body, challenge.unwrap_or_default()))?;
        Ok((answer, asked))
    }

    /// Tells what the tenant saw since the last time, as far as it is `of` interest.
    fn told(&mut self, of: impl Fn(&HttpExchange) -> bool) -> anyhow::Result<Vec<HttpExchange>> {
        let all = self.development.tenant.tenant().exchanges();
        let new: Vec<_> = all.iter().skip(self.told).filter(|exchange| of(exchange)).cloned().collect();
        self.told = all.len();
        for exchange in &new {
            let status = exchange.status.map_or("no answer".to_owned(), |status| status.to_string());
            let who = exchange.actor.as_deref().unwrap_or_default();
            let what = match exchange.direction {
                Direction::Out => format!("rule {who}"),
                Direction::In => format!("the door asks the tenant {who}"),
            };
            out::line(format!(
                "      ⇢ {:4} {:<40} {status}  {}",
                exchange.method,
                exchange.path,
                what.trim_end()
            ))?;
        }
        Ok(new)
    }
}

/// A token as the demo shows it: its beginning and its length, so that nobody pastes one into a chat.
pub(super) fn shortened(token: &str) -> String {
    format!("{}… ({} characters)", token.chars().take(16).collect::<String>(), token.len())
}

/// What a token says, unverified.
pub(super) fn payload(token: &str) -> Value {
    let decoded = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    decoded.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
}
