//! Transactions, readers, and exclusive use.

use super::*;

#[test]
fn a_write_that_fails_or_panics_leaves_nothing_and_a_reader_cannot_write() {
    let file = TestFile::new();
    let database = file.open();
    let insert =
        |tx: &rusqlite::Transaction<'_>| tx.execute("INSERT INTO notes (text) VALUES ('a')", []).unwrap();
    let failed: Result<(), _> = database.write(|tx| {
        insert(tx);
        Err(DatabaseError::Closed)
    });
    assert!(failed.is_err());
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = database.write(|tx| -> Result<(), DatabaseError> {
            insert(tx);
            panic!("on purpose")
        });
    }));
    assert!(caught.is_err());
    let written = database.read(|connection| -> Result<usize, DatabaseError> {
        Ok(connection.execute("INSERT INTO notes (text) VALUES ('a')", [])?)
    });
    assert!(matches!(written, Err(DatabaseError::Sqlite(_))), "{written:?}");
    assert_eq!(texts(&database), [""; 0]);
}

#[test]
fn the_log_moves_into_the_file_when_the_last_handle_goes() {
    let file = TestFile::new();
    let database = file.open();
    add(&database, "a");
    let clone = database.clone();
    drop(database);
    assert!(file.path("notes.db-wal").exists());
    drop(clone);
    assert!(!file.path("notes.db-wal").exists());
}

#[test]
fn a_database_in_exclusive_use_is_locked_for_others_until_the_guard_goes() {
    let file = TestFile::new();
    let database = file.open();
    let other = file.open();
    assert!(database.try_exclusive().unwrap().is_none());
    other.close().unwrap();
    let exclusive = database.try_exclusive().unwrap().unwrap();
    let outcome = file.try_open();
    assert!(matches!(outcome, Err(DatabaseError::Locked(_))), "{outcome:?}");
    add(&database, "a");
    drop(exclusive);
    assert_eq!(texts(&file.open()), ["a"]);
}
