//! The feed of changes.

use tokio::sync::broadcast::error::TryRecvError;

use super::*;
use crate::sqlite::DatabaseError;
use crate::user::Status;

#[test]
fn a_change_is_published_when_its_call_returns() {
    let test = TestStore::new();
    test.add_user("auth0|0", "before@example.com");
    let mut feed = test.store.subscribe().unwrap();
    let user = test.add_user("auth0|1", "ada@example.com");
    test.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    for action in ["user.inserted", "user.status_set"] {
        let change = feed.try_recv().unwrap();
        assert_eq!((change.user, change.action.as_str()), (Some(user.id), action));
        assert_eq!(test.store.audit_line(change.audit).unwrap().unwrap().action, action);
    }
    assert_eq!(feed.try_recv(), Err(TryRecvError::Empty), "nothing twice, nothing from before");
}

#[test]
fn a_change_of_another_process_is_published_at_the_next_poll() {
    let test = TestStore::new();
    let other = test.another_process();
    let mut feed = test.store.subscribe().unwrap();
    let user = other
        .provision(&identity("auth0|1", None, false), LinkEmail::Never, &Actor::Gate)
        .unwrap()
        .into_user();
    assert_eq!(feed.try_recv(), Err(TryRecvError::Empty));
    test.store.poll_changes();
    assert_eq!(feed.try_recv().unwrap().user, Some(user.id));
    test.store.poll_changes();
    assert_eq!(feed.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn changes_from_before_a_subscription_are_not_published() {
    let test = TestStore::new();
    drop(test.store.subscribe().unwrap());
    test.add_user("auth0|1", "ada@example.com");
    let mut feed = test.store.subscribe().unwrap();
    test.store.poll_changes();
    assert_eq!(feed.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_rolled_back_change_is_not_published() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", "ada@example.com").id;
    let mut feed = test.store.subscribe().unwrap();
    // Fails after the row and the audit line are written.
    let fails = "CREATE TRIGGER fails AFTER INSERT ON audit BEGIN SELECT RAISE(ABORT, 'on purpose'); END";
    test.shell().execute_batch(fails).unwrap();
    assert!(test.store.set_status(user, Status::Blocked, &Actor::Cli).is_err());
    test.store.poll_changes();
    assert_eq!(feed.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(test.store.user(user).unwrap().unwrap().status, Status::Active);
    test.shell().execute_batch("DROP TRIGGER fails").unwrap();
    test.store.set_status(user, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(feed.try_recv().unwrap().action, "user.status_set");
    assert_eq!(feed.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_closed_store_ends_its_subscriptions() {
    let test = TestStore::new();
    let mut feed = test.store.subscribe().unwrap();
    test.store.close().unwrap();
    assert_eq!(feed.try_recv(), Err(TryRecvError::Closed));
    assert!(matches!(test.store.subscribe(), Err(StoreError::Database(DatabaseError::Closed))));
}
