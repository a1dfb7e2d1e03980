//! The memory of rows that changed: what is noticed, from which process, and what is not.

use super::*;
use crate::store::{ChangeNumber, UserUpdate};

fn rename(store: &Store, user: &User, name: &str) {
    let update = UserUpdate { name: Some(Some(name.to_owned())), ..UserUpdate::default() };
    store.update(user.id, &update, &Actor::Cli).unwrap();
}

#[test]
fn every_change_of_a_row_by_this_process_is_known_at_once() {
    let test = TestStore::new();
    let store = &test.store;
    let (ada, bob) = (test.add_user("auth0|1", ADA), test.add_user("auth0|2", "bob@example.com"));
    for identity in ["google|1", "github|1"] {
        store.link_identity(ada.id, &id(identity), &Actor::Cli).unwrap();
    }
    let changes: [(&str, &dyn Fn()); 9] = [
        ("name", &|| rename(store, &ada, "Ada King")),
        ("roles", &|| drop(store.set_roles(ada.id, &["admin".to_owned()], &Actor::Cli).unwrap())),
        ("sign-out", &|| drop(store.sign_out_everywhere(ada.id, &Actor::Cli).unwrap())),
        ("block", &|| drop(store.set_status(ada.id, Status::Blocked, &Actor::Cli).unwrap())),
        ("unblock", &|| drop(store.set_status(ada.id, Status::Active, &Actor::Cli).unwrap())),
        ("unlink", &|| drop(store.unlink_identity(ada.id, &id("google|1"), &Actor::Cli).unwrap())),
        ("identity by hand", &|| {
            test.shell()
                .execute("UPDATE identities SET auth0_id = 'x|1' WHERE auth0_id = 'github|1'", [])
                .unwrap();
            store.poll_changes();
        }),
        ("merge", &|| drop(store.merge(ada.id, bob.id, &Actor::Cli).unwrap())),
        ("erase", &|| drop(store.set_status(ada.id, Status::Erased, &Actor::Cli).unwrap())),
    ];
    for (what, change) in changes {
        let before = store.latest_change();
        assert!(store.is_unchanged(ada.id, before), "{what}");
        test.clock.advance(Duration::from_millis(1));
        change();
        assert!(!store.is_unchanged(ada.id, before), "{what}");
        assert!(store.is_unchanged(ada.id, store.latest_change()), "{what}");
    }
    assert!(!store.is_unchanged(ada.id, ChangeNumber::default()), "0 is before everything");
}

#[test]
fn changes_of_others_are_none() {
    let test = TestStore::new();
    let ada = test.add_user("auth0|1", ADA);
    // Rarely a user shares the slot of Ada.
    let others: Vec<_> =
        (2..6).map(|i| test.add_user(&format!("auth0|{i}"), &format!("{i}@example.com"))).collect();
    let before = test.store.latest_change();
    rename(&test.store, &ada, "Ada King");
    assert!(others.iter().any(|other| test.store.is_unchanged(other.id, before)));
}

#[test]
fn a_change_of_any_column_and_a_deletion_are_known() {
    let test = TestStore::new();
    let ada = test.add_user("auth0|1", ADA);
    let shell = test.shell();
    shell.pragma_update(None, "foreign_keys", false).unwrap();
    shell.pragma_update(None, "ignore_check_constraints", true).unwrap();
    let columns = "SELECT name, type FROM pragma_table_info('users') WHERE name <> 'id'";
    let columns: Vec<(String, String)> = shell
        .prepare(columns)
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(columns.len() > 15, "{columns:?}");
    let statements = columns.iter().map(|(name, kind)| match kind.as_str() {
        "INTEGER" => format!("UPDATE users SET {name} = coalesce({name}, 0) + 1"),
        _ if name == "roles" => "UPDATE users SET roles = '[\"admin\"]'".to_owned(),
        _ => format!("UPDATE users SET {name} = '{{}}'"),
    });
    for statement in statements.chain(["DELETE FROM users".to_owned()]) {
        let before = test.store.latest_change();
        assert_eq!(shell.execute(&statement, []).unwrap(), 1, "{statement}");
        test.store.poll_changes();
        assert!(!test.store.is_unchanged(ada.id, before), "{statement}");
    }
}

