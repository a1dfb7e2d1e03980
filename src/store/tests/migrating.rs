//! Migrating: what older binaries wrote is there afterwards, and holds as in a new file.

use super::*;
use crate::store::{bare, migrate};
use crate::user::Status;

/// Every table with something in every column, as schema 5 has them.
const FURNISHED: &str = "
    PRAGMA foreign_keys = ON;
    BEGIN;
    INSERT INTO users (id, auth0_id, email, email_verified, name, given_name, family_name, nickname, picture, phone,
                       status, roles, profile, profile_fetched_at, tokens_valid_from, created_at, updated_at)
    VALUES (x'0190000000007000800000000000000a', 'auth0|ada', 'ada@example.com', 1, 'Ada King', 'Ada', 'King', 'ada',
            'https://example.com/a.png', '+44', 'blocked', '[\"staff\"]', '{\"a\":1}', 1, 2, 3, 4),
           (x'0190000000007000800000000000000b', NULL, 'bob@example.com', 0, NULL, NULL, NULL, NULL, NULL, NULL,
            'active', '[]', NULL, NULL, NULL, 5, 6);
    INSERT INTO identities VALUES ('auth0|ada', x'0190000000007000800000000000000a', 3),
                                  ('waad|ada', x'0190000000007000800000000000000a', 4);
    INSERT INTO audit (at, actor_kind, action, target, changes, hash)
    VALUES (3, 'cli', 'user.imported', x'0190000000007000800000000000000a', '{}', zeroblob(32));
    INSERT INTO accepted_terms VALUES (x'0190000000007000800000000000000a', '1', 3);
    INSERT INTO creations VALUES ('cli:', 'm', x'0190000000007000800000000000000a', 3);
    COMMIT;";

/// All rows of what is older than the newest schema, column by column.
fn rows(connection: &Connection) -> Vec<String> {
    let columns = |table: &str| -> Vec<String> {
        let mut statement =
            connection.prepare("SELECT name FROM pragma_table_xinfo(?1) ORDER BY name").unwrap();
        statement.query_map([table], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let tables =
        ["users", "identities", "audit", "accepted_terms", "creations", "user_roles", "standing_changes"];
    let mut all = Vec::new();
    for table in tables {
        let columns = columns(table);
        let mut statement =
            connection.prepare(&format!("SELECT {} FROM {table}", columns.join(", "))).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> =
                (0..columns.len()).map(|at| (&columns[at], row.get_ref(at).unwrap())).collect();
            all.push(format!("{table} {values:?}"));
        }
    }
    all
}

#[test]
fn a_furnished_file_of_schema_five_keeps_every_row_and_holds_as_a_new_one() {
    let house = House::new();
    let settings = Settings { path: house.file("old.db"), ..house.settings.clone() };
    let mut old = Connection::open(&settings.path).unwrap();
    migrate::up_to(&mut old, 5);
    old.execute_batch(FURNISHED).unwrap();
    let before = rows(&old);
    assert!(before.len() == 9 && before.iter().any(|row| row.starts_with("standing_changes")), "{before:#?}");
    drop(old);
    Store::migrate(&settings).unwrap();
    let new = Connection::open(&settings.path).unwrap();
    assert_eq!(rows(&new), before);
    assert_eq!(bare::schema(&new).unwrap(), bare::schema(&house.shell()).unwrap());
    let dangling = new.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap();
    assert!(!dangling);
    drop(new);
    let store = Store::open(&settings, house.clock.clone()).unwrap();
    assert_eq!(store.standing(&id("waad|ada")).unwrap().status, Status::Blocked);
    let bob = store.user_by_email(&email("bob@example.com")).unwrap().unwrap();
    store.link_identity(bob.id, &id("auth0|bob"), &Actor::Cli).unwrap();
    store.set_status(bob.id, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(store.standing(&id("auth0|bob")).unwrap().status, Status::Blocked);
}

#[test]
fn foreign_keys_are_off_for_migrations_alone() {
    let house = House::new();
    let path = house.file("old.db");
    let mut connection = Connection::open(&path).unwrap();
    migrate::up_to(&mut connection, 5);
    for on in [true, false] {
        connection.pragma_update(None, "foreign_keys", on).unwrap();
        migrate::run(&mut connection, &path).unwrap();
        let after: bool = connection.pragma_query_value(None, "foreign_keys", |row| row.get(0)).unwrap();
        assert_eq!(after, on);
    }
}
