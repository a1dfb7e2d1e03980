//! Reads that are interrupted.

use super::*;
use crate::sqlite::{DatabaseError, Interrupt};
use crate::store::{AuditFilter, PageArgs, UserFilter, UserOrder};

#[test]
fn lists_and_counts_can_be_interrupted_with_every_filter() {
    let test = TestStore::new();
    let seeds: Vec<_> = (0..500)
        .map(|i| SeedUser {
            auth0_id: Some(id(&format!("auth0|{i}"))),
            email: Some(email(&format!("p{i}@example.com"))),
            name: Some("Ada".into()),
            roles: vec!["all".into()],
            ..seed()
        })
        .collect();
    test.store.seed(&seeds, &Actor::Seed).unwrap();
    let interrupt = Interrupt::after(Duration::ZERO, test.clock.clone());
    let store = test.store.interruptible(&interrupt);
    let all = UserFilter::default();
    for filter in [
        all.clone(),
        UserFilter { search: Some("p".into()), ..all.clone() },
        UserFilter { role: Some("all".into()), ..all.clone() },
        UserFilter { name: Some("ada".into()), status: Some(Status::Active), ..all.clone() },
    ] {
        let counted = store.count_users(&filter);
        assert!(
            matches!(counted, Err(StoreError::Database(DatabaseError::Interrupted))),
            "{filter:?}: {counted:?}"
        );
        assert_eq!(test.store.count_users(&filter).unwrap(), 500, "{filter:?}");
    }
    let slice = PageArgs { after: None, before: None, limit: 100, from_end: false };
    let listed =
        store.list_users(&UserFilter { role: Some("all".into()), ..all }, UserOrder::Name, false, &slice);
    assert!(matches!(listed, Err(StoreError::Database(DatabaseError::Interrupted))), "{listed:?}");

    let seeded = AuditFilter { user: None, action: Some("user.seeded".into()) };
    for filter in [AuditFilter::default(), seeded] {
        let counted = store.count_audit(&filter);
        assert!(
            matches!(counted, Err(StoreError::Database(DatabaseError::Interrupted))),
            "{filter:?}: {counted:?}"
        );
    }
    let slice = PageArgs { after: None, before: None, limit: 100, from_end: false };
    let listed = store.list_audit(&AuditFilter::default(), &slice);
    assert!(matches!(listed, Err(StoreError::Database(DatabaseError::Interrupted))), "{listed:?}");
    assert_eq!(test.store.list_audit(&AuditFilter::default(), &slice).unwrap().items.len(), 100);
}
