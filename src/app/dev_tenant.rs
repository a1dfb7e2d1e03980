//! The dev tenant, served on a port of its own. The doors know only its URL, as with Auth0.

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

/// A running dev tenant.
pub struct DevTenant {
    tenant: Tenant,
    bundle: Bundle,
    issuer: String,
    server: Server,
    scripts: ScriptRunner,
    pools: [Pool; 2],
}

impl DevTenant {
    /// The issuer of a tenant that listens on `address`.
    pub fn issuer_at(address: SocketAddr) -> String {
        format!("http://{address}/")
    }

    /// Reads the bundle, opens the tenant's database and serves it on `listener`.
    ///
    /// `internal` is the address of the Internal API, which rules call. `worker` starts the process that runs scripts.
    pub fn start(
        config: &Config,
        listener: Listener,
        internal: SocketAddr,
        worker: WorkerCommand,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let issuer = Self::issuer_at(listener.address());
        let bundle = Self::bundle(config, &issuer, internal)?;
        let mut allowed =
            vec![script::parse_origin(&issuer)?, script::parse_origin(&format!("http://{internal}/"))?];
        for origin in &config.tenant.allow_fetch {
            allowed.push(script::parse_origin(origin).context("`tenant.allow_fetch`")?);
        }
        // Two pools: a rule's fetch may wait for our Internal API, which may wait for this tenant. With one pool, many
        // concurrent logins could deadlock.
        let own = Pool::start(&config.pool).context("cannot start the pool's threads")?;
        let fetching =
            Pool::start(&pool::Settings { threads: config.script.workers.max(1) * 2, ..config.pool.clone() })
                .context("cannot start the pool's threads")?;
        let scripts = ScriptRunner::new(&config.script, worker, allowed, fetching.clone());
        let tenant =
            Tenant::open(&config.tenant, &issuer, bundle.clone(), scripts.clone(), own.clone(), clock)
                .context("cannot open the dev tenant")?;
        let routes = tenant.filter(config.http.body).map(Reply::into_response).boxed();
        let server = listener.serve(routes, &config.http);
        tracing::info!(issuer, "the dev tenant is open");
        Ok(Self { tenant, bundle, issuer, server, scripts, pools: [own, fetching] })
    }

    /// The configured bundle, for a tenant with this issuer. `internal` is the address of the Internal API.
    pub fn bundle(config: &Config, issuer: &str, internal: SocketAddr) -> anyhow::Result<Bundle> {
        let mut keywords = config.tenant.keywords.clone();
        keywords.extend([
            ("ISSUER".to_owned(), issuer.into()),
            ("TOKEN_URL".to_owned(), format!("{issuer}oauth/token").into()),
            ("INTERNAL_API".to_owned(), format!("http://{internal}/graphql").into()),
        ]);
        let folder = &config.tenant.bundle;
        Bundle::read(folder, &keywords)
            .with_context(|| format!("cannot read the bundle {} (`tenant.bundle`)", folder.display()))
    }

    /// The tenant's issuer, with its final slash.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The bundle it serves.
    pub fn served(&self) -> &Bundle {
        &self.bundle
    }

    /// The tenant itself: its users and HTTP exchanges.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Drains the listener, then ends the script processes and the pools.
    pub async fn stop(self) {
        self.server.stop().await;
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
