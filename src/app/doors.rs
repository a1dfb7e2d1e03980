//! The two doors: their services and servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio::task::JoinHandle;
use warp::Filter;

use super::block_outbox;
use super::deployments::Deployments;
use super::listen::Server;
use super::vestibule::Opened;
use super::{DoorsReload, Listener, Vestibule};
use crate::api::{self, Services, SharedState, TrustedDocuments, WebSockets};
use crate::auth::{Explanation, Gate, Grants, Keys, Profiles};
use crate::auth0::{Auth0, Issuer, Settings};
use crate::clock::Clock;
use crate::config::{Config, DEVELOPMENT};
use crate::pool::{self, Pool};
use crate::script::WorkerCommand;
use crate::sqlite::Database;
use crate::store::Store;
use crate::telemetry::RequestLog;

/// Both doors, serving.
#[derive(Debug)]
pub struct Doors {
    public: SocketAddr,
    internal: SocketAddr,
    servers: [Server; 2],
    services: Services,
    drain: Duration,
    reload: DoorsReload,
    /// Run until aborted: the poll for other processes' changes, and the outbox of blocks.
    background: [JoinHandle<()>; 2],
    deployments: Option<Deployments>,
}

/// How often to look for changes by other processes, for subscribers. Requests look for them themselves.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

impl Doors {
    /// Opens the database, which `vestibule dev` refuses from then on unless the profile is `development`; starts the pool and
    /// the keys' refresh, and serves both doors of `vestibule`.
    ///
    /// Does not wait for the tenant: until its keys are known, callers with a token get 503. `worker` starts the process that
    /// runs the scripts of deployed bundles.
    pub fn open(
        vestibule: Vestibule,
        config: &Config,
        public: Listener,
        internal: Listener,
        (worker, clock): (WorkerCommand, Clock),
    ) -> anyhow::Result<Self> {
        let store = Store::open(&config.store, clock.clone())
            .with_context(|| format!("cannot open the database {}", config.store.path.display()))?;
        if config.profile != DEVELOPMENT {
            store.mark_production()?;
        }
        Self::with_store(vestibule, config, store, public, internal, (worker, clock))
    }

    /// Like [`Doors::open`], with a database that is already open.
    pub fn with_store(
        vestibule: Vestibule,
        config: &Config,
        store: Store,
        public: Listener,
        internal: Listener,
        (worker, clock): (WorkerCommand, Clock),
    ) -> anyhow::Result<Self> {
        let [public_sample, internal_sample] = vestibule.sample_queries();
        let Opened { public: public_schema, internal: internal_schema, state, database } =
            vestibule.open(config)?;
        // Before anything starts that would have to be stopped after an error.
        let (public_documents, internal_documents) = trusted(config)?;
        let auth0 = Auth0::new(&config.auth0, clock.clone())?;
        let services = services(config, auth0.clone(), store, (state, database), clock.clone())?;
        let public_rules = Arc::new(config.public.rules(&config.claims));
        let internal_rules = Arc::new(config.internal.rules(&config.claims));
        let (public_routes, public_reload) = api::door(
            "public",
            &config.public,
            &public_rules,
            services.clone(),
            (public_schema, public_sample),
            public_documents,
        );
        let (internal_routes, internal_reload) = api::door(
            "internal",
            &config.internal,
            &internal_rules,
            services.clone(),
            (internal_schema, internal_sample),
            internal_documents,
        );
        let explain =
            |name, settings, rules, other| api::explanation(name, settings, &services, rules, other);
        let public_explanation = explain("public", &config.public, &public_rules, &internal_rules);
        let internal_explanation = explain("internal", &config.internal, &internal_rules, &public_rules);
        let metrics = api::metrics(&services, vec![("public", public_rules), ("internal", internal_rules)]);
        let public_routes = public_routes.or(public_explanation).unify().boxed();
        let public_routes = api::restrict_hosts("public", &config.public, public_routes);
        let mut internal_routes =
            internal_routes.or(internal_explanation).unify().or(metrics).unify().boxed();
        let mut deployments = None;
        if let Some((started, routes)) = Deployments::start(config, &services, worker, &clock)? {
            internal_routes = internal_routes.or(routes).unify().boxed();
            deployments = Some(started);
        }
        let internal_routes = api::restrict_hosts("internal", &config.internal, internal_routes);
        let addresses = (public.address(), internal.address());
        let servers =
            [(public, public_routes, &config.public), (internal, internal_routes, &config.internal)].map(
                |(listener, routes, door)| {
                    listener.serve_with(routes, &config.http, None, door.socket.connections)
                },
            );
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            profile = config.profile,
            database = %config.store.path.display(),
            issuer = config.auth0.issuer,
            public = %addresses.0,
            internal = %addresses.1,
            "both doors are open"
        );
        let reload = DoorsReload::new([public_reload, internal_reload], &services);
        let blocks = block_outbox::start(auth0, services.store.in_background(), services.auth0_pool.clone());
        let background = [watch(services.store.clone()), blocks];
        let drain = config.http.drain;
        Ok(Self {
            public: addresses.0,
            internal: addresses.1,
            servers,
            services,
            drain,
            reload,
            background,
            deployments,
        })
    }

    /// Where the Public API listens.
    pub fn public(&self) -> SocketAddr {
        self.public
    }

    /// Where the Internal API listens.
    pub fn internal(&self) -> SocketAddr {
        self.internal
    }

    /// The services that both doors share.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// What reloads their settings while they serve.
    pub fn reload(&self) -> &DoorsReload {
        &self.reload
    }

    /// Waits until the tenant's keys are known, at most `time`. Returns whether they are.
    pub async fn wait_until_ready(&self, time: Duration) -> bool {
        self.services.gate.keys().wait_until_ready(time).await
    }

    /// Drains both doors, then stops the services and closes the database.
    pub async fn stop(self) {
        let [public, internal] = self.servers;
        tokio::join!(public.stop(), internal.stop(), self.services.sockets.close(self.drain));
        self.background.iter().for_each(JoinHandle::abort);
        if let Some(deployments) = self.deployments {
            deployments.stop(self.drain).await;
        }
        self.services.gate.keys().stop().await;
        tokio::join!(self.services.pool.stop(), self.services.auth0_pool.stop());
        if let Err(error) = self.services.store.close() {
            tracing::warn!(%error, "the database was not closed cleanly; its write-ahead log is read at the next start");
        }
        tracing::info!("both doors are closed");
    }
}

