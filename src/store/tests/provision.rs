//! Just-in-time provisioning.

use std::sync::Barrier;

use serde_json::json;

use super::*;
use crate::store::PROFILE_MAX_BYTES;

fn admit(test: &TestStore, new: &NewIdentity, link: LinkEmail) -> Result<Provisioned, StoreError> {
    test.store.provision(new, link, &Actor::Gate)
}

#[test]
fn an_identity_gets_one_row() {
    let test = TestStore::new();
    let first = test.add_user("auth0|1", ADA);
    let again =
        admit(&test, &identity("auth0|1", Some("other@example.com"), true), LinkEmail::Never).unwrap();
    assert_eq!(again, Provisioned::Known(first.clone()));
    assert_eq!(test.actions(first.id), ["user.inserted"]);
}

#[test]
fn a_hundred_concurrent_first_requests_add_one_row() {
    let test = TestStore::new();
    let other = test.another_process();
    let start = Barrier::new(100);
    let ids: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..100)
            .map(|i| {
                let store = if i % 2 == 0 { &test.store } else { &other };
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let new = identity("auth0|1", Some(ADA), true);
                    store.provision(&new, LinkEmail::Verified, &Actor::Gate).unwrap().into_user().id
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
    assert_eq!(test.user_count(), 1);
    assert_eq!(test.actions(ids[0]), ["user.inserted"]);
}

#[test]
fn one_of_many_concurrent_identities_claims_a_pre_provisioned_row() {
    let test = TestStore::new();
    let expected = test.add_pre_provisioned(ADA, false);
    let start = Barrier::new(20);
    let ids: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20)
            .map(|i| {
                let (store, start) = (&test.store, &start);
                scope.spawn(move || {
                    start.wait();
                    let (me, verified) = (id(&format!("auth0|{i}")), email(ADA));
                    store
                        .find_or_link(&me, Some(&verified), LinkEmail::Verified, &Actor::Gate)
                        .unwrap()
                        .unwrap()
                        .id
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == expected.id), "{ids:?}");
    let actions = test.actions(expected.id);
    assert_eq!(actions.iter().filter(|action| *action == "user.claimed").count(), 1, "{actions:?}");
    assert_eq!(actions.iter().filter(|action| *action == "identity.linked").count(), 19, "{actions:?}");
}

#[test]
fn a_pre_provisioned_row_is_claimed_once_and_then_verified() {
    for link in [LinkEmail::Verified, LinkEmail::Never] {
        for was_verified in [true, false] {
            let test = TestStore::new();
            let expected = test.add_pre_provisioned(ADA, was_verified);
            let claimed = match admit(&test, &identity("auth0|1", Some(ADA), true), link).unwrap() {
                Provisioned::Linked(user) => user,
                other => panic!("{other:?}"),
            };
            assert_eq!((claimed.id, claimed.auth0_id.clone()), (expected.id, Some(id("auth0|1"))));
            assert!(claimed.email_verified);
            // Fields that staff filled in stay, empty ones come from Auth0.
            assert_eq!(claimed.person.name.as_deref(), Some("Grace"));
            assert_eq!(claimed.person.phone.as_deref(), Some("+441234"));
            assert!(claimed.profile.is_some());
            assert_eq!(test.store.user_by_auth0_id(&id("auth0|1")).unwrap(), Some(claimed));
            assert_eq!(test.actions(expected.id), ["user.claimed", "user.seeded"]);

            let second = admit(&test, &identity("auth0|2", Some(ADA), true), link);
            match link {
                LinkEmail::Verified => assert!(matches!(second, Ok(Provisioned::Linked(_))), "{second:?}"),
                LinkEmail::Never => assert!(matches!(second, Err(StoreError::EmailConflict)), "{second:?}"),
            }
            assert_eq!(test.user_count(), 1);
        }
    }
}

#[test]
fn an_unverified_email_neither_claims_nor_links_nor_conflicts() {
    for link in [LinkEmail::Verified, LinkEmail::Never] {
        let test = TestStore::new();
        let ada = test.add_user("auth0|1", ADA);
        let expected = test.add_pre_provisioned("grace@example.com", true);
        for (i, address) in [ADA, ADA, "grace@example.com"].into_iter().enumerate() {
            let outcome = admit(&test, &identity(&format!("evil|{i}"), Some(address), false), link).unwrap();
            assert!(matches!(&outcome, Provisioned::Inserted(user) if !user.email_verified), "{outcome:?}");
        }
        // "Verified", but without an email.
        let outcome = admit(&test, &identity("evil|9", None, true), link).unwrap();
        assert!(matches!(&outcome, Provisioned::Inserted(user) if !user.email_verified), "{outcome:?}");
        assert_eq!(test.store.user(ada.id).unwrap(), Some(ada));
        assert_eq!(test.store.user(expected.id).unwrap(), Some(expected));
    }
}

#[test]
fn an_unverified_sign_up_does_not_keep_out_the_owner_of_the_email() {
    let test = TestStore::new();
    let squatter =
        admit(&test, &identity("evil|1", Some(ADA), false), LinkEmail::Verified).unwrap().into_user();
    let owner = test.add_user("auth0|1", ADA);
    assert_ne!(owner.id, squatter.id);
    assert_eq!(test.store.user_by_email(&email(ADA)).unwrap().unwrap().id, owner.id);
}

#[test]
fn a_second_identity_is_linked_only_by_setting() {
    let test = TestStore::new();
    let ada = test.add_user("auth0|1", ADA);
    let (google, address) = (id("google-oauth2|1"), email(ADA));
    let find = |link| test.store.find_or_link(&google, Some(&address), link, &Actor::Gate);
    assert!(matches!(find(LinkEmail::Never), Err(StoreError::EmailConflict)));
    assert!(matches!(
        admit(&test, &identity("google-oauth2|1", Some(ADA), true), LinkEmail::Never),
        Err(StoreError::EmailConflict)
    ));
    assert_eq!(test.store.user_by_auth0_id(&google).unwrap(), None);
    assert_eq!(test.actions(ada.id), ["user.inserted"]);

    // The row keeps its own identity; both lead to it.
    assert_eq!(find(LinkEmail::Verified).unwrap().unwrap(), ada);
    assert_eq!(test.store.user_by_auth0_id(&google).unwrap().unwrap(), ada);
    assert_eq!(test.store.user_by_auth0_id(&id("auth0|1")).unwrap().unwrap(), ada);
    let line = &lines_about(&test.store, ada.id, 1)[0];
    assert_eq!(line.action, "identity.linked");
    assert_eq!(line.changes, serde_json::json!({ "identity": { "old": null, "new": "google-oauth2" } }));
    // Linked is known, whatever the setting says later.
    assert_eq!(find(LinkEmail::Never).unwrap().unwrap().id, ada.id);
}

#[test]
fn find_or_link_adds_no_row() {
    let test = TestStore::new();
    let unknown = id("auth0|9");
    let address = email(ADA);
    for verified in [None, Some(&address)] {
        let found = test.store.find_or_link(&unknown, verified, LinkEmail::Verified, &Actor::Gate);
        assert_eq!(found.unwrap(), None);
    }
    assert_eq!(test.user_count(), 0);
}

#[test]
fn two_pre_provisioned_rows_cannot_have_one_email() {
    let test = TestStore::new();
    test.add_pre_provisioned(ADA, false);
    // By hand, without any function of the store.
    let twin = "INSERT INTO users (id, email, email_verified, status, roles, created_at, updated_at)
                SELECT randomblob(16), email, 0, status, roles, 0, 0 FROM users";
    assert!(test.shell().execute(twin, []).is_err());
}

#[test]
fn a_large_profile_without_personal_members_is_dropped() {
    let test = TestStore::new();
    for (auth0_id, bytes, kept) in
        [("auth0|1", PROFILE_MAX_BYTES, true), ("auth0|2", PROFILE_MAX_BYTES + 1, false)]
    {
        let mut new = identity(auth0_id, None, false);
        // Two bytes are the quotes.
        new.profile = Some("x".repeat(bytes - 2).into());
        let user = admit(&test, &new, LinkEmail::Never).unwrap().into_user();
        assert_eq!(user.profile.is_some(), kept, "{bytes}");
        assert_eq!(user.person, new.person);
    }
}

#[test]
fn a_large_profile_keeps_personal_members_of_at_most_4_kib() {
    let test = TestStore::new();
    let mut new = identity("auth0|1", None, false);
    // Two bytes are the quotes.
    let (fits, too_long) = ("x".repeat(4096 - 2), "x".repeat(4097 - 2));
    let metadata = "x".repeat(PROFILE_MAX_BYTES);
    new.profile = Some(json!({"name": fits, "nickname": too_long, "user_metadata": {"notes": metadata}}));
    let user = admit(&test, &new, LinkEmail::Never).unwrap().into_user();
    assert_eq!(user.profile.unwrap().value(), json!({"name": fits}));
}

#[test]
fn a_failed_provisioning_writes_nothing() {
    let test = TestStore::new();
    test.shell()
        .execute_batch("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
        .unwrap();
    assert!(admit(&test, &identity("auth0|1", Some(ADA), true), LinkEmail::Verified).is_err());
    assert_eq!(test.user_count(), 0);
    assert_eq!(test.store.user_by_auth0_id(&id("auth0|1")).unwrap(), None);
}
