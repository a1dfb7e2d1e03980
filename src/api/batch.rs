//! What belongs to the items of a page, fetched for all of them at once: a list never costs a query an item.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::{ApiError, Context};
use crate::store::{Store, StoreError};

/// Values by key, for the keys of one page. The first who asks for one of them fetches all.
///
/// A page knows its keys before its items are resolved, so nothing has to be gathered and nobody waits for others.
#[derive(Debug)]
pub(super) struct Batch<K, V> {
    keys: Arc<[K]>,
    values: OnceCell<HashMap<K, V>>,
}

impl<K: Eq + Hash + Send + Sync + 'static, V: Clone + Send + 'static> Batch<K, V> {
    pub(super) fn new(keys: Arc<[K]>) -> Self {
        Self { keys, values: OnceCell::new() }
    }

    /// The value of `key`; `fetch` is how to get those of all keys, in one query.
    ///
    /// # Errors
    /// Those of the fetch. It is tried again by the next who asks.
    pub(super) async fn get<F>(&self, context: &Context, key: &K, fetch: F) -> Result<Option<V>, ApiError>
    where
        F: FnOnce(&Store, &[K]) -> Result<HashMap<K, V>, StoreError> + Send + 'static,
    {
        let keys = Arc::clone(&self.keys);
        let fetched = || context.read(move |store| fetch(store, &keys));
        Ok(self.values.get_or_try_init(fetched).await?.get(key).cloned())
    }
}
