//! Tells Auth0 who is blocked: works off what the store has waiting, one call at a time, for as long as the doors are
//! open. A wish that fails waits longer each time and is never given up.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::auth0::{Auth0, Auth0Error};
use crate::pool::{Pool, PoolError};
use crate::sqlite::DatabaseError;
use crate::store::{Actor, BlockDelivery, Store, StoreError};

/// How often the store is asked whether something is due: a point read.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A wish that failed rests so long, twice as long each time, up to [`REST_MAX`].
const REST_MIN: Duration = Duration::from_secs(2);
const REST_MAX: Duration = Duration::from_secs(3600);

/// Starts the work; aborting the task ends it between two calls. What is left is there at the next start.
pub(super) fn start(auth0: Auth0, store: Store, pool: Pool) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(match next(&auth0, &store, &pool).await {
                // There may be more.
                Told::Done => Duration::ZERO,
                Told::Nothing => LOOK_EVERY,
                Told::NotNow(wait) => wait,
            })
            .await;
        }
    })
}

enum Told {
    Done,
    Nothing,
    /// The tenant limits us, or nothing works: all wishes wait, not just the one that showed it.
    NotNow(Duration),
}

async fn next(auth0: &Auth0, store: &Store, pool: &Pool) -> Told {
    let wish = match store.next_due() {
        Ok(Some(wish)) => wish,
        Ok(None) | Err(StoreError::Database(DatabaseError::Closed)) => return Told::Nothing,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "can not read whom Auth0 is to block");
            return Told::NotNow(REST_MIN);
        }
    };
    let (auth0, store) = (auth0.clone(), store.clone());
    match pool.run(move || tell(&auth0, &store, &wish)).await {
        Ok(Ok(told)) => told,
        Ok(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "can not note what Auth0 was told");
            Told::NotNow(REST_MIN)
        }
        Err(PoolError::Full | PoolError::Stopped | PoolError::Panicked) => Told::NotNow(REST_MIN),
    }
}

/// Blocking.
fn tell(auth0: &Auth0, store: &Store, wish: &BlockDelivery) -> Result<Told, StoreError> {
    let error = match auth0.set_blocked(&wish.auth0_id, wish.blocked) {
        Ok(exists) => {
            if !exists {
                // UserRef is not there can not log in there.
                tracing::info!("somebody to block at Auth0 is not there any more");
            }
            store.mark_delivered(wish, &Actor::Gate)?;
            return Ok(Told::Done);
        }
        Err(error) => error,
    };
    let wait = match &error {
        Auth0Error::RateLimited { wait: Some(wait), .. } => (*wait).max(REST_MIN),
        _ => rest(wish.attempts),
    };
    store.postpone(wish, wait)?;
    tracing::warn!(
        error = &error as &dyn std::error::Error,
        blocked = wish.blocked,
        seconds = wait.as_secs(),
        "Auth0 could not be told that somebody is blocked, or no longer; it will be tried again"
    );
    Ok(match error {
        Auth0Error::RateLimited { .. } => Told::NotNow(wait),
        _ => Told::NotNow(REST_MIN),
    })
}

fn rest(tries: u32) -> Duration {
    REST_MIN.saturating_mul(2_u32.saturating_pow(tries)).min(REST_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_rests_longer_each_time_and_never_for_good() {
        assert_eq!([0, 1, 5].map(|tries| rest(tries).as_secs()), [2, 4, 64]);
        assert_eq!([11, 31, u32::MAX].map(rest), [REST_MAX; 3]);
    }
}
