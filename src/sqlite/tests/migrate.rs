//! Migrating: from an older schema, and files whose schema is refused.

use super::*;
use crate::sqlite::{Migrated, connect::Connector, migrate};

fn migrated(settings: &DatabaseSettings) -> Result<Migrated, DatabaseError> {
    migrate(settings, &TAGGED_NOTES)
}

#[test]
fn migrating_reports_the_versions_and_keeps_every_row() {
    let file = TestFile::new();
    assert_eq!(migrate(&file.settings, &NOTES).unwrap(), Migrated { from: 0, to: 1 });
    let database = file.open();
    add(&database, "a");
    database.close().unwrap();
    assert_eq!(migrated(&file.settings).unwrap(), Migrated { from: 1, to: 2 });
    assert_eq!(migrated(&file.settings).unwrap(), Migrated { from: 2, to: 2 });
    assert_eq!(texts(&Database::open(&file.settings, &TAGGED_NOTES).unwrap()), ["a"]);
}

#[test]
fn a_file_that_another_process_has_open_is_not_migrated() {
    let file = TestFile::new();
    let server = file.open();
    for outcome in
        [migrated(&file.settings).map(drop), Database::open(&file.settings, &TAGGED_NOTES).map(drop)]
    {
        assert!(matches!(outcome, Err(DatabaseError::InUse(_))), "{outcome:?}");
    }
    assert_eq!(version(&file.settings.path), 1);
    server.close().unwrap();
    let shell = file.shell();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let outcome = migrated(&file.impatient());
    assert!(matches!(outcome, Err(DatabaseError::Busy)), "{outcome:?}");
    shell.execute_batch("ROLLBACK").unwrap();
    migrated(&file.settings).unwrap();
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let file = TestFile::new();
    migrated(&file.settings).unwrap();
    for outcome in [file.try_open(), Database::open_existing(&file.settings, &NOTES)] {
        let error = outcome.unwrap_err();
        assert!(matches!(error, DatabaseError::SchemaTooNew { found: 2, known: 1, .. }), "{error:?}");
        assert!(error.to_string().contains("start a newer vestibule"), "{error}");
    }
    assert_eq!(version(&file.settings.path), 2);
}

#[test]
fn a_schema_of_another_history_is_refused_and_says_what_to_do() {
    static OTHERS: DatabaseSchema = DatabaseSchema {
        application_id: 0x4E4F_5445,
        ..DatabaseSchema::new(&[("V1__users", "CREATE TABLE users (a);"), V2])
    };
    static EDITED: DatabaseSchema = DatabaseSchema {
        application_id: 0x4E4F_5445,
        ..DatabaseSchema::new(&[("V1__notes", "CREATE TABLE notes (a);")])
    };
    let file = TestFile::new();
    migrated(&file.settings).unwrap();
    for schema in [&OTHERS, &EDITED] {
        for outcome in
            [Database::open(&file.settings, schema), Database::open_existing(&file.settings, schema)]
        {
            let error = outcome.unwrap_err();
            assert!(matches!(error, DatabaseError::UnknownSchema { version: 1, .. }), "{error:?}");
            assert!(error.to_string().contains("migration 1 is `notes`"), "{error}");
            assert!(error.to_string().contains("move it away"), "{error}");
        }
    }
    assert_eq!(version(&file.settings.path), 2);
}

#[test]
fn a_migration_that_fails_leaves_the_file_as_it_was() {
    static BROKEN: DatabaseSchema = DatabaseSchema {
        application_id: 0x4E4F_5445,
        ..DatabaseSchema::new(&[V1, ("V2__broken", "CREATE TABLE more (a); INSERT INTO missing VALUES (1);")])
    };
    let file = TestFile::with(&["a"]);
    let outcome = Database::open(&file.settings, &BROKEN);
    assert!(matches!(outcome, Err(DatabaseError::Migration(_))), "{outcome:?}");
    assert_eq!(texts(&file.open()), ["a"]);
    assert!(file.shell().prepare("SELECT * FROM more").is_err());
}

#[test]
fn foreign_keys_are_off_during_migrations_alone() {
    let file = TestFile::new();
    // A table is remade while a row of another references it.
    static REMADE: DatabaseSchema = DatabaseSchema {
        application_id: 0x4E4F_5445,
        ..DatabaseSchema::new(&[
            V1,
            (
                "V2__remade",
                "CREATE TABLE remade (name TEXT NOT NULL PRIMARY KEY, born INTEGER) STRICT;
             INSERT INTO remade SELECT name, NULL FROM authors;
             DROP TABLE authors;
             ALTER TABLE remade RENAME TO authors;",
            ),
        ])
    };
    file.open().close().unwrap();
    let rows = "INSERT INTO authors VALUES ('ada'); INSERT INTO notes (text, author) VALUES ('a', 'ada')";
    file.shell().execute_batch(rows).unwrap();
    let connector = Connector {
        path: file.settings.path.clone(),
        schema: &REMADE,
        busy_timeout: file.settings.busy_timeout,
    };
    let mut connection = connector.writer().unwrap();
    migrate::run(&mut connection, &REMADE, &connector.path).unwrap();
    assert!(connection.pragma_query_value(None, "foreign_keys", |row| row.get::<_, bool>(0)).unwrap());
    assert!(!connection.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap());
}
