//! Finding: by id, by Auth0 id, by email, page by page, and what it costs.

use super::*;
use crate::sqlite::DatabaseError;
use crate::store::users::{BY_AUTH0_ID, BY_EMAIL};
use crate::user::Status;

#[test]
fn a_row_is_read_back_as_it_was_written() {
    let house = House::new();
    let arrival = arrival("auth0|1", Some("Ada@Example.com"), true);
    let user = house.store.provision(&arrival, LinkEmail::Never, &Actor::Gate).unwrap().into_user();
    assert_eq!(user.auth0_id, Some(arrival.auth0_id));
    assert_eq!(user.email, Some(email("ada@example.com")));
    assert!(user.email_verified && user.roles.is_empty());
    assert_eq!(user.person, arrival.person);
    assert_eq!(user.profile, arrival.profile);
    assert_eq!((user.created_at, user.updated_at), (house.clock.now(), house.clock.now()));
    assert_eq!(house.store.user(user.id).unwrap().as_ref(), Some(&user));
    assert_eq!(house.store.user_by_auth0_id(&id("auth0|1")).unwrap().as_ref(), Some(&user));
    assert_eq!(house.store.user_by_email(&email("ADA@example.com")).unwrap(), Some(user));
}

#[test]
fn an_unverified_email_of_somebody_finds_nobody() {
    let house = House::new();
    let squatter = arrival("auth0|1", Some("ada@example.com"), false);
    house.store.provision(&squatter, LinkEmail::Verified, &Actor::Gate).unwrap();
    assert_eq!(house.store.user_by_email(&email("ada@example.com")).unwrap(), None);
    // A row that staff made does, verified or not.
    let expected = house.expected("ada@example.com", false);
    assert_eq!(house.store.user_by_email(&email("ada@example.com")).unwrap(), Some(expected));
}

#[test]
fn pages_follow_each_other_without_gap_or_repetition() {
    let house = House::new();
    let mut all: Vec<_> = (0..5)
        .map(|i| {
            house.clock.advance(Duration::from_millis(1));
            house.verified(&format!("auth0|{i}"), &format!("u{i}@example.com")).id
        })
        .collect();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = house.store.users(2, after).unwrap();
        seen.extend(page.users.iter().map(|user| user.id));
        after = seen.last().copied();
        if !page.has_next {
            break;
        }
        assert_eq!(page.users.len(), 2);
    }
    assert_eq!(seen, all);
    // The last page is full, and still the last.
    assert!(!house.store.users(5, None).unwrap().has_next);
    let none = house.store.users(0, None).unwrap();
    assert!(none.users.is_empty() && none.has_next);
    assert_eq!(house.store.users(usize::MAX, all.pop()).unwrap().users, []);
}

#[test]
fn finding_by_email_uses_the_partial_indexes() {
    let house = House::new();
    let plan = house
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
    let house = House::new();
    let plan = house
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
    let house = House::new();
    let user = house.verified("auth0|1", "ada@example.com");
    house.shell().execute("UPDATE users SET roles = '[7]'", []).unwrap();
    let outcome = house.store.user(user.id);
    assert!(
        matches!(outcome, Err(StoreError::Database(DatabaseError::Damaged { at: "users.roles", .. }))),
        "{outcome:?}"
    );
}

#[test]
fn keys_are_kept_by_issuer_and_the_newest_win() {
    let house = House::new();
    let store = &house.store;
    let (one, other) = ("https://one.example/", "https://other.example/");
    let now = house.clock.now();
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
    let house = House::with_readers(1);
    let ada = house.verified("auth0|ada", "ada@example.com");
    let store = &house.store;
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
