//! Reads that are ended: too long, or waited for by nobody.

use std::time::Duration;

use super::*;
use crate::store::{AuditFilter, Interrupt, PageArgs, UserFilter, UserOrder};

/// Ends only when somebody ends it.
fn endless(store: &Store) -> Result<i64, StoreError> {
    counting(store, "SELECT 1 UNION ALL SELECT n + 1 FROM c")
}

/// Long enough to be asked about many times.
fn long(store: &Store) -> Result<i64, StoreError> {
    counting(store, "SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000")
}

fn counting(store: &Store, numbers: &str) -> Result<i64, StoreError> {
    let sql = format!("WITH RECURSIVE c (n) AS ({numbers}) SELECT count(*) FROM c");
    store.read(|connection| Ok(connection.query_one(&sql, [], |row| row.get(0))?))
}

#[test]
fn a_read_that_takes_too_long_is_ended_and_the_next_on_its_connection_is_not() {
    let house = House::with_readers(1);
    let interrupt = Interrupt::after(Duration::from_secs(9));
    let bounded = house.store.interruptible(&interrupt);
    assert_eq!(long(&bounded).unwrap(), 100_000, "the clock stands still");
    std::thread::scope(|scope| {
        let read = scope.spawn(|| endless(&bounded));
        while !read.is_finished() {
            house.clock.advance(Duration::from_secs(1));
            std::thread::yield_now();
        }
        let ended = read.join().unwrap();
        assert!(matches!(ended, Err(StoreError::Interrupted)), "{ended:?}");
    });
    assert_eq!(long(&house.store).unwrap(), 100_000);
}

#[test]
fn a_read_that_nobody_waits_for_is_ended_or_does_not_begin() {
    let house = House::new();
    let interrupt = Interrupt::after(Duration::from_secs(9));
    let bounded = house.store.interruptible(&interrupt);
    std::thread::scope(|scope| {
        let read = scope.spawn(|| endless(&bounded));
        drop(interrupt);
        let ended = read.join().unwrap();
        assert!(matches!(ended, Err(StoreError::Interrupted)), "{ended:?}");
    });
    assert!(matches!(bounded.ping(), Err(StoreError::Interrupted)));
    assert!(house.store.ping().is_ok());
}

#[test]
fn a_panic_leaves_a_connection_that_nobody_ends() {
    let house = House::with_readers(1);
    let interrupt = Interrupt::after(Duration::from_secs(9));
    let bounded = house.store.interruptible(&interrupt);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = bounded.read(|_| -> Result<(), StoreError> { panic!("on purpose") });
    }));
    assert!(caught.is_err());
    drop(interrupt);
    assert_eq!(long(&house.store).unwrap(), 100_000);
}

#[test]
fn lists_counts_and_pages_of_the_trail_can_be_ended_whatever_they_are_filtered_by() {
    let house = House::new();
    let seeds: Vec<_> = (0..500)
        .map(|i| SeedUser {
            auth0_id: Some(id(&format!("auth0|{i}"))),
            email: Some(email(&format!("p{i}@example.com"))),
            name: Some("Ada".into()),
            roles: vec!["all".into()],
            ..seed()
        })
        .collect();
    house.store.seed(&seeds, &Actor::Seed).unwrap();
    let interrupt = Interrupt::after(Duration::ZERO);
    let store = house.store.interruptible(&interrupt);
    let all = UserFilter::default();
    for filter in [
        all.clone(),
        UserFilter { search: Some("p".into()), ..all.clone() },
        UserFilter { role: Some("all".into()), ..all.clone() },
        UserFilter { name: Some("ada".into()), status: Some(crate::user::Status::Active), ..all.clone() },
    ] {
        let counted = store.count_users(&filter);
        assert!(matches!(counted, Err(StoreError::Interrupted)), "{filter:?}: {counted:?}");
        assert_eq!(house.store.count_users(&filter).unwrap(), 500, "{filter:?}");
    }
    let slice = PageArgs { after: None, before: None, limit: 100, from_end: false };
    let listed =
        store.list_users(&UserFilter { role: Some("all".into()), ..all }, UserOrder::Name, false, &slice);
    assert!(matches!(listed, Err(StoreError::Interrupted)), "{listed:?}");

    let seeded = AuditFilter { user: None, action: Some("user.seeded".into()) };
    for filter in [AuditFilter::default(), seeded] {
        let counted = store.count_audit(&filter);
        assert!(matches!(counted, Err(StoreError::Interrupted)), "{filter:?}: {counted:?}");
    }
    let slice = PageArgs { after: None, before: None, limit: 100, from_end: false };
    let listed = store.list_audit(&AuditFilter::default(), &slice);
    assert!(matches!(listed, Err(StoreError::Interrupted)), "{listed:?}");
    assert_eq!(house.store.list_audit(&AuditFilter::default(), &slice).unwrap().items.len(), 100);
}
