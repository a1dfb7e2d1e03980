//! The dev tenant, served on ports of its own, over http and https. The doors know only its URL, as with Auth0.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use tokio_rustls::TlsAcceptor;
use url::Origin;
use warp::{Filter, Reply};

use super::Listener;
use super::bundle_gaps::{self, Gap};
use super::listen::Server;
use crate::bundle::Bundle;
use crate::clock::Clock;
use crate::config::Config;
use crate::pool::{self, Pool};
use crate::script::{self, ScriptRunner, WorkerCommand};
use crate::tenant::{Settings as TenantSettings, Tenant};

/// The ports of a dev tenant, bound but not served yet.
#[derive(Debug)]
pub struct TenantListeners {
    http: Vec<Listener>,
    https: Vec<Listener>,
    issuer: String,
}

impl TenantListeners {
    /// Binds the ports of `[tenant]`. Without a setting for https, its port is the one after that of http, or a free one.
    pub async fn bind(settings: &TenantSettings) -> anyhow::Result<Self> {
        let http = Listener::bind_loopback(settings.http, "tenant.http").await?;
        let is_https = settings.issuer.as_ref().is_some_and(|issuer| issuer.starts_with("https:"));
        let https = match Listener::bind_loopback(settings.https_address(), "tenant.https").await {
            // The port was only a guess.
            Err(_) if settings.https.is_none() && !is_https => {
                Listener::bind_loopback((Ipv4Addr::LOCALHOST, 0).into(), "tenant.https").await?
            }
            bound => bound?,
        };
        let issuer = settings.issuer_at(port(&http), port(&https));
        Ok(Self { http, https, issuer })
    }

    /// The issuer of a tenant with these ports.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    fn url(&self) -> String {
        TenantSettings::default_issuer(&format!(":{}", port(&self.http)))
    }
}

fn port(listeners: &[Listener]) -> u16 {
    listeners.first().map_or(0, |listener| listener.address().port())
}

/// A running dev tenant.
pub struct DevTenant {
    tenant: Tenant,
    bundle: Bundle,
    issuer: String,
    url: String,
    https: String,
    ca_file: PathBuf,
    servers: Vec<Server>,
    scripts: ScriptRunner,
    pools: [Pool; 2],
}

impl DevTenant {
    /// Reads the bundle, opens the tenant's database and serves it on `listeners`.
    ///
    /// `internal` is the address of the Internal API, which rules call. `worker` starts the process that runs scripts.
    pub fn start(
        config: &Config,
        listeners: TenantListeners,
        internal: SocketAddr,
        worker: WorkerCommand,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let (issuer, url) = (listeners.issuer.clone(), listeners.url());
        let mut bundle = Self::bundle(config, &issuer, &url, internal)?;
        if !config.tenant.scripts {
            bundle.rules.clear();
            bundle.triggers.clear();
        }
        let allowed = Self::allowed_origins(config, &issuer, &url, internal)?;
        // Two pools: a rule's fetch may wait for our Internal API, which may wait for this tenant. With one pool, many
        // concurrent logins could deadlock.
        let own = Pool::start(&config.pool).context("cannot start the pool's threads")?;
        let fetching =
            Pool::start(&pool::Settings { threads: config.script.workers.max(1) * 2, ..config.pool.clone() })
                .context("cannot start the pool's threads")?;
        let folder = &config.tenant.bundle;
        let scripts =
            ScriptRunner::new(&config.script, worker, allowed, fetching.clone()).with_packages(folder);
        if config.tenant.scripts {
            for problem in script::syntax_errors(&bundle) {
                tracing::warn!("{}/{problem}", folder.display());
            }
            for of in script::required_packages(&bundle, folder) {
                if let Some(problem) = &of.problem {
                    let advice = "`vestibule tenant npm` prints how to install it";
                    tracing::warn!("{} requires {}: {problem}; {advice}", of.script, of.specifier);
                }
            }
        }
        let tenant =
            Tenant::open(&config.tenant, &issuer, bundle.clone(), scripts.clone(), own.clone(), clock)
                .context("cannot open the dev tenant")?;
        let tls = tenant.tls(&config.tenant).context("cannot open the dev tenant's https listener")?;
        let https = format!("https://localhost:{}/", port(&listeners.https));
        let data = &config.tenant.data;
        let ca_file = TenantSettings::ca_file(&std::path::absolute(data).unwrap_or_else(|_| data.clone()));
        let routes = tenant.filter(config.http.body).map(Reply::into_response).boxed();
        let plain = listeners.http.into_iter().map(|listener| (listener, None));
        let secure =
            listeners.https.into_iter().map(|listener| (listener, Some(TlsAcceptor::from(Arc::clone(&tls)))));
        let servers = plain
            .chain(secure)
            .map(|(listener, tls)| listener.serve_with(routes.clone(), &config.http, tls, 0))
            .collect();
        tracing::info!(issuer, https, "the dev tenant is open");
        Ok(Self { tenant, bundle, issuer, url, https, ca_file, servers, scripts, pools: [own, fetching] })
    }

    /// The keywords that every bundle has beside the configured ones.
    pub const KEYWORDS: [&str; 3] = ["ISSUER", "TOKEN_URL", "INTERNAL_API"];

    /// The origins that scripts may call: the tenant's own, the Internal API's and `tenant.allow_fetch`.
    pub(super) fn allowed_origins(
        config: &Config,
        issuer: &str,
        url: &str,
        internal: SocketAddr,
    ) -> anyhow::Result<Vec<Origin>> {
        let own = [issuer, url, &url.replace("localhost", "127.0.0.1"), &format!("http://{internal}/")];
        let mut allowed = own.into_iter().map(script::parse_origin).collect::<Result<Vec<_>, _>>()?;
        for origin in &config.tenant.allow_fetch {
            allowed.push(script::parse_origin(origin).context("`tenant.allow_fetch`")?);
        }
        Ok(allowed)
    }

    /// The configured bundle, for a tenant with this issuer, whose http listener is at `url`. `internal` is the address of the
    /// Internal API. Scripts get their tokens over http, so that they need no certificate authority.
    pub fn bundle(config: &Config, issuer: &str, url: &str, internal: SocketAddr) -> anyhow::Result<Bundle> {
        let mut keywords = config.tenant.keywords.clone();
        keywords.extend([
            ("ISSUER".to_owned(), issuer.into()),
            ("TOKEN_URL".to_owned(), format!("{url}oauth/token").into()),
            ("INTERNAL_API".to_owned(), format!("http://{internal}/graphql").into()),
        ]);
        let folder = &config.tenant.bundle;
        let mut bundle = Bundle::read(folder, &keywords)
            .with_context(|| format!("cannot read the bundle {} (`tenant.bundle`)", folder.display()))?;
        if config.tenant.supply {
            bundle_gaps::supply(config, issuer, &mut bundle);
        }
        Ok(bundle)
    }

    /// What the configuration needs and the bundle does not have.
    pub fn gaps(&self, config: &Config) -> Vec<Gap> {
        bundle_gaps::find(config, &self.bundle)
    }

    /// The tenant's issuer, with its final slash.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The URL of its http listener.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of its https listener.
    pub fn https(&self) -> &str {
        &self.https
    }

    /// The file of the certificate authority of its https listener: an absolute path.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The bundle it serves.
    pub fn served(&self) -> &Bundle {
        &self.bundle
    }

    /// The tenant itself: its users and HTTP exchanges.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Drains the listeners, then ends the script processes and the pools.
    pub async fn stop(self) {
        futures_util::future::join_all(self.servers.into_iter().map(Server::stop)).await;
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
