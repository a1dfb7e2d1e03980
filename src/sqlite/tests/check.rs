//! Checking: each fault of a file is found.

use super::*;
use crate::sqlite::{FileReport, check};

fn report(settings: &DatabaseSettings) -> Result<FileReport, DatabaseError> {
    check(settings, &NOTES, |_, _| Ok(())).map(|(report, ())| report)
}

#[test]
fn a_sound_file_has_no_faults() {
    let file = TestFile::with(&["a"]);
    let (integrity, foreign_keys, differences) = Default::default();
    let expected = FileReport { schema: 1, known: 1, integrity, foreign_keys, differences };
    assert_eq!(report(&file.settings).unwrap(), expected);
    assert!(expected.is_sound() && expected.is_readable());
    let outcome = report(&file.at("no.db"));
    assert!(matches!(outcome, Err(DatabaseError::Missing(_))), "{outcome:?}");
    assert!(!file.path("no.db").exists());
}

#[test]
fn each_kind_of_fault_is_named() {
    for (sql, expected) in [
        ("PRAGMA foreign_keys = OFF; UPDATE notes SET author = 'nobody'", "→ authors"),
        ("PRAGMA ignore_check_constraints = ON; UPDATE notes SET text = ''", "CHECK"),
        ("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'notes_by_text'", "never used"),
        (
            "INSERT INTO refinery_schema_history SELECT 99, 'later', applied_on, '1' FROM refinery_schema_history",
            "newer",
        ),
        ("DROP TABLE refinery_schema_history", "no schema"),
    ] {
        let file = TestFile::with(&["a"]);
        file.shell().execute_batch(sql).unwrap();
        let report = report(&file.settings).unwrap();
        let fault = report.first_fault().unwrap_or_default();
        assert!(!report.is_sound() && fault.contains(expected), "{sql}: {fault}");
    }
}

#[test]
fn tables_indexes_and_triggers_are_compared_with_the_schema() {
    for (sql, expected) in [
        ("DROP INDEX notes_by_text", &["index notes_by_text is missing"][..]),
        (
            "DROP INDEX notes_by_text; CREATE INDEX notes_by_text ON notes (author)",
            &["index notes_by_text is not as the schema has it"],
        ),
        ("ALTER TABLE notes ADD COLUMN more TEXT", &["table notes is not as the schema has it"]),
        (
            "DROP TABLE notes; DROP TABLE authors",
            &["index notes_by_text is missing", "table authors is missing", "table notes is missing"],
        ),
        (
            "CREATE TRIGGER t AFTER INSERT ON notes BEGIN DELETE FROM authors; END",
            &["trigger t is not in the schema"],
        ),
        // An operator's own.
        ("CREATE INDEX more ON notes (author); CREATE TABLE more_notes (a); ANALYZE", &[]),
    ] {
        let file = TestFile::with(&["a"]);
        file.shell().execute_batch(sql).unwrap();
        let report = report(&file.settings).unwrap();
        assert_eq!(report.differences, expected, "{sql}");
        assert_eq!(report.is_sound(), expected.is_empty());
    }
    // A newer schema is not ours to compare.
    let file = TestFile::new();
    Database::open(&file.settings, &TAGGED_NOTES).unwrap().close().unwrap();
    let newer = report(&file.settings).unwrap();
    assert!(newer.differences.is_empty() && newer.first_fault().unwrap().contains("newer"), "{newer:?}");
}

#[test]
fn what_the_owner_of_the_tables_inspects_is_the_same_snapshot() {
    let file = TestFile::with(&["a"]);
    let (report, notes) = check(&file.settings, &NOTES, |snapshot, report| -> Result<i64, DatabaseError> {
        assert!(report.is_readable());
        file.shell().execute("INSERT INTO notes (text) VALUES ('b')", [])?;
        Ok(snapshot.query_row("SELECT count(*) FROM notes WHERE id > 0", [], |row| row.get(0))?)
    })
    .unwrap();
    assert_eq!((report.is_sound(), notes), (true, 1));
}
