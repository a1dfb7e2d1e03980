//! Propagates blocks to Auth0: works off the store's outbox, one call at a time, while the doors are open. A delivery that
//! fails is retried with growing pauses, without end.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::auth0::{Auth0, Auth0Error};
use crate::pool::Pool;
use crate::sqlite::DatabaseError;
use crate::store::{Actor, BlockDelivery, Store, StoreError};

/// How often to look for a due delivery: a read by key.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The pause after the first failure; it doubles with each, up to [`MAX_PAUSE`].
const MIN_PAUSE: Duration = Duration::from_secs(2);
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// Starts the worker. Aborting the task ends it between two calls; pending deliveries stay in the outbox.
pub(super) fn start(auth0: Auth0, store: Store, pool: Pool) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(deliver_next(&auth0, &store, &pool).await).await;
        }
    })
}

/// Delivers the next due entry. Returns how long to wait before the next one.
async fn deliver_next(auth0: &Auth0, store: &Store, pool: &Pool) -> Duration {
    let delivery = match store.next_due() {
        Ok(Some(delivery)) => delivery,
        Ok(None) | Err(StoreError::Database(DatabaseError::Closed)) => return POLL_INTERVAL,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot read the outbox of blocks");
            return MIN_PAUSE;
        }
    };
    let (auth0, store) = (auth0.clone(), store.clone());
    match pool.run(move || deliver(&auth0, &store, &delivery)).await {
        Ok(Ok(wait)) => wait,
        Ok(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot update the outbox of blocks");
            MIN_PAUSE
        }
        Err(_) => MIN_PAUSE,
    }
}

/// Blocking. When the call fails, all deliveries wait: most likely the tenant limits or does not answer.
fn deliver(auth0: &Auth0, store: &Store, delivery: &BlockDelivery) -> Result<Duration, StoreError> {
    let error = match auth0.set_blocked(&delivery.auth0_id, delivery.blocked) {
        Ok(exists) => {
            if !exists {
                // A user who no longer exists at Auth0 cannot log in there.
                tracing::info!("a user to block or unblock no longer exists at Auth0");
            }
            store.mark_delivered(delivery, &Actor::Gate)?;
            return Ok(Duration::ZERO);
        }
        Err(error) => error,
    };
    let (retry, wait) = match &error {
        Auth0Error::RateLimited { wait, .. } => {
            let wait = wait.map_or_else(|| pause(delivery.attempts), |wait| wait.max(MIN_PAUSE));
            (wait, wait)
        }
        _ => (pause(delivery.attempts), MIN_PAUSE),
    };
    store.postpone(delivery, retry)?;
    tracing::warn!(
        error = &error as &dyn std::error::Error,
        blocked = delivery.blocked,
        seconds = retry.as_secs(),
        "a block or unblock was not propagated to Auth0; retrying later"
    );
    Ok(wait)
}

fn pause(attempts: u32) -> Duration {
    MIN_PAUSE.saturating_mul(2_u32.saturating_pow(attempts)).min(MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        assert_eq!([0, 1, 5].map(|attempts| pause(attempts).as_secs()), [2, 4, 64]);
        assert_eq!([11, 31, u32::MAX].map(pause), [MAX_PAUSE; 3]);
    }
}
