//! A cache of verified tokens: a repeated token costs a hash instead of a signature check. Bounded in entries and bytes.

use aws_lc_rs::digest::{SHA256, digest};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{Bearer, Claims};
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
pub struct TokenCache {
    entries: Cache<TokenDigest, (Claims, u64), ByBytes>,
    hits: Counter,
    misses: Counter,
}

/// Weighs an entry by its second value, its size in bytes.
#[derive(Clone)]
struct ByBytes;

impl Weighter<TokenDigest, (Claims, u64)> for ByBytes {
    fn weight(&self, _: &TokenDigest, (_, bytes): &(Claims, u64)) -> u64 {
        *bytes
    }
}

impl TokenCache {
    /// The claims of a token, if `is_current` accepts them.
    pub(super) fn get(&self, bearer: &Bearer, is_current: impl Fn(&Claims) -> bool) -> Option<Claims> {
        let claims = self.entries.get(&hash(bearer)).map(|(claims, _)| claims).filter(is_current);
        if claims.is_some() { &self.hits } else { &self.misses }.count();
        claims
    }

    /// Adds a verified token.
    pub(super) fn insert(&self, bearer: &Bearer, claims: Claims) {
        // No entry weighs less than its share, so that the bound in bytes bounds the entries too.
        let bytes = (bearer.signed().len() as u64 * PARSED).max(BYTES / ENTRIES as u64);
        self.entries.insert(hash(bearer), (claims, bytes));
    }

    /// How many tokens were found in the cache, and how many had to be verified.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits.get(), self.misses.get())
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        let entries = Cache::with_weighter(ENTRIES, BYTES, ByBytes);
        Self { entries, hits: Counter::default(), misses: Counter::default() }
    }
}

impl std::fmt::Debug for TokenCache {
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
