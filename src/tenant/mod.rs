//! The dev tenant: Auth0 as far as its own SDKs can tell, from a bundle, on loopback.
//!
//! Owns its endpoints (discovery, keys, tokens, login page, `/userinfo`, the Management API's users), its signing key
//! and its own SQLite file. Leans on floor 0, on `bundle` for what it serves and on `script` for the rules it runs at
//! every login. Never imports `auth0`, `auth`, `store` or `api`: they meet it by URL only, as they meet Auth0, so that
//! a disagreement shows. Never opens a port (the app does), and refuses an issuer that is not loopback.
//!
//! Reading order: `http.rs` (from the wire to a handler), `authorize.rs` and `login_page.rs`, `login.rs` (rules),
//! `token.rs`, `claims.rs` (what a token says), then the rest.

mod error;
mod settings;

mod http;

mod answer;
mod refusal;

mod authorize;
mod login_page;
mod page;

mod login;

mod token;

mod apis;
mod claims;
mod clients;
mod params;
mod pkce;

mod discovery;
mod management;
mod patch;
mod signup;
mod userinfo;

mod exchanges;
mod keys;
mod people;
mod state;

#[cfg(test)]
mod tests;

pub use error::TenantError;
pub use exchanges::{Direction, HttpExchange};
pub use settings::Settings;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use warp::Filter;

use crate::bundle::{Bundle, Client};
use crate::clock::Clock;
use crate::pool::Pool;
use crate::script::ScriptRunner;

/// An open dev tenant. Cheap to clone; clones are the same tenant.
#[derive(Clone)]
pub struct Tenant(Arc<Inner>);

/// What every handler needs.
struct Inner {
    issuer: String,
    bundle: Bundle,
    apis: apis::Apis,
    people: people::People,
    state: state::State,
    key: keys::SigningKey,
    rules: login::Rules,
    pool: Pool,
    clock: Clock,
    exchanges: exchanges::Exchanges,
    meter: management::Meter,
}

impl Tenant {
    /// Opens the tenant's file, makes its key the first time (a few hundred milliseconds), and is ready to serve.
    /// Blocking. `issuer` is where it will be reached: `http://127.0.0.1:PORT/`, with its final slash.
    ///
    /// `pool` does the writes and the password hashing. ScriptRunner should have another: see [`ScriptRunner::new`].
    ///
    /// # Errors
    /// [`TenantError`]: an issuer that is not loopback, a bundle that asks for what is not there, a file that can not
    /// be used.
    pub fn open(
        settings: &Settings,
        issuer: &str,
        bundle: Bundle,
        scripts: ScriptRunner,
        pool: Pool,
        clock: Clock,
    ) -> Result<Self, TenantError> {
        warn_of_actions(&bundle);
        let rules = login::Rules::of(scripts, &bundle.rules);
        Self::with_rules(settings, issuer, bundle, rules, pool, clock)
    }

    fn with_rules(
        settings: &Settings,
        issuer: &str,
        bundle: Bundle,
        rules: login::Rules,
        pool: Pool,
        clock: Clock,
    ) -> Result<Self, TenantError> {
        if !is_loopback(issuer) {
            return Err(TenantError::NotLoopback { issuer: issuer.to_owned() });
        }
        let apis = apis::Apis::new(&bundle, issuer)?;
        let state = state::State::open(&settings.data)?;
        let of_file = |error| state::unusable(&settings.data, error);
        let (pkcs8, born) = state.signing_key(clock.now(), keys::SigningKey::make).map_err(of_file)?;
        let people = people::People::new(bundle.users.clone(), born, state.clone());
        Ok(Self(Arc::new(Inner {
            issuer: issuer.to_owned(),
            key: keys::SigningKey::read(&pkcs8).map_err(of_file)?,
            exchanges: exchanges::Exchanges::default(),
            meter: management::Meter::default(),
            bundle,
            apis,
            people,
            state,
            rules,
            pool,
            clock,
        })))
    }

    /// The tenant as a filter that answers every request; the app's listener serves it.
    ///
    /// `body` is how long a request's body may take to arrive.
    pub fn filter(
        &self,
        body: Duration,
    ) -> impl Filter<Extract = (impl warp::Reply + use<>,), Error = Infallible>
    + Clone
    + Send
    + Sync
    + 'static
    + use<> {
        http::filter(Arc::clone(&self.0), body)
    }

    /// The issuer, with its final slash, as its tokens carry it.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// What went over the wire lately, the oldest first; at most 2,000.
    pub fn exchanges(&self) -> Vec<HttpExchange> {
        self.0.exchanges.all()
    }
}

impl Inner {
    /// Runs what writes or takes its time.
    async fn in_pool<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, TenantError> + Send + 'static,
    ) -> Result<T, TenantError> {
        self.pool.run(job).await?
    }

    /// The API of an audience, if one is named.
    fn api(&self, audience: Option<&str>) -> Result<Option<&apis::Api>, refusal::Refusal> {
        audience.map(|audience| self.apis.find(audience)).transpose()
    }

    /// What the tokens of one request have in common.
    fn issue<'a>(&'a self, client: &'a Client, jti: &'a str) -> claims::Issue<'a> {
        let now = self.clock.now().as_second();
        claims::Issue { issuer: &self.issuer, client_id: &client.client_id, now, jti }
    }

    /// The claims of a token of ours that is in time.
    fn verify(&self, token: &str) -> Option<Map<String, Value>> {
        self.key.verify(token, &self.issuer, self.clock.now().as_second())
    }
}

/// A bundle exported from a real tenant has actions, and is served without them. What one would have denied is let in,
/// so nobody may miss that it does not run.
fn warn_of_actions(bundle: &Bundle) {
    for (trigger, bindings) in &bundle.triggers {
        for binding in bindings {
            let action = &binding.action_name;
            tracing::warn!(
                trigger,
                action,
                "the action DOES NOT RUN here, as it would at Auth0: only rules do"
            );
        }
    }
}

/// `http` or `https`, a loopback host, a final slash and nothing more.
fn is_loopback(issuer: &str) -> bool {
    let Ok(url) = url::Url::parse(issuer) else { return false };
    let is_local = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    // Byte for byte what it parses to: no user, no query, no path, no spelling of its own.
    is_local
        && matches!(url.scheme(), "http" | "https")
        && format!("{}/", url.origin().ascii_serialization()) == issuer
}
