//! The audit log: its lines, its chain, its pages.

use serde_json::json;

use super::*;
use crate::store::{AuditFilter, ChainHash, UserUpdate};
use crate::telemetry::RequestId;
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
fn an_untouched_audit_log_is_intact() {
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
fn verification_names_the_first_line_that_was_changed_by_hand() {
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
fn a_known_head_reveals_lines_that_were_cut_off() {
    let (test, _) = store_with_audit_lines();
    let head = test.store.verify_audit(None).unwrap().head.unwrap().1;
    test.shell()
        .execute_batch("DROP TRIGGER audit_is_never_deleted; DELETE FROM audit WHERE id = 5")
        .unwrap();
    assert!(test.store.verify_audit(None).unwrap().is_intact(), "the chain alone cannot show it");
    assert!(!test.store.verify_audit(Some(head)).unwrap().is_intact());
}

#[test]
fn audit_pages_start_with_the_newest_line() {
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

#[test]
fn a_line_has_its_actor_and_changes_but_no_personal_data() {
    let test = TestStore::new();
    let staff = test.add_user("auth0|staff", "staff@example.com");
    let user = test.add_user("waad|ada@example.com", ADA);
    let request = RequestId::fresh();
    let store = test.store.for_request(request);
    store.set_status(user.id, Status::Blocked, &Actor::User(staff.id)).unwrap();
    store.set_roles(user.id, &["admin".into()], &Actor::Machine("client".into())).unwrap();
    test.store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();

    let lines = lines_about(&test.store, user.id, 100);
    let now = test.clock.now();
    let who: Vec<_> = lines.iter().map(|line| (line.actor_kind.as_str(), line.actor_id.as_deref())).collect();
    let staff_id = staff.id.to_string();
    assert_eq!(
        who,
        [("cli", None), ("machine", Some("client")), ("user", Some(staff_id.as_str())), ("gate", None)]
    );
    assert_eq!(lines[2].action, "user.status_set");
    assert_eq!(
        lines[2].changes,
        json!({
            "status": { "old": "active", "new": "blocked" },
            "tokensValidFrom": { "old": null, "new": now.to_string() },
        })
    );
    assert_eq!(lines[1].changes["roles"], json!({ "old": [], "new": ["admin"] }));
    assert_eq!(lines[2].request_id, Some(request.to_string()));
    assert_eq!(lines[0].request_id, None);
    assert!(lines.iter().all(|line| line.target == Some(user.id) && line.at == now));
    assert_eq!(lines[0].changes["email"], "redacted");
    assert_eq!(lines[3].changes["phone"], "redacted");
    for line in &lines {
        let text = line.changes.to_string();
        for personal in ["ada@example.com", "Lovelace", "+44", "countess"] {
            assert!(!text.contains(personal), "{text}");
        }
    }
}

#[test]
fn the_audit_log_is_append_only_even_by_hand() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let shell = test.shell();
    for attempt in [
        "UPDATE audit SET actor_kind = 'cli'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT id, at, 'cli', actor_id, action, target, changes, request_id, hash FROM audit",
    ] {
        let error = shell.execute(attempt, []).unwrap_err();
        assert!(error.to_string().contains("append-only"), "{attempt}: {error}");
    }
    assert_eq!(test.actions(user.id), ["user.inserted"]);
}

#[test]
fn a_change_that_changes_nothing_writes_no_line() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let gone = test.add_user("auth0|2", "gone@example.com");
    let (store, id, by) = (&test.store, user.id, &Actor::Cli);
    let update = UserUpdate { name: Some(Some("Ada King".into())), ..UserUpdate::default() };
    let row = ImportRow { auth0_id: user.auth0_id.clone(), blocked: Some(true), ..ImportRow::default() };
    let rules = ImportRules { link: LinkEmail::Verified.into(), dry_run: false };
    let changes: [(&str, &dyn Fn()); 8] = [
        ("update", &|| drop(store.update(id, &update, by).unwrap())),
        ("roles", &|| drop(store.set_roles(id, &["support".into()], by).unwrap())),
        ("terms", &|| drop(store.accept_terms(id, "v1", by).unwrap())),
        ("link", &|| drop(store.link_identity(id, &self::id("google|1"), by).unwrap())),
        ("merge", &|| drop(store.merge(id, gone.id, by).unwrap())),
        ("import", &|| drop(import(store, std::slice::from_ref(&row), rules).unwrap())),
        ("sign-out", &|| drop(store.sign_out_everywhere(id, by).unwrap())),
        ("erasure", &|| drop(store.set_status(id, Status::Erased, by))),
    ];
    for (name, change) in changes {
        test.clock.advance(Duration::from_millis(1));
        let lines = || store.count_audit(&AuditFilter::default()).unwrap();
        let before = lines();
        change();
        let after = lines();
        assert!(after > before, "{name}");
        change();
        assert_eq!(lines(), after, "{name}");
    }
}
