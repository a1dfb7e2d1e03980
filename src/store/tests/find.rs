//! Finding: by id, by Auth0 id, by email, page by page, and what it costs.

use super::*;
use crate::sqlite::DatabaseError;
use crate::store::users::{BY_AUTH0_ID, BY_EMAIL};
use crate::user::Status;

#[test]
fn a_row_is_read_back_as_it_was_written() {
    let test = TestStore::new();
    let arrival = identity("auth0|1", Some("Ada@Example.com"), true);
    let user = test.store.provision(&arrival, LinkEmail::Never, &Actor::Gate).unwrap().into_user();
    assert_eq!(user.auth0_id, Some(arrival.auth0_id));
    assert_eq!(user.email, Some(email("ada@example.com")));
    assert!(user.email_verified && user.roles.is_empty());
    assert_eq!(user.person, arrival.person);
    assert_eq!(user.profile, arrival.profile);
    assert_eq!((user.created_at, user.updated_at), (test.clock.now(), test.clock.now()));
    assert_eq!(test.store.user(user.id).unwrap().as_ref(), Some(&user));
    assert_eq!(test.store.user_by_auth0_id(&id("auth0|1")).unwrap().as_ref(), Some(&user));
    assert_eq!(test.store.user_by_email(&email("ADA@example.com")).unwrap(), Some(user));
}

#[test]
fn an_unverified_email_of_somebody_finds_nobody() {
    let test = TestStore::new();
    let squatter = identity("auth0|1", Some("ada@example.com"), false);
    test.store.provision(&squatter, LinkEmail::Verified, &Actor::Gate).unwrap();
    assert_eq!(test.store.user_by_email(&email("ada@example.com")).unwrap(), None);
    // A row that staff made does, verified or not.
    let expected = test.add_pre_provisioned("ada@example.com", false);
    assert_eq!(test.store.user_by_email(&email("ada@example.com")).unwrap(), Some(expected));
}

#[test]
fn finding_by_email_uses_the_partial_indexes() {
    let test = TestStore::new();
    let plan = test
        .store
        .read(|connection| {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {BY_EMAIL}"))?;
            let lines = statement.query_map(["x"], |row| row.get::<_, String>(3))?;
            Ok(lines.collect::<Result<Vec<_>, _>>()?.join("\n"))
        })
        .unwrap();
    assert!(plan.contains("users_by_verified_email"), "{plan}");
    assert!(plan.contains("users_by_unclaimed_email"), "{plan}");
    assert!(!plan.contains("SCAN u"), "{plan}");
}

#[test]
fn finding_an_erased_identity_asks_for_it_by_key() {
    let test = TestStore::new();
    let plan = test
        .store
        .read(|connection| {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {BY_AUTH0_ID}"))?;
            let lines = statement.query_map(["x"], |row| row.get::<_, String>(3))?;
            Ok(lines.collect::<Result<Vec<_>, _>>()?.join("\n"))
        })
        .unwrap();
    assert_eq!(plan.matches("SEARCH i USING PRIMARY KEY (auth0_id=?)").count(), 2, "{plan}");
    assert!(!plan.contains("SCAN u") && !plan.contains("SCAN i"), "{plan}");
}

#[test]
fn a_value_we_can_not_have_written_is_damage_not_a_panic() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", "ada@example.com");
    test.shell().execute("UPDATE users SET roles = '[7]'", []).unwrap();
    let outcome = test.store.user(user.id);
    assert!(
        matches!(outcome, Err(StoreError::Database(DatabaseError::Damaged { at: "users.roles", .. }))),
        "{outcome:?}"
    );
}

#[test]
fn keys_are_kept_by_issuer_and_the_newest_win() {
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

#[test]
fn a_read_by_key_waits_for_no_scan() {
    let test = TestStore::with_readers(1);
    let ada = test.add_user("auth0|ada", "ada@example.com");
    let store = &test.store;
    // The scan has the only reader.
    let scan = store.read(|_| {
        assert_eq!(store.user(ada.id).unwrap().as_ref(), Some(&ada));
        assert_eq!(store.user_by_auth0_id(&"auth0|ada".parse().unwrap()).unwrap().as_ref(), Some(&ada));
        assert_eq!(store.user_by_email(&"ada@example.com".parse().unwrap()).unwrap().as_ref(), Some(&ada));
        assert_eq!(store.user_with_terms(ada.id).unwrap(), Some((ada.clone(), Vec::new())));
        assert_eq!(store.accepted_terms(ada.id).unwrap(), []);
        assert!(store.next_due().unwrap().is_none() && store.load_keys("https://t/").unwrap().is_none());
        store.ping().unwrap();
        // Nor does what looks at other processes' changes, with somebody who listens.
        let mut feed = store.subscribe().unwrap();
        store.set_status(ada.id, Status::Blocked, &Actor::Cli).unwrap();
        store.poll_changes();
        assert_eq!(feed.try_recv().unwrap().user, Some(ada.id));
        Ok(())
    });
    scan.unwrap();
}
