//! Accepted terms.

use super::*;
use crate::store::TERMS_MAX_VERSIONS;
use crate::user::Status;

#[test]
fn terms_are_accepted_once_and_erased_with_the_user() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let store = &test.store;
    for version in ["2026-05", "2026-05", "2026-11"] {
        store.accept_terms(user.id, version, &Actor::User(user.id)).unwrap();
        test.clock.advance(Duration::from_secs(1));
    }
    let accepted = store.accepted_terms(user.id).unwrap();
    let versions: Vec<_> = accepted.iter().map(|terms| terms.version.as_str()).collect();
    assert_eq!(versions, ["2026-05", "2026-11"]);
    assert!(accepted[0].accepted_at < accepted[1].accepted_at);
    assert_eq!(test.actions(user.id), ["user.terms_accepted", "user.terms_accepted", "user.inserted"]);
    for bad in ["", "a b", "\u{7}", "v\u{f6}", ADA, &"x".repeat(33)] {
        let outcome = store.accept_terms(user.id, bad, &Actor::Cli);
        assert!(matches!(outcome, Err(StoreError::Invalid(_))), "{bad:?}");
    }
    for i in 2..TERMS_MAX_VERSIONS {
        store.accept_terms(user.id, &format!("v{i}"), &Actor::User(user.id)).unwrap();
    }
    let outcome = store.accept_terms(user.id, "one-more", &Actor::User(user.id));
    assert!(matches!(outcome, Err(StoreError::Invalid(_))), "{outcome:?}");
    store.accept_terms(user.id, "v2", &Actor::User(user.id)).unwrap();
    assert_eq!(store.accepted_terms(user.id).unwrap().len(), 100);
    store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();
    assert_eq!(store.accepted_terms(user.id).unwrap(), []);
}
