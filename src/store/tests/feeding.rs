//! The feed: what changed, told once and in order.

use tokio::sync::broadcast::error::TryRecvError;

use super::*;
use crate::sqlite::DatabaseError;
use crate::user::Status;

#[test]
fn a_change_here_is_told_when_its_call_returns() {
    let house = House::new();
    house.verified("auth0|0", "before@example.com");
    let mut feed = house.store.subscribe().unwrap();
    let user = house.verified("auth0|1", "ada@example.com");
    house.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    for action in ["user.inserted", "user.status_set"] {
        let change = feed.try_recv().unwrap();
        assert_eq!((change.user, change.action.as_str()), (Some(user.id), action));
        assert_eq!(house.store.audit_line(change.audit).unwrap().unwrap().action, action);
    }
    assert_eq!(feed.try_recv(), Err(TryRecvError::Empty), "nothing twice, nothing from before");
}

#[test]
fn a_change_elsewhere_is_told_at_the_next_look() {
    let house = House::new();
    let other = house.another_process();
    let mut feed = house.store.subscribe().unwrap();
    let user = other
        .provision(&arrival("auth0|1", None, false), LinkEmail::Never, &Actor::Gate)
        .unwrap()
        .into_user();
    assert_eq!(feed.try_recv(), Err(TryRecvError::Empty));
    house.store.poll_changes();
    assert_eq!(feed.try_recv().unwrap().user, Some(user.id));
    house.store.poll_changes();
    assert_eq!(feed.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn what_nobody_heard_is_not_told_later() {
    let house = House::new();
    drop(house.store.subscribe().unwrap());
    house.verified("auth0|1", "ada@example.com");
    let mut feed = house.store.subscribe().unwrap();
    house.store.poll_changes();
    assert_eq!(feed.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_change_that_was_undone_is_not_told() {
    let house = House::new();
    let mut feed = house.store.subscribe().unwrap();
    let user = UserId::new(house.clock.now());
    assert!(house.store.set_status(user, Status::Blocked, &Actor::Cli).is_err());
    assert_eq!(feed.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_closed_store_ends_its_feeds() {
    let house = House::new();
    let mut feed = house.store.subscribe().unwrap();
    house.store.close().unwrap();
    assert_eq!(feed.try_recv(), Err(TryRecvError::Closed));
    assert!(matches!(house.store.subscribe(), Err(StoreError::Database(DatabaseError::Closed))));
}
