//! Loads the values of a page's items together, so that a list runs one query per field instead of one per item.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::context::Context;
use super::error::ApiError;
use crate::store::{Store, StoreError};

/// Values by key, for the keys of one page. The first request for a value loads all of them.
#[derive(Debug)]
pub(super) struct Batch<K, V> {
    keys: Arc<[K]>,
    values: OnceCell<HashMap<K, V>>,
}

impl<K: Eq + Hash + Send + Sync + 'static, V: Clone + Send + 'static> Batch<K, V> {
    pub(super) fn new(keys: Arc<[K]>) -> Self {
        Self { keys, values: OnceCell::new() }
    }

    /// The value of `key`. `load` reads the values of all keys in one query; if it fails, the next call tries again.
    pub(super) async fn get<F>(&self, context: &Context, key: &K, load: F) -> Result<Option<V>, ApiError>
    where
        F: FnOnce(&Store, &[K]) -> Result<HashMap<K, V>, StoreError> + Send + 'static,
    {
        let keys = Arc::clone(&self.keys);
        let load = || context.read_store(move |store| load(store, &keys));
        Ok(self.values.get_or_try_init(load).await?.get(key).cloned())
    }
}
