//! The two doors, open: what they lean on, and their listeners.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::task::JoinHandle;
use warp::Filter;

use super::blocks;
use super::listen::Server;
use super::{Listener, Vestibule};
use crate::api::{self, Services, SharedState, TrustedDocuments, WebSockets};
use crate::auth::{Gate, Grants, Keys, Profiles};
use crate::auth0::{Auth0, Issuer, Settings};
use crate::clock::Clock;
use crate::config::Config;
use crate::pool::{self, Pool};
use crate::store::Store;

/// Both doors, serving.
#[derive(Debug)]
pub struct Doors {
    public: SocketAddr,
    internal: SocketAddr,
    listening: [Server; 2],
    services: Services,
    drain: Duration,
    /// Works on until it is aborted: the look at other processes' changes, and what Auth0 is to be told.
    background: [JoinHandle<()>; 2],
}

/// How often the database is asked what other processes changed: within a second it holds here too.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Doors {
    /// Opens the database, starts the pool and the keys' refresh, and serves both doors of `vestibule`.
    ///
    /// Does not wait for the tenant: until its keys are known, callers with a token get 503.
    ///
    /// # Errors
    /// When the database can not be opened or the tenant's settings can not be used.
    pub fn open(
        vestibule: Vestibule,
        config: &Config,
        public: Listener,
        internal: Listener,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let store = Store::open(&config.store, clock.clone())
            .with_context(|| format!("the database {} can not be opened", config.store.path.display()))?;
        Self::with_store(vestibule, config, store, public, internal, clock)
    }

    /// Like [`Doors::open`], over a database that is open already: seeded, say.
    ///
    /// # Errors
    /// When the tenant's settings can not be used.
    pub fn with_store(
        vestibule: Vestibule,
        config: &Config,
        store: Store,
        public: Listener,
        internal: Listener,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let [try_public, try_internal] = vestibule.sample_queries();
        let (to_public, to_internal, state) = vestibule.open(config)?;
        // Before anything runs that would have to be stopped again.
        let trusted = trusted(config)?;
        let auth0 = Auth0::new(&config.auth0, clock.clone())?;
        let services = services(config, auth0.clone(), store, state, clock)?;
        let (rules, claims) = ((&config.public, &config.internal), &config.claims);
        let rules = (Arc::new(rules.0.rules(claims)), Arc::new(rules.1.rules(claims)));
        let (to_public, to_internal) = ((to_public, try_public), (to_internal, try_internal));
        let to_public = api::door("public", &config.public, &rules.0, services.clone(), to_public, trusted.0);
        let to_internal =
            api::door("internal", &config.internal, &rules.1, services.clone(), to_internal, trusted.1);
        let metrics = api::metrics(&services, vec![("public", rules.0), ("internal", rules.1)]);
        let to_public = api::restrict_hosts("public", &config.public, to_public);
        let to_internal = to_internal.or(metrics).unify().boxed();
        let to_internal = api::restrict_hosts("internal", &config.internal, to_internal);
        let addresses = (public.address(), internal.address());
        let listening = [public.serve(to_public, &config.http), internal.serve(to_internal, &config.http)];
        tracing::info!(public = %addresses.0, internal = %addresses.1, "both doors are open");
        let blocks = blocks::start(auth0, services.store.in_background(), services.auth0_pool.clone());
        let background = [watch(services.store.clone()), blocks];
        let drain = config.http.drain;
        Ok(Self { public: addresses.0, internal: addresses.1, listening, services, drain, background })
    }

    /// Where the Public API listens.
    pub fn public(&self) -> SocketAddr {
        self.public
    }

    /// Where the Internal API listens.
    pub fn internal(&self) -> SocketAddr {
        self.internal
    }

    /// What the doors lean on.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Waits until the tenant's keys are known, at most `time`. Says whether they are.
    pub async fn ready(&self, time: Duration) -> bool {
        self.services.gate.keys().wait_until_ready(time).await
    }

    /// Drains both doors, then lets go of everything in the order of use.
    pub async fn stop(self) {
        let [public, internal] = self.listening;
        tokio::join!(public.stop(), internal.stop(), self.services.sockets.close(self.drain));
        self.background.iter().for_each(JoinHandle::abort);
        self.services.gate.keys().stop().await;
        tokio::join!(self.services.pool.stop(), self.services.auth0_pool.stop());
        if let Err(error) = self.services.store.close() {
            tracing::warn!(%error, "the database was not closed cleanly; its log is read at the next start");
        }
        tracing::info!("both doors are closed");
    }
}

/// The trusted documents of both doors: the public one's, the internal one's. Blocks.
///
/// # Errors
/// When a folder or a manifest in it can not be read; the cause is a [`ManifestError`](api::ManifestError).
pub fn trusted(config: &Config) -> anyhow::Result<(TrustedDocuments, TrustedDocuments)> {
    let of = |name, settings| {
        TrustedDocuments::read(settings)
            .with_context(|| format!("the trusted documents can not be had (`{name}.documents.dir`)"))
    };
    Ok((of("public", &config.public.documents)?, of("internal", &config.internal.documents)?))
}

/// Notices what other processes change, inline: not to take a thread from requests, and a look takes microseconds.
fn watch(store: Store) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            store.poll_changes();
        }
    })
}

/// What both doors lean on. Starts the refresh of the keys, and waits for nothing.
pub(super) fn services(
    config: &Config,
    auth0: Auth0,
    store: Store,
    state: SharedState,
    clock: Clock,
) -> anyhow::Result<Services> {
    let start = |threads| {
        Pool::start(&pool::Settings { threads, ..config.pool.clone() })
            .context("the pool's threads can not be started")
    };
    let pool = start(config.pool.threads)?;
    // A tenant that hangs holds its own threads, and nobody's who reads or writes.
    let auth0_pool = start(config.auth0.calls)?;
    let Settings { issuer, jwks_uri, also, .. } = &config.auth0;
    let own = Issuer { issuer: issuer.clone(), jwks_uri: jwks_uri.clone(), same_users: true };
    let issuers: Vec<Issuer> = std::iter::once(own).chain(also.iter().cloned()).collect();
    let user_issuers = issuers.iter().filter(|issuer| issuer.same_users).map(|issuer| issuer.issuer.clone());
    let grants = Grants { user_issuers: user_issuers.collect(), roles: config.roles.clone() };
    let keys = Keys::start(
        issuers,
        config.claims.allowed(),
        config.claims.keys_max_age,
        (auth0.clone(), store.clone(), auth0_pool.clone(), clock.clone()),
    );
    let link = config.link.email;
    let profiles = Profiles::new(auth0, store.clone(), auth0_pool.clone(), clock.clone(), link);
    let gate = Gate::new(keys, grants, link, profiles, store.clone(), pool.clone(), clock);
    Ok(Services {
        gate,
        store,
        pool,
        auth0_pool,
        state,
        body_timeout: config.http.body,
        refusals: Arc::default(),
        sockets: WebSockets::default(),
        issuer: config.auth0.issuer.clone(),
    })
}
