//! What a door would make of a token, without a door being open.

use std::time::Duration;

use anyhow::Context;

use super::doors::services;
use crate::api::SharedState;
use crate::auth::Explanation;
use crate::auth0::Auth0;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::Store;

/// How long the tenant may take to give its keys. Without them the story says so.
const KEYS: Duration = Duration::from_secs(6);

/// Walks the stages of a door on `token`: the internal one's, or the public one's. Inserts nobody and links nothing.
///
/// # Errors
/// When there is no database yet, or it can not be opened.
pub async fn explain(config: &Config, internal: bool, token: &str) -> anyhow::Result<Explanation> {
    let clock = Clock::system();
    let store = Store::open_existing(&config.store, clock.clone())
        .with_context(|| format!("the database {} can not be opened", config.store.path.display()))?;
    let auth0 = Auth0::new(&config.auth0, clock.clone())?;
    let services = services(config, auth0, store, SharedState::default(), clock)?;
    services.gate.keys().wait_until_ready(KEYS).await;
    let (public, private) = (config.public.rules(&config.claims), config.internal.rules(&config.claims));
    let story = if internal {
        services.gate.explain("internal", &private, &public, token).await
    } else {
        services.gate.explain("public", &public, &private, token).await
    };
    services.gate.keys().stop().await;
    tokio::join!(services.pool.stop(), services.auth0_pool.stop());
    services.store.close()?;
    Ok(story)
}
