//! A cache of verified tokens: a repeated token costs a hash instead of a signature check. Bounded in entries and bytes.

use aws_lc_rs::digest::{SHA256, digest};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::Bearer;
use crate::telemetry::Counter;

/// The most tokens in one cache.
const ENTRIES: usize = 4096;
/// The most memory that they may take, in bytes, as far as it can be estimated.
const BYTES: u64 = 16 * 1024 * 1024;
/// Parsed JSON takes about this many times the memory of its base64url text.
const PARSED: u64 = 4;

/// The SHA-256 of a whole token. With less as the key, two tokens could share an entry.
type TokenDigest = [u8; 32];

/// The verified tokens of one door. Another door checks another audience, so it has a cache of its own.
pub struct TokenCache<T> {
    entries: Cache<TokenDigest, Entry<T>, ByBytes>,
    hits: Counter,
    misses: Counter,
}

#[derive(Clone)]
struct Entry<T> {
    value: T,
    bytes: u64,
}

#[derive(Clone)]
struct ByBytes;

impl<T> Weighter<TokenDigest, Entry<T>> for ByBytes {
    fn weight(&self, _: &TokenDigest, entry: &Entry<T>) -> u64 {
        entry.bytes
    }
}

impl<T: Clone> TokenCache<T> {
    /// The entry of a token, if `is_current` accepts it.
    pub(super) fn get(&self, bearer: &Bearer, is_current: impl Fn(&T) -> bool) -> Option<T> {
        let value = self.entries.get(&hash(bearer)).map(|entry| entry.value).filter(is_current);
        if value.is_some() { &self.hits } else { &self.misses }.count();
        value
    }

    /// Adds a verified token.
    pub(super) fn insert(&self, bearer: &Bearer, value: T) {
        // No entry weighs less than its share, so that the bound in bytes bounds the entries too.
        let bytes = (bearer.signed().len() as u64 * PARSED).max(BYTES / ENTRIES as u64);
        self.entries.insert(hash(bearer), Entry { value, bytes });
    }

    /// How many tokens were found in the cache, and how many had to be verified.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits.get(), self.misses.get())
    }
}

impl<T: Clone> Default for TokenCache<T> {
    fn default() -> Self {
        let entries = Cache::with_weighter(ENTRIES, BYTES, ByBytes);
        Self { entries, hits: Counter::default(), misses: Counter::default() }
    }
}

impl<T> std::fmt::Debug for TokenCache<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

fn hash(bearer: &Bearer) -> TokenDigest {
    let mut hash = TokenDigest::default();
    // A SHA-256 has exactly these 32 bytes.
    hash.copy_from_slice(digest(&SHA256, bearer.as_bytes()).as_ref());
    hash
}