#[test]
fn a_change_by_another_process_is_known_within_20_ms_without_a_poll() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let (other, before) = (test.another_process(), test.store.latest_change());
    other.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    test.clock.advance(Duration::from_millis(19));
    assert!(test.store.is_unchanged(user.id, before), "memory is not compared with the database each time");
    test.clock.advance(Duration::from_millis(1));
    assert!(!test.store.is_unchanged(user.id, before));
    assert!(test.store.is_unchanged(user.id, test.store.latest_change()));
}

#[test]
fn while_the_changes_cannot_be_read_no_row_counts_as_unchanged() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let before = test.store.latest_change();
    test.shell().execute_batch("ALTER TABLE user_changes RENAME TO gone").unwrap();
    test.clock.advance(Duration::from_millis(20));
    assert!((0..2).all(|_| !test.store.is_unchanged(user.id, before)));
    test.shell().execute_batch("ALTER TABLE gone RENAME TO user_changes").unwrap();
    test.clock.advance(Duration::from_millis(20));
    assert!(test.store.is_unchanged(user.id, before));
}

#[test]
fn a_command_that_changed_something_waits_until_servers_apply_it() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let command = Store::open_existing(&test.settings, Clock::system()).unwrap();
    command.user(user.id).unwrap();
    assert!(!command.database.has_written(), "a command that only read does not wait");
    command.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    let clock = Clock::system();
    command.wait_until_known();
    assert!(clock.elapsed() >= Duration::from_millis(20));
}

#[test]
fn a_change_by_another_process_is_known_after_the_next_poll() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let other = test.another_process();
    let before = test.store.latest_change();
    other.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    test.store.poll_changes();
    assert!(!test.store.is_unchanged(user.id, before));
    // Also a change made by hand.
    let before = test.store.latest_change();
    test.shell().execute("UPDATE users SET name = 'Eve'", []).unwrap();
    test.store.poll_changes();
    assert!(!test.store.is_unchanged(user.id, before));
}

#[test]
fn after_more_changes_than_are_kept_all_rows_count_as_changed() {
    let test = TestStore::new();
    let (ada, bob) = (test.add_user("auth0|1", ADA), test.add_user("auth0|2", "bob@example.com"));
    let before = test.store.latest_change();
    let shell = test.shell();
    shell.execute_batch("BEGIN").unwrap();
    shell.execute("UPDATE users SET name = 'Ada King' WHERE auth0_id = 'auth0|1'", []).unwrap();
    for _ in 0..4096 {
        shell.execute("UPDATE users SET name = 'Bob' WHERE auth0_id = 'auth0|2'", []).unwrap();
    }
    shell.execute_batch("COMMIT").unwrap();
    let kept: i64 = shell.query_row("SELECT count(*) FROM user_changes", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 4096);
    test.store.poll_changes();
    assert!(!test.store.is_unchanged(ada.id, before) && !test.store.is_unchanged(bob.id, before));
    let now = test.store.latest_change();
    assert!(test.store.is_unchanged(ada.id, now) && test.store.is_unchanged(bob.id, now));
}

#[test]
fn changes_of_several_processes_at_once_are_all_known() {
    let test = TestStore::new();
    let other = test.another_process();
    let user = test.add_user("auth0|1", ADA);
    for _ in 0..5 {
        let before = test.store.latest_change();
        std::thread::scope(|scope| {
            for i in 0..12 {
                let store = if i % 2 == 0 { &test.store } else { &other };
                let status = if i % 3 == 0 { Status::Active } else { Status::Blocked };
                scope.spawn(move || store.set_status(user.id, status, &Actor::Cli).unwrap());
            }
        });
        for store in [&test.store, &other] {
            store.poll_changes();
            let latest = store.latest_change();
            assert!(!store.is_unchanged(user.id, before) && store.is_unchanged(user.id, latest));
        }
    }
}

#[test]
fn a_closed_store_keeps_what_it_knows() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let before = test.store.latest_change();
    test.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    test.store.close().unwrap();
    assert!(!test.store.is_unchanged(user.id, before));
}
