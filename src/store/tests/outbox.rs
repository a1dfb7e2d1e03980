//! What Auth0 has yet to be told.

use super::*;
use crate::user::Status;

fn test() -> (TestStore, User) {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", "ada@example.com");
    test.store.link_identity(user.id, &id("google|1"), &Actor::Cli).unwrap();
    (test, user)
}

#[test]
fn auth0_is_told_of_nobody_unless_it_is_wished() {
    let (test, user) = test();
    test.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(test.store.next_due().unwrap(), None);
    // By argument, and although they are blocked here already.
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
fn wishes_outlive_a_restart_and_the_last_one_counts() {
    let (test, user) = test();
    let store = &test.store;
    store.set_status_also_at_auth0(user.id, Status::Blocked, &Actor::Cli).unwrap();
    test.clock.advance(Duration::from_secs(1));
    store.set_status_also_at_auth0(user.id, Status::Active, &Actor::Cli).unwrap();
    store.close().unwrap();
    let store = test.another_process();
    for _ in 0..2 {
        let wish = store.next_due().unwrap().unwrap();
        assert_eq!((wish.blocked, wish.attempts), (false, 0));
        store.mark_delivered(&wish, &Actor::Gate).unwrap();
    }
    assert_eq!(store.next_due().unwrap(), None);
    let actions = lines_about(&test.another_process(), user.id, 2);
    assert!(actions.iter().all(|line| line.action == "user.block_sent"), "{actions:?}");
}

#[test]
fn a_postponed_wish_is_due_again_later_and_others_go_first() {
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
fn auth0_is_told_of_every_new_way_to_somebody_blocked() {
    let (test, user) = test();
    let settings = Settings { block_at_auth0: true, ..test.settings.clone() };
    let store = Store::open(&settings, test.clock.clone()).unwrap();
    test.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    let told = || {
        let mut told = Vec::new();
        while let Some(wish) = store.next_due().unwrap() {
            assert!(wish.blocked);
            store.mark_delivered(&wish, &Actor::Gate).unwrap();
            told.push(wish.auth0_id.to_string());
        }
        told.sort();
        told
    };
    assert_eq!(told(), [""; 0], "blocked by a process that does not tell");
    store.link_identity(user.id, &id("github|1"), &Actor::Cli).unwrap();
    assert_eq!(told(), ["github|1"]);
    // By their email.
    let comes = identity("apple|1", Some("ada@example.com"), true);
    store.provision(&comes, LinkEmail::Verified, &Actor::Gate).unwrap();
    assert_eq!(told(), ["apple|1"]);
    // And whoever becomes one with them, in either direction.
    let other = test.add_user("auth0|2", "other@example.com");
    let other = store.merge(other.id, user.id, &Actor::Cli).unwrap();
    let all = ["apple|1", "auth0|1", "auth0|2", "github|1", "google|1"];
    assert_eq!(told(), all);
    let third = test.add_user("auth0|3", "third@example.com");
    store.merge(other.id, third.id, &Actor::Cli).unwrap();
    assert_eq!(told(), ["apple|1", "auth0|1", "auth0|2", "auth0|3", "github|1", "google|1"]);
    // Nobody is told of those who may come in.
    let (one, two) = (test.add_user("auth0|4", "f@example.com"), test.add_user("auth0|5", "g@example.com"));
    store.link_identity(one.id, &id("github|4"), &Actor::Cli).unwrap();
    store.merge(one.id, two.id, &Actor::Cli).unwrap();
    assert_eq!(told(), [""; 0]);
}
