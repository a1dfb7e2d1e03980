//! Users by key, and what a lookup costs.

use super::*;
use crate::sqlite::DatabaseError;
use crate::store::users::{BY_AUTH0_ID, BY_EMAIL};
use crate::user::{Status, StoredProfile};

#[test]
fn a_user_is_read_as_written() {
    let test = TestStore::new();
    let new = identity("auth0|1", Some("Ada@Example.com"), true);
    let user = test.store.provision(&new, LinkEmail::Never, &Actor::Gate).unwrap().into_user();
    assert_eq!(user.auth0_id, Some(new.auth0_id));
    assert_eq!(user.email, Some(email("ada@example.com")));
    assert!(user.email_verified && user.roles.is_empty());
    assert_eq!(user.person, new.person);
    assert_eq!(user.profile.as_ref().map(StoredProfile::value), new.profile);
    assert_eq!((user.created_at, user.updated_at), (test.clock.now(), test.clock.now()));
    assert_eq!(test.store.user(user.id).unwrap().as_ref(), Some(&user));
    assert_eq!(test.store.user_by_auth0_id(&id("auth0|1")).unwrap().as_ref(), Some(&user));
    assert_eq!(test.store.user_by_email(&email("ADA@example.com")).unwrap(), Some(user));
}

#[test]
fn an_unverified_email_of_a_user_with_an_identity_finds_no_user() {
    let test = TestStore::new();
    let squatter = identity("auth0|1", Some("ada@example.com"), false);
    test.store.provision(&squatter, LinkEmail::Verified, &Actor::Gate).unwrap();
    assert_eq!(test.store.user_by_email(&email("ada@example.com")).unwrap(), None);
    // That of a pre-provisioned row does, verified or not.
    let expected = test.add_pre_provisioned("ada@example.com", false);
    assert_eq!(test.store.user_by_email(&email("ada@example.com")).unwrap(), Some(expected));
}

#[test]
fn a_lookup_by_email_uses_the_partial_indexes() {
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
fn a_lookup_of_an_erased_identity_uses_its_key() {
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
fn an_invalid_stored_value_is_reported_as_damage() {
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
fn a_read_by_key_does_not_wait_for_a_scan() {
    let test = TestStore::with_readers(1);
    let ada = test.add_user("auth0|ada", "ada@example.com");
    let store = &test.store;
    // The scan holds the only reader.
    let scan = store.read(|_| {
        assert_eq!(store.user(ada.id).unwrap().as_ref(), Some(&ada));
        assert_eq!(store.user_by_auth0_id(&"auth0|ada".parse().unwrap()).unwrap().as_ref(), Some(&ada));
        assert_eq!(store.user_by_email(&"ada@example.com".parse().unwrap()).unwrap().as_ref(), Some(&ada));
        assert_eq!(store.accepted_terms(ada.id).unwrap(), []);
        assert!(store.next_due().unwrap().is_none() && store.load_keys("https://t/").unwrap().is_none());
        store.ping().unwrap();
        // Polling changes with a subscriber does not wait either.
        let mut feed = store.subscribe().unwrap();
        store.set_status(ada.id, Status::Blocked, &Actor::Cli).unwrap();
        store.poll_changes();
        assert_eq!(feed.try_recv().unwrap().user, Some(ada.id));
        Ok(())
    });
    scan.unwrap();
}
