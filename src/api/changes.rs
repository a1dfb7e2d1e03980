//! What changed, as a stream for subscriptions.

use futures_util::stream::{self, BoxStream, Stream};
use tokio::sync::broadcast::error::RecvError;

use super::ApiError;
use crate::store::{Change, Store};

/// What a subscription gives.
pub(super) type Updates<T> = BoxStream<'static, Result<T, ApiError>>;

/// What changes from now on. Whoever falls too far behind gets [`ApiError::Missed`] once, and goes on with what is
/// new. Ends when the store closes.
pub(super) fn of(
    store: &Store,
) -> Result<impl Stream<Item = Result<Change, ApiError>> + Send + use<>, ApiError> {
    let feed = store.subscribe()?;
    Ok(stream::unfold(feed, |mut feed| async move {
        match feed.recv().await {
            Ok(change) => Some((Ok(change), feed)),
            Err(RecvError::Lagged(_)) => Some((Err(ApiError::Missed), feed)),
            Err(RecvError::Closed) => None,
        }
    }))
}
