//! The dev tenant: an emulation of Auth0 for local development, served from a bundle on loopback.
//!
//! Owns its endpoints, its signing key and its own SQLite file. Imports layer 0, `bundle` for its configuration and `script`
//! for the rules and actions that it runs. Never imports `auth0`, `auth`, `store` or `api`: they meet it by URL only, as they
//! meet Auth0, so that a disagreement shows in tests. Never opens a port, and refuses an issuer that is not loopback.
//!
//! Reading order: `http.rs`, then `authentication/` (`authorize.rs`, `login_page.rs`, `login.rs` with the rules and actions,
//! `token.rs`, `claims.rs` with the contents of tokens) and `management/`, then what both share.

mod error;
mod settings;
mod http;
mod request;
mod response;
mod params;
mod oauth_error;
mod authentication;
mod management;
mod apis;
mod certificates;
mod clients;
mod connections;
mod db;
mod exchanges;
mod faults;
mod keys;
mod password_hash;
mod tickets;
mod accounts;
pub mod testing;
mod state;
mod users;
#[cfg(test)]
mod tests;

use error::Result;
pub use error::TenantError;
pub use exchanges::{Direction, HttpExchange};
pub use settings::Settings;

use std::convert::Infallible;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use warp::Filter;
use warp::reply::Response;

use crate::bundle::{Bundle, ResourceServer};
use crate::clock::Clock;
use crate::pool::Pool;
use crate::script::ScriptRunner;

/// An open dev tenant. Cheap to clone; clones are the same tenant.
#[derive(Clone)]
pub struct Tenant(Arc<ArcSwap<Inner>>);

/// The state that a request sees. A change of an object makes a new one for the requests after it.
#[derive(Clone)]
struct Inner {
    issuer: String,
    /// Where the current one is kept.
    current: Weak<ArcSwap<Inner>>,
    /// Held while the next state is made.
    changing: Arc<Mutex<()>>,
    /// Held by a call of the Management API that changes objects.
    writing: Arc<Mutex<()>>,
    /// The bundle as it was read.
    base: Arc<Bundle>,
    runner: Option<ScriptRunner>,
    /// The bundle with what changed since.
    bundle: Bundle,
    apis: apis::Apis,
    users: users::UserDirectory,
    db: db::TenantDb,
    tickets: tickets::Tickets,
    refresh_tokens: authentication::RefreshTokens,
    key: Arc<keys::SigningKeys>,
    scripts: authentication::Scripts,
    pool: Pool,
    clock: Clock,
    exchanges: Arc<exchanges::ExchangeLog>,
    log: Arc<authentication::LoginLog>,
    /// Bounds the scripts that nothing waits for.
    background: Arc<Semaphore>,
    /// The last event that the actions of event-stream got.
    delivered_events: Arc<AtomicI64>,
    faults: Arc<faults::Faults>,
    rate_limit: Arc<management::RateLimit>,
}

impl Tenant {
    /// Opens the tenant's database and generates its signing key the first time (a few hundred milliseconds). Blocking.
    ///
    /// `issuer` is the tenant's own URL, `http://127.0.0.1:PORT/` with its final slash. `pool` runs the writes and the
    /// password hashing. `runner` should have another: see [`ScriptRunner::new`].
    ///
    /// # Errors
    /// [`TenantError`]: the issuer is not loopback, the bundle needs something unsupported, or the file is unusable.
    pub fn open(
        settings: &Settings,
        issuer: &str,
        bundle: Bundle,
        runner: ScriptRunner,
        pool: Pool,
        clock: Clock,
    ) -> Result<Self, TenantError> {
        for notice in &bundle.notices {
            tracing::warn!("bundle: {notice}");
        }
        for warning in authentication::warnings(&bundle) {
            tracing::warn!("scripts: {warning}");
        }
        let scripts = authentication::Scripts::new(runner.clone(), &bundle);
        Self::with_scripts(settings, issuer, bundle, scripts, Some(runner), pool, clock)
    }

    /// `runner` runs the scripts that change later; without it `scripts` stay.
    fn with_scripts(
        settings: &Settings,
        issuer: &str,
        mut bundle: Bundle,
        scripts: authentication::Scripts,
        runner: Option<ScriptRunner>,
        pool: Pool,
        clock: Clock,
    ) -> Result<Self> {
        if !is_loopback(issuer) {
            return Err(TenantError::NotLoopback { issuer: issuer.to_owned() });
        }
        state::add_management_api(&mut bundle, issuer, &management::scopes());
        // Tests of a team move it; see `faults.rs`.
        let clock = Clock::shiftable(clock);
        let db = db::TenantDb::open(&settings.data, clock.clone())?;
        let unusable = |error| db::unusable(&settings.data, error);
        let (pkcs8, created_at) = db.signing_keys(keys::SigningKey::generate).map_err(unusable)?;
        let key = keys::SigningKeys::new(&pkcs8).map_err(unusable)?;
        let users = users::UserDirectory::open(&bundle, created_at, db.clone()).map_err(unusable)?;
        let last_event = db.last_event().map_err(unusable)?;
        let current = Arc::new_cyclic(|current| {
            ArcSwap::from_pointee(Inner {
                issuer: issuer.to_owned(),
                current: Weak::clone(current),
                changing: Arc::default(),
                writing: Arc::default(),
                runner,
                apis: apis::Apis::new(&bundle, issuer),
                bundle: bundle.clone(),
                base: Arc::new(bundle),
                users,
                key: Arc::new(key),
                exchanges: Arc::default(),
                log: Arc::default(),
                background: Arc::new(Semaphore::new(authentication::BACKGROUND_RUNS)),
                delivered_events: Arc::new(AtomicI64::new(last_event)),
                faults: Arc::default(),
                rate_limit: Arc::default(),
                tickets: tickets::Tickets(db.clone()),
                refresh_tokens: authentication::RefreshTokens(db.clone()),
                db,
                scripts,
                pool,
                clock,
            })
        });
        current.load().reload().map_err(unusable)?;
        Ok(Self(current))
    }

