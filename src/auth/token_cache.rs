//! Tokens that were verified a moment ago: a repeated one costs a hash instead of a signature check.
//!
//! Bounded in entries and in bytes. Only what passed the whole claims stage enters; an entry ends with its token or
//! with any change of its issuer's keys, whichever comes first.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{Bearer, Claims, Keys};
use crate::telemetry::Counter;

/// The most tokens that are remembered at one door …
const ENTRIES: usize = 4096;
/// … and the most memory they may take, in bytes, as far as it can be estimated.
const BYTES: u64 = 16 * 1024 * 1024;
/// Parsed JSON takes about this many times the memory of its base64url text.
const PARSED: u64 = 4;

/// The SHA-256 of a whole token. Of anything less, two tokens could share an entry.
type Print = [u8; 32];

/// What one door has seen. Another door judges by another audience, so it has its own.
pub struct TokenCache {
    tokens: Cache<Print, Entry, Size>,
    hits: Counter,
    misses: Counter,
}

#[derive(Clone)]
struct Entry {
    claims: Claims,
    /// Of its issuer's keys when it was verified.
    generation: u64,
    size: u64,
}

#[derive(Clone)]
struct Size;

impl Weighter<Print, Entry> for Size {
    fn weight(&self, _: &Print, entry: &Entry) -> u64 {
        entry.size
    }
}

impl TokenCache {
    /// The claims of a token that was verified with the keys that are still in force, and has not expired since.
    pub(super) fn get(
        &self,
        bearer: &Bearer,
        keys: &Keys,
        now: Timestamp,
        leeway: Duration,
    ) -> Option<Claims> {
        let found = self.tokens.get(&print(bearer)).filter(|entry| {
            keys.generation(entry.claims.issuer()) == Some(entry.generation)
                && entry.claims.expires_at().checked_add(leeway).is_ok_and(|end| end >= now)
        });
        if found.is_some() { &self.hits } else { &self.misses }.count();
        found.map(|entry| entry.claims)
    }

    /// Remembers a token that passed.
    pub(super) fn insert(&self, bearer: &Bearer, claims: &Claims, generation: u64) {
        // No entry weighs less than its share, so that the bound in bytes bounds the entries too.
        let size = (bearer.signed().len() as u64 * PARSED).max(BYTES / ENTRIES as u64);
        self.tokens.insert(print(bearer), Entry { claims: claims.clone(), generation, size });
    }

    /// How many tokens were recalled, and how many had to be verified.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits.get(), self.misses.get())
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        let tokens = Cache::with_weighter(ENTRIES, BYTES, Size);
        Self { tokens, hits: Counter::default(), misses: Counter::default() }
    }
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCache").field("tokens", &self.tokens.len()).finish_non_exhaustive()
    }
}

fn print(bearer: &Bearer) -> Print {
    let mut print = Print::default();
    // A SHA-256 has exactly these 32 bytes.
    print.copy_from_slice(digest(&SHA256, bearer.whole()).as_ref());
    print
}
