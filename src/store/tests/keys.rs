//! Signing keys.

use super::*;

#[test]
fn the_newest_keys_of_each_issuer_are_kept() {
    let test = TestStore::new();
    let store = &test.store;
    let (one, other) = ("https://one.example/", "https://other.example/");
    let now = test.clock.now();
    assert_eq!(store.load_keys(one).unwrap(), None);
    store.save_keys(one, "{\"keys\":[1]}", now).unwrap();
    store.save_keys(other, "{\"keys\":[2]}", now).unwrap();
    let earlier = Timestamp::from_millisecond(now.as_millisecond() - 1).unwrap();
    store.save_keys(one, "{\"keys\":[0]}", earlier).unwrap();
    let kept = store.load_keys(one).unwrap().unwrap();
    assert_eq!((kept.jwks.as_str(), kept.fetched_at), ("{\"keys\":[1]}", now));
    store.save_keys(one, "{\"keys\":[3]}", now).unwrap();
    assert_eq!(store.load_keys(one).unwrap().unwrap().jwks, "{\"keys\":[3]}");
    assert_eq!(store.load_keys(other).unwrap().unwrap().jwks, "{\"keys\":[2]}");
}
