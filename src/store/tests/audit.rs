//! The audit trail: its chain, and its pages.

use super::*;
use crate::store::{AuditFilter, ChainHash};
use crate::user::Status;

fn store_with_audit_lines() -> (TestStore, User) {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", "ada@example.com");
    for status in [Status::Blocked, Status::Active, Status::Blocked] {
        test.store.set_status(user.id, status, &Actor::Cli).unwrap();
    }
    test.add_user("auth0|2", "grace@example.com");
    (test, user)
}

#[test]
fn a_trail_as_it_was_written_is_whole() {
    let (test, _) = store_with_audit_lines();
    let found = test.store.verify_audit(None).unwrap();
    assert!(found.is_intact() && found.lines == 5, "{found:?}");
    let head = found.head.unwrap();
    test.add_user("auth0|3", "edsger@example.com");
    assert!(test.store.verify_audit(Some(head.1)).unwrap().is_intact());
    let other: ChainHash = "0".repeat(64).parse().unwrap();
    let found = test.store.verify_audit(Some(other)).unwrap();
    assert!(!found.is_intact() && found.first_broken.is_none(), "{found:?}");
}

#[test]
fn the_first_line_that_was_tampered_with_is_named() {
    let column = ["at = at + 1", "actor_kind = 'gate'", "actor_id = 'x'", "action = 'user.inserted'"];
    let more = ["target = NULL", "changes = '{}'", "request_id = 'x'", "hash = zeroblob(32)"];
    for change in column.into_iter().chain(more) {
        let (test, _) = store_with_audit_lines();
        let tamper = format!("DROP TRIGGER audit_is_never_updated; UPDATE audit SET {change} WHERE id = 3");
        test.shell().execute_batch(&tamper).unwrap();
        assert_eq!(test.store.verify_audit(None).unwrap().first_broken, Some(3), "{change}");
    }
    for (tamper, broken) in [("id = 3", Some(4)), ("id = 1", Some(2))] {
        let (test, _) = store_with_audit_lines();
        let tamper = format!("DROP TRIGGER audit_is_never_deleted; DELETE FROM audit WHERE {tamper}");
        test.shell().execute_batch(&tamper).unwrap();
        assert_eq!(test.store.verify_audit(None).unwrap().first_broken, broken, "{tamper}");
    }
}

#[test]
fn lines_that_were_cut_off_are_missed_by_their_hash() {
    let (test, _) = store_with_audit_lines();
    let head = test.store.verify_audit(None).unwrap().head.unwrap().1;
    test.shell()
        .execute_batch("DROP TRIGGER audit_is_never_deleted; DELETE FROM audit WHERE id = 5")
        .unwrap();
    assert!(test.store.verify_audit(None).unwrap().is_intact(), "the chain alone can not tell");
    assert!(!test.store.verify_audit(Some(head)).unwrap().is_intact());
}

#[test]
fn pages_of_the_trail_follow_each_other_from_the_newest() {
    let (test, user) = store_with_audit_lines();
    let read = |user, action: Option<&str>, first, older_than| {
        let filter = AuditFilter { user, action: action.map(str::to_owned) };
        let args = PageArgs { after: older_than, ..PageArgs::first(first) };
        let page = test.store.list_audit(&filter, &args).unwrap();
        (page.items.iter().map(|line| line.id).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(read(None, None, 2, None), (vec![5, 4], true));
    assert_eq!(read(None, None, 3, Some(4)), (vec![3, 2, 1], false));
    assert_eq!(read(Some(user.id), None, 9, None), (vec![4, 3, 2, 1], false));
    assert_eq!(read(None, Some("user.inserted"), 1, None), (vec![5], true));
    assert_eq!(read(Some(user.id), Some("user.inserted"), 9, None), (vec![1], false));
    assert_eq!(read(None, Some("no such action"), 9, None), (vec![], false));
    assert_eq!(test.store.audit_line(3).unwrap().unwrap().action, "user.status_set");
    assert_eq!(test.store.audit_line(6).unwrap(), None);
}
