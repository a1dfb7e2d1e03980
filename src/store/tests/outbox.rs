//! The outbox of blocks.

use super::*;
use crate::user::Status;

fn test() -> (TestStore, User) {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", "ada@example.com");
    test.store.link_identity(user.id, &id("google|1"), &Actor::Cli).unwrap();
    (test, user)
}

#[test]
fn blocks_are_enqueued_only_by_setting_or_argument() {
    let (test, user) = test();
    test.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(test.store.next_due().unwrap(), None);
    // By argument, although they are blocked already.
    test.store.set_status_also_at_auth0(user.id, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(test.store.pending_deliveries().unwrap(), (2, Some(test.clock.now())));
    // By setting.
    let settings = Settings { block_at_auth0: true, ..test.settings.clone() };
    let store = Store::open(&settings, test.clock.clone()).unwrap();
    let other = test.add_user("auth0|2", "other@example.com");
    store.set_status(other.id, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(store.pending_deliveries().unwrap().0, 3);
}

#[test]
fn entries_survive_a_restart_and_the_last_one_counts() {
    let (test, user) = test();
    let store = &test.store;
    store.set_status_also_at_auth0(user.id, Status::Blocked, &Actor::Cli).unwrap();
    test.clock.advance(Duration::from_secs(1));
    store.set_status_also_at_auth0(user.id, Status::Active, &Actor::Cli).unwrap();
    store.close().unwrap();
    let store = test.another_process();
    for _ in 0..2 {
        let delivery = store.next_due().unwrap().unwrap();
        assert_eq!((delivery.blocked, delivery.attempts), (false, 0));
        store.mark_delivered(&delivery, &Actor::Gate).unwrap();
    }
    assert_eq!(store.next_due().unwrap(), None);
    let actions = lines_about(&test.another_process(), user.id, 2);
    assert!(actions.iter().all(|line| line.action == "user.block_sent"), "{actions:?}");
}

#[test]
fn a_postponed_entry_is_due_after_the_others() {
    let (test, user) = test();
    test.store.set_status_also_at_auth0(user.id, Status::Blocked, &Actor::Cli).unwrap();
    let first = test.store.next_due().unwrap().unwrap();
    test.store.postpone(&first, Duration::from_secs(60)).unwrap();
    let second = test.store.next_due().unwrap().unwrap();
    assert_ne!(first.auth0_id, second.auth0_id);
    test.store.mark_delivered(&second, &Actor::Gate).unwrap();
    assert_eq!(test.store.next_due().unwrap(), None);
    test.clock.advance(Duration::from_secs(60));
    let again = test.store.next_due().unwrap().unwrap();
    assert_eq!((again.auth0_id, again.attempts), (first.auth0_id, 1));
}

#[test]
fn a_wish_made_while_auth0_was_being_told_is_told_next() {
    let (test, user) = test();
    test.store.set_status_also_at_auth0(user.id, Status::Blocked, &Actor::Cli).unwrap();
    let under_way = test.store.next_due().unwrap().unwrap();
    test.clock.advance(Duration::from_secs(1));
    test.store.set_status_also_at_auth0(user.id, Status::Active, &Actor::Cli).unwrap();
    test.store.mark_delivered(&under_way, &Actor::Gate).unwrap();
    assert_eq!(test.store.pending_deliveries().unwrap().0, 2);
}

#[test]
fn new_identities_of_a_blocked_user_are_enqueued() {
    let (test, user) = test();
    let settings = Settings { block_at_auth0: true, ..test.settings.clone() };
    let store = Store::open(&settings, test.clock.clone()).unwrap();
    test.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    let enqueued = || {
        let mut enqueued = Vec::new();
        while let Some(delivery) = store.next_due().unwrap() {
            assert!(delivery.blocked);
            store.mark_delivered(&delivery, &Actor::Gate).unwrap();
            enqueued.push(delivery.auth0_id.to_string());
        }
        enqueued.sort();
        enqueued
    };
    assert_eq!(enqueued(), [""; 0], "blocked by a process with block_at_auth0 off");
    store.link_identity(user.id, &id("github|1"), &Actor::Cli).unwrap();
    assert_eq!(enqueued(), ["github|1"]);
    // By their email.
    let comes = identity("apple|1", Some("ada@example.com"), true);
    store.provision(&comes, LinkEmail::Verified, &Actor::Gate).unwrap();
    assert_eq!(enqueued(), ["apple|1"]);
    // And the identities of a merged user, in either direction.
    let other = test.add_user("auth0|2", "other@example.com");
    let other = store.merge(other.id, user.id, &Actor::Cli).unwrap();
    let all = ["apple|1", "auth0|1", "auth0|2", "github|1", "google|1"];
    assert_eq!(enqueued(), all);
    let third = test.add_user("auth0|3", "third@example.com");
    store.merge(other.id, third.id, &Actor::Cli).unwrap();
    assert_eq!(enqueued(), ["apple|1", "auth0|1", "auth0|2", "auth0|3", "github|1", "google|1"]);
    // Identities of an active user are not enqueued.
    let (one, two) = (test.add_user("auth0|4", "f@example.com"), test.add_user("auth0|5", "g@example.com"));
    store.link_identity(one.id, &id("github|4"), &Actor::Cli).unwrap();
    store.merge(one.id, two.id, &Actor::Cli).unwrap();
    assert_eq!(enqueued(), [""; 0]);
}