    /// Forgets what changed since the bundle: users, objects, sessions, logs. Keys and certificates stay. A running tenant
    /// sees it after a restart. Blocking.
    ///
    /// # Errors
    /// [`TenantError`]: the file is unusable.
    pub fn reset(settings: &Settings) -> Result<(), TenantError> {
        db::TenantDb::open(&settings.data, Clock::system())?.reset()
    }

    /// The bundle with what changed since, and the users as they are now. Reads the file alone. Blocking.
    ///
    /// # Errors
    /// [`TenantError`]: the file is unusable.
    pub fn current_bundle(settings: &Settings, bundle: Bundle) -> Result<Bundle, TenantError> {
        let db = db::TenantDb::open(&settings.data, Clock::system())?;
        let (_, created_at) = db.signing_keys(keys::SigningKey::generate)?;
        let users = users::UserDirectory::open(&bundle, created_at, db.clone())?;
        let mut current = state::current(&bundle, &db)?;
        current.users = users.with_objects(&current).exported(&current)?;
        Ok(current)
    }

    /// Takes the objects and users of `bundle` over those of `base`, until a reset. Returns how many of each. Blocking.
    ///
    /// # Errors
    /// [`TenantError`]: the file is unusable, or full.
    pub fn import(
        settings: &Settings,
        base: &Bundle,
        bundle: &Bundle,
    ) -> Result<(usize, usize), TenantError> {
        let db = db::TenantDb::open(&settings.data, Clock::system())?;
        let (_, created_at) = db.signing_keys(keys::SigningKey::generate)?;
        let objects = state::import(&db, &bundle.objects)?;
        users::UserDirectory::open(base, created_at, db.clone())?.import(bundle, created_at)?;
        Ok((objects, bundle.users.len()))
    }

    /// The TLS of the https listener, with a certificate for loopback names. The certificate of the authority behind it is
    /// written to [`Settings::ca_file`]. Blocking.
    ///
    /// # Errors
    /// [`TenantError`]: the file cannot be written, or the machine's clock is far off.
    pub fn tls(&self, settings: &Settings) -> Result<Arc<rustls::ServerConfig>, TenantError> {
        // Certificates are checked against the machine's clock, not the tenant's.
        let now = Clock::system().now();
        certificates::server_config(&self.0.load().db, &Settings::ca_file(&settings.data), now)
    }

    /// The tenant as a filter that answers every request. A request's body must arrive within `body_timeout`.
    pub fn filter(
        &self,
        body_timeout: Duration,
    ) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + use<> {
        http::filter(Arc::clone(&self.0), body_timeout)
    }

    /// The latest HTTP exchanges, the oldest first; at most 2,000.
    pub fn exchanges(&self) -> Vec<HttpExchange> {
        self.0.load().exchanges.all()
    }
}

impl Inner {
    /// Makes what changed in the database count for the requests after this one. Blocking.
    fn reload(&self) -> Result<()> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(current) = self.current.upgrade() else { return Ok(()) };
        let mut next = Self::clone(&current.load());
        next.bundle = state::current(&next.base, &next.db)?;
        next.apis = apis::Apis::new(&next.bundle, &next.issuer);
        next.users = next.users.with_objects(&next.bundle);
        next.key = Arc::new(keys::SigningKeys::new(&next.db.signing_keys(keys::SigningKey::generate)?.0)?);
        if let Some(runner) = &next.runner {
            next.scripts = authentication::Scripts::new(runner.clone(), &next.bundle);
        }
        current.store(Arc::new(next));
        Ok(())
    }

    /// Runs a write, or other blocking work, on the pool.
    async fn in_pool<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let tenant = Arc::clone(self);
        self.pool.run(move || job(&tenant)).await?
    }

    /// The API with this audience, if one is given.
    fn api(&self, audience: Option<&str>) -> Result<Option<&ResourceServer>, oauth_error::OAuthError> {
        audience.map(|audience| self.apis.find(audience)).transpose()
    }

    /// The audience that a request names, else the tenant's default.
    fn audience<'a>(&'a self, params: &'a params::Params) -> Option<&'a str> {
        let default = self.bundle.tenant.default_audience.as_deref().filter(|audience| !audience.is_empty());
        params.get("audience").or(default)
    }

    /// The claims of a token that this tenant signed and that has not expired.
    fn verify(&self, token: &str) -> Option<Map<String, Value>> {
        self.key.verify(token, &self.issuer, self.clock.now().as_second())
    }
}

/// Whether an issuer is `http` or `https`, a loopback host, a final slash and nothing else, as a URL parser writes it.
fn is_loopback(issuer: &str) -> bool {
    let Ok(url) = url::Url::parse(issuer) else { return false };
    url.host_str().is_some_and(request::is_loopback)
        && matches!(url.scheme(), "http" | "https")
        && format!("{}/", url.origin().ascii_serialization()) == issuer
}
