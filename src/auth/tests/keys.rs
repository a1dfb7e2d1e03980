//! A token that was seen before, and requests that wait for a key.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use serde_json::json;

use super::forge::Signer;
use super::{TENANT, TestDoor, good_claims};
use crate::auth::{PublishedKey, Refusal, TokenProfile};

#[tokio::test]
async fn a_token_that_was_seen_before_expires_after_its_leeway() {
    let signer = Signer::new("ES256", "a");
    let mut door = TestDoor::open(&[(TENANT, &signer)], TokenProfile::Auth0);
    let mut claims = good_claims(TENANT, door.seconds());
    claims["exp"] = json!(door.seconds() + 60);
    let token = signer.token(&claims);
    let first = door.now;
    door.verify(&token).await.unwrap();
    for (seconds, is_accepted) in [(59, true), (64, true), (66, false), (3600, false)] {
        door.now = first + Duration::from_secs(seconds);
        let outcome = door.verify(&token).await;
        assert_eq!(outcome.is_ok(), is_accepted, "{seconds}");
        assert!(is_accepted || matches!(outcome, Err(Refusal::Expired { .. })), "{outcome:?}");
    }
    let (hits, _) = door.rules.cache.hits_and_misses();
    assert_eq!(hits, 2, "the token was in the cache");
}

#[tokio::test]
async fn at_most_64_requests_wait_for_a_key() {
    let signer = Signer::new("ES256", "a");
    let door = TestDoor::open(&[(TENANT, &signer)], TokenProfile::Auth0);
    let ask =
        || -> BoxFuture<'_, Result<PublishedKey, Refusal>> { door.keys.key(TENANT, Some("new")).boxed() };
    // On this thread, so the task that fetches does not run in between.
    let mut waiting: Vec<_> = (0..64).map(|_| ask()).collect();
    for request in &mut waiting {
        assert!(request.now_or_never().is_none(), "it waits for the fetch");
    }
    let refused = ask().now_or_never().map(|key| key.map(drop));
    assert_eq!(refused, Some(Err(Refusal::UnknownKey)), "one more is refused at once");
    waiting.pop();
    assert!(ask().now_or_never().is_none(), "a request that ends makes room");
    for request in waiting {
        assert_eq!(request.await.map(drop), Err(Refusal::UnknownKey), "the tenant cannot be reached");
    }
}
