//! The dev tenant, both doors and a seeded database in one process.

use anyhow::Context;

use super::{DevTenant, Doors, Listener, TenantListeners, Vestibule};
use crate::clock::Clock;
use crate::config::Config;
use crate::script::WorkerCommand;
use crate::sqlite::DatabaseError;
use crate::store::{Actor, SeedUser, Store};

/// The maximum time for the doors to fetch the tenant's keys.
const KEYS_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// The dev tenant and the doors that trust it.
#[derive(Debug)]
pub struct Development {
    /// The tenant.
    pub tenant: DevTenant,
    /// The doors.
    pub doors: Doors,
}

impl Development {
    /// Opens all three on the configured ports, with the schemas of `vestibule`, and waits until the doors have the
    /// tenant's keys.
    ///
    /// Ignores the issuer in `config`: it is the dev tenant.
    pub async fn open(
        vestibule: Vestibule,
        config: &Config,
        worker: WorkerCommand,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        anyhow::ensure!(
            !Store::has_served_production(&config.store),
            "the database {} has served production, and this would add sample users to it; name another file with `store.path`",
            config.store.path.display()
        );
        let listeners = TenantListeners::bind(&config.tenant).await?;
        let public = Listener::bind(config.public.listen, "public.listen").await?;
        let internal = Listener::bind(config.internal.listen, "internal.listen").await?;

        let mut config = config.clone();
        config.auth0.issuer = listeners.issuer().to_owned();
        config.auth0.jwks_uri = None;
        let tenant = DevTenant::start(&config, listeners, internal.address(), worker.clone(), clock.clone())?;
        if config.auth0.issuer.starts_with("https://") {
            config.auth0.ca_file = Some(tenant.ca_file().to_owned());
        }
        let store = Store::open(&config.store, clock.clone())
            .with_context(|| format!("cannot open the database {}", config.store.path.display()))?;
        seed(&config, &store)?;
        let doors = Doors::with_store(vestibule, &config, store, public, internal, (worker, clock))?;
        anyhow::ensure!(
            doors.wait_until_ready(KEYS_TIMEOUT).await,
            "the doors could not fetch the signing keys of the dev tenant"
        );
        Ok(Self { tenant, doors })
    }

    /// Drains the doors, then the tenant.
    pub async fn stop(self) {
        self.doors.stop().await;
        self.tenant.stop().await;
    }
}

/// Adds the users of the seed file that are not in the database.
fn seed(config: &Config, store: &Store) -> anyhow::Result<()> {
    let Some(path) = &config.store.seed else { return Ok(()) };
    let text = std::fs::read_to_string(path)
        .map_err(|source| DatabaseError::unreadable(path, source))
        .context("cannot read the seed (`store.seed`)")?;
    let users: Vec<SeedUser> = serde_json::from_str(&text)
        .with_context(|| format!("the seed {} is not a list of users (`store.seed`)", path.display()))?;
    let added = store.seed(&users, &Actor::Seed).context("cannot seed the database")?;
    tracing::info!(added, "seeded the database");
    Ok(())
}
