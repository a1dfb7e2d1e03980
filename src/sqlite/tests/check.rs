//! Checking: each fault of a file is found.

use super::*;
use crate::sqlite::{FileReport, check};

fn report(settings: &DatabaseSettings) -> Result<FileReport, DatabaseError> {
    check(settings, &NOTES, |_, _| Ok(())).map(|(report, ())| report)
}

#[test]
fn a_sound_file_has_no_faults() {
    let file = TestFile::with(&["a"]);
    let expected = FileReport { schema: 1, known: 1, integrity: vec![], foreign_keys: vec![] };
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
