//! A cache of verified tokens: a repeated token costs a hash instead of a signature check. Bounded in entries and bytes.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::bearer::TokenDigest;
use super::header::Header;
use super::{Bearer, Claims, Refusal};
use crate::telemetry::Counter;

/// The most tokens in one cache.
const ENTRIES: usize = 4096;
/// The most memory that they may take, in bytes, as far as it can be estimated.
const BYTES: u64 = 16 * 1024 * 1024;
/// What a token's user and their row take, in bytes; more only for very long values.
const USER: u64 = 1024;
/// The most headers in one cache. A header has at most 16 KiB.
const HEADERS: usize = 64;
/// Parsed JSON takes about this many times the memory of its base64url text.
const PARSED: u64 = 4;

/// The verified tokens of one door. Another door checks another audience, so it has a cache of its own.
pub struct TokenCache {
    entries: Cache<TokenDigest, (Claims, u64), ByBytes>,
    /// By their base64url. All tokens that a tenant signs with one key have the same header.
    headers: Cache<Vec<u8>, Arc<Header>>,
    hits: Counter,
    misses: Counter,
    turns: Semaphore,
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
    pub(super) fn get(&self, token: &TokenDigest, is_current: impl Fn(&Claims) -> bool) -> Option<Claims> {
        let claims = self.peek(token, is_current);
        if claims.is_some() { &self.hits } else { &self.misses }.count();
        claims
    }

    /// The same, not counted.
    pub(super) fn peek(&self, token: &TokenDigest, is_current: impl Fn(&Claims) -> bool) -> Option<Claims> {
        self.entries.get(token).map(|(claims, _)| claims).filter(is_current)
    }

    /// The header of a token, from a token before it, else as `read` reads it. Its signature is not verified yet.
    pub(super) fn header(
        &self,
        base64url: &[u8],
        read: impl FnOnce() -> Result<Header, Refusal>,
    ) -> Result<Arc<Header>, Refusal> {
        self.headers.get_or_insert_with(base64url, || read().map(Arc::new))
    }

    /// Adds a verified token.
    pub(super) fn insert(&self, bearer: &Bearer, token: TokenDigest, claims: Claims) {
        // No entry weighs less than its share, so that the bound in bytes bounds the entries too.
        let bytes = (bearer.signed().len() as u64 * PARSED + USER).max(BYTES / ENTRIES as u64);
        self.entries.insert(token, (claims, bytes));
    }

    /// Waits for this token's turn to be verified. A door verifies as many at once as there are CPUs, and requests that are
    /// ready go before each: a thousand new tokens do not make the others wait for a thousand signature checks.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let turn = self.turns.acquire().await.ok();
        tokio::task::yield_now().await;
        turn
    }

    /// How many tokens were found in the cache, and how many had to be verified.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits.get(), self.misses.get())
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        let (entries, headers) = (Cache::with_weighter(ENTRIES, BYTES, ByBytes), Cache::new(HEADERS));
        let turns = Semaphore::new(available_parallelism().map_or(1, NonZero::get));
        Self { entries, headers, hits: Counter::default(), misses: Counter::default(), turns }
    }
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::auth::parse;
    use crate::auth::tests::claims_with;
    use jsonwebtoken::Algorithm;
    use serde_json::json;

    /// How many of so many tokens of `bytes` bytes a cache keeps.
    fn kept(count: usize, bytes: usize) -> usize {
        let (cache, claims) = (TokenCache::default(), claims_with(&json!({})));
        let token = |i: usize| parse(format!("h.{i:0>width$}.s", width = bytes - 4)).unwrap();
        for i in 0..count {
            cache.insert(&token(i), token(i).digest(), claims.clone());
            assert!(cache.entries.weight() <= BYTES);
        }
        (0..count).filter(|i| cache.get(&token(*i).digest(), |_| true).is_some()).count()
    }

    #[test]
    fn a_cache_is_bounded_in_bytes_and_in_entries() {
        // A token of 16 KiB weighs four times as much.
        let large = kept(1000, 16 * 1024);
        assert!((100..=256).contains(&large), "{large}");
        let small = kept(3 * ENTRIES, 100);
        assert!((1000..=ENTRIES).contains(&small), "{small}");
    }

    #[test]
    fn an_accepted_header_is_read_once_and_few_are_kept() {
        let cache = TokenCache::default();
        let read = || Ok(Header { algorithm: Algorithm::RS256, kid: Some("a".to_owned()) });
        let refused = cache.header(b"x", || Err(Refusal::UnknownKey)).map(drop);
        assert_eq!(refused, Err(Refusal::UnknownKey));
        cache.header(b"x", read).unwrap();
        let again = cache.header(b"x", || Err(Refusal::UnknownKey)).unwrap();
        assert_eq!(again.kid.as_deref(), Some("a"));
        for i in 0..1_000 {
            cache.header(format!("x{i}").as_bytes(), read).unwrap();
        }
        assert!(cache.headers.len() <= HEADERS, "{}", cache.headers.len());
    }

    #[test]
    fn hits_and_misses_are_counted() {
        let (cache, bearer) = (TokenCache::default(), parse("a.b.c").unwrap());
        let get = |is_current: bool| cache.get(&bearer.digest(), |_| is_current);
        assert!(get(true).is_none());
        cache.insert(&bearer, bearer.digest(), claims_with(&json!({})));
        assert!(get(true).is_some() && get(false).is_none());
        assert_eq!(cache.hits_and_misses(), (1, 2));
    }

    #[tokio::test]
    async fn other_tasks_go_between_new_tokens() {
        let (cache, verified) = (Arc::new(TokenCache::default()), Arc::new(AtomicUsize::new(0)));
        let at_once = cache.turns.available_permits();
        for _ in 0..50 * at_once {
            let (cache, verified) = (Arc::clone(&cache), Arc::clone(&verified));
            tokio::spawn(async move {
                let _turn = cache.turn().await;
                verified.fetch_add(1, Ordering::SeqCst);
            });
        }
        let mut before = 0;
        while before < 50 * at_once {
            tokio::task::yield_now().await;
            let now = verified.load(Ordering::SeqCst);
            assert!(now - before <= 2 * at_once, "{} tokens went before this task", now - before);
            before = now;
        }
    }
}
