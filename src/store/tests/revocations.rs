//! Revocations in memory, of this process and of others.

use super::*;
use crate::store::Revocation;
use crate::user::Status;

#[test]
fn active_and_unknown_users_have_no_revocation() {
    let test = TestStore::new();
    test.add_user("auth0|1", ADA);
    assert_eq!(test.store.revocation(&id("auth0|1")), None);
    assert_eq!(test.store.revocation(&id("auth0|2")), None);
}

#[test]
fn a_change_by_this_process_holds_at_once() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let now = test.clock.now();
    let of = || test.store.revocation(&id("auth0|1"));
    test.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(of(), Some(Revocation { status: Status::Blocked, tokens_valid_from: Some(now) }));
    test.store.set_status(user.id, Status::Active, &Actor::Cli).unwrap();
    assert_eq!(of(), Some(Revocation { status: Status::Active, tokens_valid_from: Some(now) }));
}

#[test]
fn a_change_by_another_process_holds_within_a_second() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let other = test.another_process();
    other.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    test.clock.advance(Duration::from_millis(500));
    assert_eq!(test.store.revocation(&id("auth0|1")).unwrap().status, Status::Blocked);

    // Also a change made by hand.
    test.shell().execute("UPDATE users SET status = 'active', tokens_valid_from = NULL", []).unwrap();
    assert!(test.store.revocation(&id("auth0|1")).is_some());
    test.clock.advance(Duration::from_millis(500));
    assert_eq!(test.store.revocation(&id("auth0|1")), None);
}

#[test]
fn a_new_identity_of_a_blocked_user_is_blocked() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let other = test.another_process();
    test.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    let linked = test
        .store
        .find_or_link(&id("google|1"), Some(&email(ADA)), LinkEmail::Verified, &Actor::Gate)
        .unwrap();
    assert_eq!(linked.unwrap().status, Status::Blocked);
    assert_eq!(test.store.revocation(&id("google|1")).unwrap().status, Status::Blocked);
    test.clock.advance(Duration::from_millis(500));
    assert_eq!(other.revocation(&id("google|1")).unwrap().status, Status::Blocked);
}

#[test]
fn a_user_blocked_before_their_first_login_is_blocked_then() {
    let test = TestStore::new();
    let expected = test.add_pre_provisioned(ADA, true);
    test.store.set_status(expected.id, Status::Blocked, &Actor::Cli).unwrap();
    let came =
        test.store.provision(&identity("auth0|1", Some(ADA), true), LinkEmail::Never, &Actor::Gate).unwrap();
    assert!(matches!(came, Provisioned::Linked(_)), "{came:?}");
    assert_eq!(test.store.revocation(&id("auth0|1")).unwrap().status, Status::Blocked);
}

#[test]
fn revocations_survive_a_restart() {
    let test = TestStore::new();
    let (one, two) = (test.add_user("auth0|1", ADA), test.add_user("auth0|2", "two@example.com"));
    test.store.set_status(one.id, Status::Erased, &Actor::Cli).unwrap();
    test.store.sign_out_everywhere(two.id, &Actor::User(two.id)).unwrap();
    let restarted = test.another_process();
    assert_eq!(restarted.revocation(&id("auth0|1")).unwrap().status, Status::Erased);
    assert_eq!(restarted.revocation(&id("auth0|2")).unwrap().tokens_valid_from, Some(test.clock.now()));
}

#[test]
fn the_last_of_many_changes_holds() {
    let test = TestStore::new();
    let other = test.another_process();
    let user = test.add_user("auth0|1", ADA);
    for _ in 0..5 {
        std::thread::scope(|scope| {
            for i in 0..12 {
                let store = if i % 2 == 0 { &test.store } else { &other };
                let status = if i % 3 == 0 { Status::Active } else { Status::Blocked };
                scope.spawn(move || store.set_status(user.id, status, &Actor::Cli).unwrap());
            }
        });
        test.clock.advance(Duration::from_millis(500));
        let row = test.store.user(user.id).unwrap().unwrap();
        let wanted = Some(Revocation { status: row.status, tokens_valid_from: row.tokens_valid_from });
        assert_eq!(test.store.revocation(&id("auth0|1")), wanted);
        assert_eq!(other.revocation(&id("auth0|1")), wanted);
    }
}

#[test]
fn a_closed_store_still_has_its_revocations() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    test.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    test.store.close().unwrap();
    test.clock.advance(Duration::from_secs(5));
    assert_eq!(test.store.revocation(&id("auth0|1")).unwrap().status, Status::Blocked);
}
