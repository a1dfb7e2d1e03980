//! Opening: file modes, settings, versions, closing.

use super::*;
use crate::store::migrate;

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::new();
    house.verified("auth0|1", "ada@example.com");
    let mode = |name: &str| std::fs::metadata(house.file(name)).unwrap().permissions().mode() & 0o777;
    for name in ["vestibule.db", "vestibule.db-wal", "vestibule.db-shm"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    house.store.close().unwrap();
    // A backup restored with cp.
    std::fs::set_permissions(house.file("vestibule.db"), std::fs::Permissions::from_mode(0o644)).unwrap();
    house.another_process();
    assert_eq!(mode("vestibule.db"), 0o600);
}

#[test]
fn every_connection_keeps_its_settings() {
    let house = House::new();
    let settings = |connection: &Connection| {
        [
            "journal_mode",
            "synchronous",
            "foreign_keys",
            "trusted_schema",
            "secure_delete",
            "cell_size_check",
            "busy_timeout",
            "query_only",
        ]
        .map(|name| {
            connection
                .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
                .map(|value| match value {
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    other => panic!("{other:?}"),
                })
                .unwrap()
        })
        .join(" ")
    };
    let shared = &house.store.shared;
    let writer = shared.writer.with(|connection| Ok(settings(connection))).unwrap();
    assert_eq!(writer, "wal 2 1 0 1 1 10000 0");
    let reader = shared.readers.with(|connection| Ok(settings(connection))).unwrap();
    assert_eq!(reader, "wal 2 1 0 1 1 10000 1");
}

#[test]
fn a_reader_can_not_write() {
    let house = House::new();
    let outcome = house.store.read(|connection| Ok(connection.execute("DELETE FROM users", [])?));
    assert!(matches!(outcome, Err(StoreError::Sqlite(_))), "{outcome:?}");
}

#[test]
fn the_bundled_sqlite_has_no_wal_reset_bug() {
    // Fixed in 3.51.3.
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let house = House::new();
    let user = house.verified("auth0|1", "ada@example.com");
    house.store.close().unwrap();
    assert_eq!(house.another_process().user(user.id).unwrap(), Some(user));
}

#[test]
fn migrating_tells_from_where_to_where() {
    let house = House::new();
    let to = migrate::known();
    assert_eq!(Store::migrate(&house.settings).unwrap(), crate::store::Migrated { from: to, to });
    let fresh = Settings { path: house.file("fresh.db"), ..house.settings.clone() };
    assert_eq!(Store::migrate(&fresh).unwrap(), crate::store::Migrated { from: 0, to });
}

#[test]
fn processes_that_start_together_migrate_once() {
    let house = House::new();
    for round in 0..5 {
        let settings = Settings { path: house.file(&format!("{round}.db")), ..house.settings.clone() };
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| Store::open(&settings, house.clock.clone()).unwrap());
            }
        });
        let shell = Connection::open(&settings.path).unwrap();
        let applied: i32 =
            shell.query_row("SELECT count(*) FROM refinery_schema_history", [], |row| row.get(0)).unwrap();
        assert_eq!(applied, migrate::known());
    }
}

/// A file as an older binary made it.
fn old(house: &House) -> Settings {
    let settings = Settings { path: house.file("old.db"), ..house.settings.clone() };
    migrate::up_to(&mut Connection::open(&settings.path).unwrap(), migrate::known() - 1).unwrap();
    settings
}

#[test]
fn nobody_migrates_under_somebody_who_has_the_database_open() {
    let house = House::new();
    let settings = old(&house);
    let version = || migrate::version(&Connection::open(&settings.path).unwrap()).unwrap();
    // A server of the older binary.
    let server = crate::store::lock::Lock::shared(&settings.path).unwrap();
    for outcome in
        [Store::open(&settings, house.clock.clone()).map(drop), Store::migrate(&settings).map(drop)]
    {
        assert!(matches!(outcome, Err(StoreError::InUse { .. })), "{outcome:?}");
    }
    assert_eq!(version(), migrate::known() - 1);
    assert!(!house.file(&format!("old.db.schema-{}", version())).exists());
    drop(server);
    // A shell knows nothing of our lock.
    let shell = Connection::open(&settings.path).unwrap();
    shell.execute_batch("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE").unwrap();
    let hasty = Settings { busy_timeout: Duration::ZERO, ..settings.clone() };
    assert!(matches!(Store::migrate(&hasty), Err(StoreError::Busy)));
    drop(shell);
    Store::open(&settings, house.clock.clone()).unwrap();
    assert_eq!(version(), migrate::known());
}

