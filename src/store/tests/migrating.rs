//! Migrating: what older binaries wrote is there afterwards, and holds as in a new file.

use super::*;
use crate::store::migrate;
use crate::user::Status;

/// Every table that schema 5 has, with something in every column.
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
    INSERT INTO signing_keys VALUES ('https://t.example/', '{}', 3);
    INSERT INTO unlinked_identities VALUES ('erased|1', 3, 1);
    INSERT INTO auth0_blocks VALUES ('auth0|ada', 1, 3, 1, 4);
    INSERT INTO pseudonym_keys VALUES (1, zeroblob(32));
    INSERT INTO deployments VALUES (1, 't', 'main', 'c0ffee', 'cli', 'a', 2, 3, 4, 5, 'failed', 'why');
    COMMIT;";

/// A file of schema 5.
fn furnished(house: &House) -> (Settings, Connection) {
    let settings = Settings { path: house.file("old.db"), ..house.settings.clone() };
    let mut old = Connection::open(&settings.path).unwrap();
    migrate::up_to(&mut old, 5).unwrap();
    old.execute_batch(FURNISHED).unwrap();
    (settings, old)
}

/// All tables but refinery's own, with their columns.
fn tables(connection: &Connection) -> Vec<(String, String)> {
    let sql = "SELECT t.name, group_concat(c.name ORDER BY c.cid) FROM sqlite_schema t, pragma_table_xinfo(t.name) c
               WHERE t.type = 'table' AND t.name <> 'refinery_schema_history' GROUP BY t.name";
    let mut statement = connection.prepare(sql).unwrap();
    let tables = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    tables.collect::<Result<_, _>>().unwrap()
}

/// All rows of `tables`.
fn rows(connection: &Connection, tables: &[(String, String)]) -> Vec<String> {
    let mut all = Vec::new();
    for (table, columns) in tables {
        let mut statement = connection.prepare(&format!("SELECT {columns} FROM {table}")).unwrap();
        let count = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> = (0..count).map(|at| row.get_ref(at).unwrap()).collect();
            all.push(format!("{table} ({columns}): {values:?}"));
        }
    }
    all
}

#[test]
fn a_furnished_file_of_schema_five_keeps_every_row_and_holds_as_a_new_one() {
    let house = House::new();
    let (settings, old) = furnished(&house);
    let tables = tables(&old);
    let before = rows(&old, &tables);
    for (table, _) in &tables {
        assert!(before.iter().any(|row| row.starts_with(table)), "{table}: {before:#?}");
    }
    drop(old);
    Store::migrate(&settings).unwrap();
    let new = Connection::open(&settings.path).unwrap();
    assert_eq!(rows(&new, &tables), before);
    assert_eq!(schema(&new), schema(&house.shell()));
    let dangling = new.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap();
    assert!(!dangling);
    drop(new);
    let store = Store::open(&settings, house.clock.clone()).unwrap();
    assert_eq!(store.revocation(&id("waad|ada")).unwrap().status, Status::Blocked);
    let bob = store.user_by_email(&email("bob@example.com")).unwrap().unwrap();
    store.link_identity(bob.id, &id("auth0|bob"), &Actor::Cli).unwrap();
    store.set_status(bob.id, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(store.revocation(&id("auth0|bob")).unwrap().status, Status::Blocked);
}

#[test]
fn foreign_keys_are_off_for_migrations_alone() {
    for on in [true, false] {
        let house = House::new();
        let (settings, mut old) = furnished(&house);
        old.pragma_update(None, "foreign_keys", on).unwrap();
        migrate::run(&mut old, &settings.path).unwrap();
        let after: bool = old.pragma_query_value(None, "foreign_keys", |row| row.get(0)).unwrap();
        assert_eq!(after, on);
    }
}
