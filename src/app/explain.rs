//! Explains what a door would do with a token, without opening the doors.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::doors::services;
use crate::auth::Explanation;
use crate::auth0::Auth0;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::Store;

/// The maximum time to fetch the tenant's keys. Without them, the explanation says so.
const KEYS_TIMEOUT: Duration = Duration::from_secs(6);

/// Explains `token` at the internal or the public door. Changes nothing in the database.
///
/// # Errors
/// When the database does not exist or cannot be opened.
pub async fn explain(config: &Config, internal: bool, token: &str) -> anyhow::Result<Explanation> {
    let clock = Clock::system();
    let store = Store::open_existing(&config.store, clock.clone())
        .with_context(|| format!("cannot open the database {}", config.store.path.display()))?;
    let auth0 = Auth0::new(&config.auth0, clock.clone())?;
    let services = services(config, auth0, store, Arc::new(()), clock)?;
    services.gate.keys().wait_until_ready(KEYS_TIMEOUT).await;
    let (public, private) = (config.public.rules(&config.claims), config.internal.rules(&config.claims));
    let explanation = if internal {
        services.gate.explain("internal", &private, &public, token).await
    } else {
        services.gate.explain("public", &public, &private, token).await
    };
    services.gate.keys().stop().await;
    tokio::join!(services.pool.stop(), services.auth0_pool.stop());
    services.store.close()?;
    Ok(explanation)
}