/// Reads the trusted documents of the public and the internal door. Blocks.
///
/// # Errors
/// When a folder or a manifest in it cannot be read; the cause is a [`ManifestError`](api::ManifestError).
pub fn trusted(config: &Config) -> anyhow::Result<(TrustedDocuments, TrustedDocuments)> {
    let of = |name, settings| {
        TrustedDocuments::read(settings)
            .with_context(|| format!("cannot read the trusted documents (`{name}.documents.dir`)"))
    };
    Ok((of("public", &config.public.documents)?, of("internal", &config.internal.documents)?))
}

/// Polls for changes by other processes. Inline, because it takes microseconds.
fn watch(store: Store) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            store.poll_changes();
        }
    })
}

/// The services of both doors. Starts fetching the keys, without waiting.
fn services(
    config: &Config,
    auth0: Auth0,
    store: Store,
    (state, database): (SharedState, Option<Database>),
    clock: Clock,
) -> anyhow::Result<Services> {
    let start = |threads, queue| {
        Pool::start(&pool::Settings { threads, queue }).context("cannot start the pool's threads")
    };
    let pool = start(config.pool.threads, config.pool.queue)?;
    // A tenant that hangs blocks only these threads, not reads and writes. A new user behind each connection may wait.
    let waiting = config.http.connections.saturating_mul(2).max(config.pool.queue);
    let auth0_pool = start(config.auth0.calls, waiting)?;
    let Settings { issuer, jwks_uri, also, .. } = &config.auth0;
    let own = Issuer { issuer: issuer.clone(), jwks_uri: jwks_uri.clone(), same_users: true };
    let issuers: Vec<Issuer> = std::iter::once(own).chain(also.iter().cloned()).collect();
    let user_issuers = issuers.iter().filter(|issuer| issuer.same_users).map(|issuer| issuer.issuer.clone());
    let (agents, roles_from) = (config.claims.agents, config.claims.roles_from);
    let user_issuers = user_issuers.collect();
    let grants = Grants {
        user_issuers,
        roles: Arc::new(ArcSwap::from_pointee(config.roles.clone())),
        roles_from,
        agents,
    };
    let keys = Keys::start(
        issuers,
        config.claims.allowed(),
        config.claims.keys_max_age,
        (auth0.clone(), store.clone(), auth0_pool.clone(), clock.clone()),
    );
    let link = Arc::new(config.link.clone());
    let profiles = Profiles::new(auth0, store.clone(), auth0_pool.clone(), clock.clone(), Arc::clone(&link));
    let gate = Gate::new(keys, grants, link, profiles, store.clone(), pool.clone(), clock);
    Ok(Services {
        gate,
        store,
        pool,
        auth0_pool,
        state,
        database,
        body_timeout: config.http.body,
        refusals: Arc::default(),
        request_log: Arc::new(RequestLog::new(config.log.requests)),
        sockets: WebSockets::default(),
        issuer: config.auth0.issuer.clone(),
    })
}

/// Explains `token` at the internal or the public door. Changes nothing in the database, which must exist.
pub async fn explain(config: &Config, internal: bool, token: &str) -> anyhow::Result<Explanation> {
    let clock = Clock::system();
    let store = Store::open_existing(&config.store, clock.clone())
        .with_context(|| format!("cannot open the database {}", config.store.path.display()))?;
    let auth0 = Auth0::new(&config.auth0, clock.clone())?;
    let services = services(config, auth0, store, (Arc::new(()), None), clock)?;
    let (public_rules, internal_rules) =
        (config.public.rules(&config.claims), config.internal.rules(&config.claims));
    let explanation = if internal {
        services.gate.explain("internal", &internal_rules, &public_rules, token).await
    } else {
        services.gate.explain("public", &public_rules, &internal_rules, token).await
    };
    services.gate.keys().stop().await;
    tokio::join!(services.pool.stop(), services.auth0_pool.stop());
    services.store.close()?;
    Ok(explanation)
}
