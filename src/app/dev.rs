//! The dev tenant, served on a port of its own. The doors meet it by URL only, as they meet Auth0.

use std::net::SocketAddr;

use anyhow::Context;
use warp::{Filter, Reply};

use super::Listener;
use super::listen::Server;
use crate::bundle::Bundle;
use crate::clock::Clock;
use crate::config::Config;
use crate::pool::{self, Pool};
use crate::script::{self, ScriptRunner, WorkerCommand};
use crate::tenant::Tenant;

/// A dev tenant, serving.
pub struct DevTenant {
    tenant: Tenant,
    bundle: Bundle,
    issuer: String,
    listening: Server,
    scripts: ScriptRunner,
    pools: [Pool; 2],
}

impl DevTenant {
    /// The issuer of a tenant that listens on `address`.
    pub fn issuer_at(address: SocketAddr) -> String {
        format!("http://{address}/")
    }

    /// Reads the bundle, opens the tenant's own database and serves it on `bound`.
    ///
    /// `internal` is where the Internal API listens: rules ask it for users. `worker` starts the process that runs
    /// scripts.
    ///
    /// # Errors
    /// When the bundle or the tenant's database can not be read.
    pub fn start(
        config: &Config,
        bound: Listener,
        internal: SocketAddr,
        worker: WorkerCommand,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let issuer = Self::issuer_at(bound.address());
        let bundle = Self::bundle(config, &issuer, internal)?;
        let mut allowed =
            vec![script::parse_origin(&issuer)?, script::parse_origin(&format!("http://{internal}/"))?];
        for origin in &config.tenant.allow_fetch {
            allowed.push(script::parse_origin(origin).context("`tenant.allow_fetch`")?);
        }
        // Two pools: a rule's fetch may wait for our Internal API, which may wait for this tenant. If both stood in one
        // queue, enough logins at once would wait for each other for ever.
        let own = Pool::start(&config.pool).context("the pool's threads can not be started")?;
        let fetching =
            Pool::start(&pool::Settings { threads: config.script.workers.max(1) * 2, ..config.pool.clone() })
                .context("the pool's threads can not be started")?;
        let scripts = ScriptRunner::new(&config.script, worker, allowed, fetching.clone());
        let tenant =
            Tenant::open(&config.tenant, &issuer, bundle.clone(), scripts.clone(), own.clone(), clock)
                .context("the dev tenant can not be opened")?;
        let routes = tenant.filter(config.http.body).map(Reply::into_response).boxed();
        let listening = bound.serve(routes, &config.http);
        tracing::info!(issuer, "the dev tenant is open");
        Ok(Self { tenant, bundle, issuer, listening, scripts, pools: [own, fetching] })
    }

    /// The configured bundle, as a tenant with this issuer serves it. `internal` is where the Internal API listens.
    ///
    /// # Errors
    /// When it can not be read.
    pub fn bundle(config: &Config, issuer: &str, internal: SocketAddr) -> anyhow::Result<Bundle> {
        let mut keywords = config.tenant.keywords.clone();
        keywords.extend([
            ("ISSUER".to_owned(), issuer.to_owned()),
            ("TOKEN_URL".to_owned(), format!("{issuer}oauth/token")),
            ("INTERNAL_API".to_owned(), format!("http://{internal}/graphql")),
        ]);
        let folder = &config.tenant.bundle;
        Bundle::read(folder, &keywords)
            .with_context(|| format!("the bundle {} can not be read (`tenant.bundle`)", folder.display()))
    }

    /// The tenant's issuer, with its final slash.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What it serves.
    pub fn served(&self) -> &Bundle {
        &self.bundle
    }

    /// The tenant itself: its people, and what went over the wire.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Drains the listener, ends the scripts' processes and the pools.
    pub async fn stop(self) {
        self.listening.stop().await;
        self.scripts.stop().await;
        for pool in &self.pools {
            pool.stop().await;
        }
    }
}

impl std::fmt::Debug for DevTenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevTenant").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
