//! Changes in the database, as a stream for subscriptions.

use futures_util::stream::{self, BoxStream, Stream};
use tokio::sync::broadcast::error::RecvError;

use super::error::ApiError;
use crate::store::{Change, Store};

/// The events of a subscription.
pub(super) type Updates<T> = BoxStream<'static, Result<T, ApiError>>;

/// The changes from now on. A subscriber that is too slow gets [`ApiError::Missed`] once, then new changes. Ends when the
/// store closes.
pub(super) fn stream(
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
