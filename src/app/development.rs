//! The whole flow in one process: the dev tenant, both doors and a seeded database.

use anyhow::Context;

use super::{DevTenant, Doors, Listener, Vestibule};
use crate::clock::Clock;
use crate::config::Config;
use crate::script::WorkerCommand;
use crate::sqlite::DatabaseError;
use crate::store::{Actor, SeedUser, Store};

/// How long the doors may take to learn the tenant's keys, which are a port away.
const READY: std::time::Duration = std::time::Duration::from_secs(10);

/// The dev tenant and the doors that trust it.
#[derive(Debug)]
pub struct Development {
    /// The tenant.
    pub tenant: DevTenant,
    /// The doors.
    pub doors: Doors,
}

impl Development {
    /// Opens everything on the configured ports, `vestibule` behind the doors; ends when all three listen and the doors know the tenant's keys.
    ///
    /// The issuer in `config` is not used: it is the tenant's own.
    ///
    /// # Errors
    /// When a port is taken, or a file can not be read or opened.
    pub async fn open(
        vestibule: Vestibule,
        config: &Config,
        worker: WorkerCommand,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let at_tenant = Listener::bind(config.tenant.http, "tenant.http").await?;
        let public = Listener::bind(config.public.listen, "public.listen").await?;
        let internal = Listener::bind(config.internal.listen, "internal.listen").await?;

        let mut config = config.clone();
        config.auth0.issuer = DevTenant::issuer_at(at_tenant.address());
        config.auth0.jwks_uri = None;
        let tenant = DevTenant::start(&config, at_tenant, internal.address(), worker, clock.clone())?;
        let store = Store::open(&config.store, clock.clone())
            .with_context(|| format!("the database {} can not be opened", config.store.path.display()))?;
        seed(&config, &store)?;
        let doors = Doors::with_store(vestibule, &config, store, public, internal, clock)?;
        anyhow::ensure!(
            doors.ready(READY).await,
            "the doors could not learn the signing keys of the dev tenant"
        );
        Ok(Self { tenant, doors })
    }

    /// Drains the doors, then the tenant they lean on.
    pub async fn stop(self) {
        self.doors.stop().await;
        self.tenant.stop().await;
    }
}

/// Users that the seed file names and the database does not have.
fn seed(config: &Config, store: &Store) -> anyhow::Result<()> {
    let Some(path) = &config.store.seed else { return Ok(()) };
    let text = std::fs::read_to_string(path)
        .map_err(|source| DatabaseError::unreadable(path, source))
        .context("the seed can not be read (`store.seed`)")?;
    let users: Vec<SeedUser> = serde_json::from_str(&text)
        .with_context(|| format!("the seed {} is not a list of users (`store.seed`)", path.display()))?;
    let added = store.seed(&users, &Actor::Seed).context("the database can not be seeded")?;
    tracing::info!(added, "seeded");
    Ok(())
}
