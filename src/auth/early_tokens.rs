//! Tokens that were seen before their `iat`: within the leeway, the tenant's clock may be ahead of ours.
//!
//! A sign-out revokes what was accepted before it, so what counts for these is when they were first seen, at any door, also
//! after the cached claims are gone. Bounded; when tokens are forgotten their `iat` counts.

use std::convert::Infallible;

use jiff::Timestamp;
use quick_cache::sync::Cache;

use super::bearer::TokenDigest;

const TOKENS_MAX: usize = 4096;

pub(super) struct EarlyTokens(Cache<TokenDigest, Timestamp>);

impl EarlyTokens {
    /// When a token counts as issued: at its `iat`, or when it was first seen, if that was earlier.
    pub(super) fn issued_at(&self, token: &TokenDigest, iat: Timestamp, now: Timestamp) -> Timestamp {
        let seen = if iat > now {
            self.0.get_or_insert_with(token, || Ok::<_, Infallible>(now)).ok()
        } else {
            self.0.get(token)
        };
        seen.map_or(iat, |seen| seen.min(iat))
    }
}

impl Default for EarlyTokens {
    fn default() -> Self {
        Self(Cache::new(TOKENS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::parse;

    #[test]
    fn only_a_token_that_was_seen_before_its_iat_counts_as_issued_then() {
        let tokens = EarlyTokens::default();
        let (early, other) = (parse("a.b.c").unwrap().digest(), parse("a.b.d").unwrap().digest());
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        for now in [at(100), at(104), at(106), at(9_000)] {
            assert_eq!(tokens.issued_at(&early, at(105), now), at(100), "{now}");
        }
        assert_eq!(tokens.issued_at(&other, at(105), at(106)), at(105));
        for i in 0..3 * TOKENS_MAX {
            tokens.issued_at(&parse(format!("a.b.{i}")).unwrap().digest(), at(105), at(100));
        }
        assert!(tokens.0.len() <= TOKENS_MAX, "{}", tokens.0.len());
    }
}