#[test]
fn what_must_be_there_is_neither_made_nor_migrated() {
    let house = House::new();
    let open = |settings: &Settings| Store::open_existing(settings, house.clock.clone());
    let nowhere = Settings { path: house.file("no.db"), ..house.settings.clone() };
    assert!(matches!(open(&nowhere), Err(StoreError::Missing { .. })));
    assert!(!nowhere.path.exists() && !house.file("no.db.lock").exists());
    let settings = old(&house);
    let error = open(&settings).unwrap_err();
    assert!(error.to_string().contains("vestibule migrate"), "{error}");
    assert_eq!(migrate::version(&Connection::open(&settings.path).unwrap()).unwrap(), migrate::known() - 1);
    house.shell().execute("UPDATE refinery_schema_history SET checksum = '7'", []).unwrap();
    assert!(matches!(open(&house.settings), Err(StoreError::Migration(_))));
}

#[test]
fn who_only_reads_waits_for_nobody_who_writes() {
    let house = House::new();
    let ada = house.verified("auth0|1", "ada@example.com");
    let shell = house.shell();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let hasty = Settings { busy_timeout: Duration::ZERO, ..house.settings.clone() };
    for open in [Store::open, Store::open_existing] {
        let store = open(&hasty, house.clock.clone()).unwrap();
        assert_eq!(store.user(ada.id).unwrap().as_ref(), Some(&ada));
        assert!(store.verify_audit(None).unwrap().is_intact());
        store.close().unwrap();
    }
    shell.execute_batch("ROLLBACK").unwrap();
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let house = House::new();
    let newer = "INSERT INTO refinery_schema_history SELECT 99, 'later', applied_on, '1'
                 FROM refinery_schema_history LIMIT 1";
    house.shell().execute(newer, []).unwrap();
    let error = Store::open(&house.settings, house.clock.clone()).unwrap_err();
    assert!(matches!(error, StoreError::SchemaTooNew { found: 99, .. }), "{error:?}");
    assert!(error.to_string().contains("schema 99"), "{error}");
    assert!(matches!(Store::migrate(&house.settings), Err(StoreError::SchemaTooNew { .. })));
}

#[test]
fn an_edited_migration_is_refused() {
    let house = House::new();
    house.shell().execute("UPDATE refinery_schema_history SET checksum = '7'", []).unwrap();
    let outcome = Store::open(&house.settings, house.clock.clone());
    assert!(matches!(outcome, Err(StoreError::Migration(_))), "{outcome:?}");
}

#[test]
fn files_that_are_not_ours_are_refused_and_left_alone() {
    let house = House::new();
    let settings = |name: &str| Settings { path: house.file(name), ..house.settings.clone() };
    Connection::open(house.file("other.db")).unwrap().execute("CREATE TABLE theirs (a)", []).unwrap();
    let outcome = Store::open(&settings("other.db"), house.clock.clone());
    assert!(matches!(outcome, Err(StoreError::NotOurs { .. })), "{outcome:?}");

    let letter = "Dear Sir or Madam, ".repeat(100);
    std::fs::write(house.file("letter.txt"), &letter).unwrap();
    let outcome = Store::open(&settings("letter.txt"), house.clock.clone());
    assert!(matches!(outcome, Err(StoreError::Damaged { .. })), "{outcome:?}");
    assert_eq!(std::fs::read_to_string(house.file("letter.txt")).unwrap(), letter);

    let outcome = Store::open(&settings("no/such/directory.db"), house.clock.clone());
    assert!(matches!(outcome, Err(StoreError::File { .. })), "{outcome:?}");
}

#[test]
fn a_closed_store_says_so_and_leaves_one_file() {
    let house = House::new();
    house.verified("auth0|1", "ada@example.com");
    house.store.ping().unwrap();
    let clone = house.store.clone();
    house.store.close().unwrap();
    house.store.close().unwrap();
    assert!(matches!(clone.ping(), Err(StoreError::Closed)));
    assert!(matches!(clone.seed(&[], &Actor::Cli), Err(StoreError::Closed)));
    assert!(!house.file("vestibule.db-wal").exists());
}

#[test]
fn a_writer_that_another_process_holds_up_is_busy() {
    let house = House::new();
    let hasty = Settings { busy_timeout: Duration::from_millis(30), ..house.settings.clone() };
    let store = Store::open(&hasty, house.clock.clone()).unwrap();
    let shell = house.shell();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let outcome = store.provision(&arrival("auth0|1", None, false), LinkEmail::Never, &Actor::Gate);
    assert!(matches!(outcome, Err(StoreError::Busy)), "{outcome:?}");
    // Reads go on.
    assert_eq!(store.user_by_auth0_id(&id("auth0|1")).unwrap(), None);
    shell.execute_batch("ROLLBACK").unwrap();
    assert!(store.provision(&arrival("auth0|1", None, false), LinkEmail::Never, &Actor::Gate).is_ok());
}
