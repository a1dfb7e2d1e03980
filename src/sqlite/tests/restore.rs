//! Restoring: a backup is verified, prepared and put in place, or nothing changes.

use super::*;
use crate::clock::Clock;
use crate::sqlite::Previous;

fn clock() -> Clock {
    Clock::system()
}

/// Restores, and returns where the previous database is now.
pub(super) fn restore(file: &TestFile, backup: &Path) -> Result<Option<PathBuf>, DatabaseError> {
    restore_with(&file.settings, &NOTES, (backup, false), |_, _: Previous<()>| Ok(()))
}

fn restore_with(
    settings: &DatabaseSettings,
    schema: &'static DatabaseSchema,
    backup: (&Path, bool),
    prepare: impl FnOnce(&mut Connection, Previous<()>) -> Result<(), DatabaseError>,
) -> Result<Option<PathBuf>, DatabaseError> {
    let prepare = |connection: &mut _, previous, _: &str| prepare(connection, previous);
    super::super::restore(settings, schema, backup, &clock(), |_| Ok(()), prepare).map(|(kept, ())| kept)
}

/// Restores without a checksum.
fn restore_unchecked(file: &TestFile, backup: &Path) -> Result<Option<PathBuf>, DatabaseError> {
    restore_with(&file.settings, &NOTES, (backup, true), |_, _| Ok(()))
}

#[test]
fn the_database_is_what_the_backup_was_and_the_previous_one_is_kept() {
    let file = TestFile::with(&["a"]);
    let backup = file.backup("monday.db");
    add(&file.open(), "b");
    let replaced = restore(&file, &backup).unwrap();
    assert_eq!(texts(&file.open()), ["a"]);
    let kept = DatabaseSettings { path: replaced.clone().unwrap(), ..file.settings.clone() };
    assert_eq!(texts_in(&kept), ["a", "b"]);
    assert_eq!(file.open().replaced_copies().unwrap().first(), replaced.as_ref());
}

#[test]
fn the_new_database_keeps_what_was_read_from_the_previous_one() {
    let file = TestFile::with(&["a"]);
    let backup = file.backup("monday.db");
    add(&file.open(), "late");
    let read = |connection: &Connection| -> Result<String, DatabaseError> {
        Ok(connection.query_one("SELECT text FROM notes ORDER BY id DESC LIMIT 1", [], |row| row.get(0))?)
    };
    let prepare = |connection: &mut Connection, previous, sha256: &str| -> Result<usize, DatabaseError> {
        assert!(std::fs::read_to_string(file.path("monday.db.sha256")).unwrap().starts_with(sha256));
        let Previous::Readable(text) = previous else { panic!("{previous:?}") };
        Ok(connection.execute("INSERT INTO notes (text) VALUES (?1)", [text])?)
    };
    let settings = &file.settings;
    let (_, inserted) =
        super::super::restore(settings, &NOTES, (&backup, false), &clock(), read, prepare).unwrap();
    assert_eq!(inserted, 1);
    assert_eq!(texts(&file.open()), ["a", "late"]);
}

#[test]
fn a_restore_whose_preparation_fails_changes_nothing() {
    let file = TestFile::with(&["a"]);
    let backup = file.backup("monday.db");
    let before = file.names();
    let refused = restore_with(&file.settings, &NOTES, (&backup, false), |_, _| Err(DatabaseError::Closed));
    assert!(matches!(refused, Err(DatabaseError::Closed)));
    assert_eq!(file.names(), before);
    assert_eq!(texts(&file.open()), ["a"]);
}

#[test]
fn a_running_process_and_a_restore_exclude_each_other() {
    let file = TestFile::with(&["a"]);
    let backup = file.backup("monday.db");
    let server = file.open();
    let outcome = restore(&file, &backup);
    assert!(matches!(outcome, Err(DatabaseError::InUse(_))), "{outcome:?}");
    server.close().unwrap();
    let open = |_: &mut _, _| {
        let outcome = file.try_open();
        assert!(matches!(outcome, Err(DatabaseError::Locked(_))), "{outcome:?}");
        Ok(())
    };
    restore_with(&file.settings, &NOTES, (&backup, false), open).unwrap();
    // A shell that reads keeps its part of the log.
    let database = Database::open(&file.impatient(), &NOTES).unwrap();
    let shell = file.shell();
    shell.execute_batch("BEGIN; SELECT * FROM notes").unwrap();
    add(&database, "b");
    drop(database);
    let outcome = restore_with(&file.impatient(), &NOTES, (&backup, false), |_, _| Ok(()));
    assert!(matches!(outcome, Err(DatabaseError::Busy)), "{outcome:?}");
    drop(shell);
    restore(&file, &backup).unwrap();
}

#[test]
fn a_backup_that_changed_since_it_was_made_is_refused_and_nothing_changes() {
    let file = TestFile::with(&["Lovelace"]);
    let backup = file.backup("monday.db");
    let mut bytes = std::fs::read(&backup).unwrap();
    // In a text: no check of pages or constraints would see it.
    let text = bytes.windows(8).position(|window| window == b"Lovelace").unwrap();
    bytes[text] ^= 0x10;
    std::fs::write(&backup, &bytes).unwrap();
    let outcome = restore(&file, &backup);
    assert!(matches!(outcome, Err(DatabaseError::ChecksumMismatch(_))), "{outcome:?}");
    let letter = "Dear Sir or Madam, this is a letter and not a database at all. ".repeat(20);
    for (content, fault) in
        [(&bytes[..bytes.len() / 2], "malformed"), (b"", "no schema"), (letter.as_bytes(), "not a database")]
    {
        std::fs::write(&backup, content).unwrap();
        let error = restore_unchecked(&file, &backup).unwrap_err();
        assert!(matches!(error, DatabaseError::UnsoundBackup { .. }), "{error:?}");
        assert!(error.to_string().contains(fault), "{error}");
    }
    std::fs::remove_file(file.path("monday.db.sha256")).unwrap();
    let outcome = restore(&file, &backup);
    assert!(matches!(outcome, Err(DatabaseError::NoChecksum(_))), "{outcome:?}");
    let outcome = restore(&file, &file.path("no.db"));
    assert!(matches!(outcome, Err(DatabaseError::Missing(_))), "{outcome:?}");
    std::fs::remove_file(&backup).unwrap();
    Connection::open(&backup).unwrap().execute("CREATE TABLE theirs (a)", []).unwrap();
    let outcome = restore_unchecked(&file, &backup);
    let theirs = matches!(&outcome, Err(DatabaseError::OtherProgram(path)) if *path == backup);
    assert!(theirs, "{outcome:?}");
    assert_eq!(file.names(), ["monday.db", "notes.db", "notes.db.lock"]);
    assert_eq!(texts(&file.open()), ["Lovelace"]);
}

#[test]
fn a_backup_is_migrated_or_refused_by_its_schema() {
    let file = TestFile::with(&["a"]);
    let backup = file.backup("monday.db");
    restore_with(&file.settings, &TAGGED_NOTES, (&backup, false), |_, _| Ok(())).unwrap();
    assert_eq!(version(&file.settings.path), 2);
    // A backup does not depend on being understood.
    let backup = file.backup("tuesday.db");
    let outcome = restore(&file, &backup);
    assert!(
        matches!(&outcome, Err(DatabaseError::SchemaTooNew { found: 2, path, .. }) if *path == backup),
        "{outcome:?}"
    );
}

#[test]
fn a_database_that_cannot_be_read_is_replaced_and_kept_as_it_is() {
    let file = TestFile::with(&["a"]);
    let backup = file.backup("monday.db");
    for (left, log_stays) in [(&[7; 5000][..], false), (&[][..], true)] {
        std::fs::write(&file.settings.path, left).unwrap();
        std::fs::write(file.path("notes.db-wal"), [8; 500]).unwrap();
        let prepare = |_: &mut _, previous| {
            assert!(matches!(previous, Previous::Unreadable), "{previous:?}");
            Ok(())
        };
        let kept = restore_with(&file.settings, &NOTES, (&backup, false), prepare).unwrap().unwrap();
        assert_eq!(std::fs::read(&kept).unwrap(), left);
        let mut log = kept.into_os_string();
        log.push("-wal");
        // SQLite removes the log of a file with content.
        assert_eq!(std::fs::read(log).is_ok(), log_stays);
        assert_eq!(texts(&file.open()), ["a"]);
    }
}

#[test]
fn a_log_without_its_database_is_kept_and_not_replayed() {
    let file = TestFile::with(&["a"]);
    let backup = file.backup("monday.db");
    let database = Database::open(&file.impatient(), &NOTES).unwrap();
    let shell = file.shell();
    shell.execute_batch("BEGIN; SELECT * FROM notes").unwrap();
    add(&database, "late");
    database.close().unwrap();
    // The log is full while the shell reads.
    let log = std::fs::read(file.path("notes.db-wal")).unwrap();
    drop(shell);
    std::fs::remove_file(&file.settings.path).unwrap();
    std::fs::write(file.path("notes.db-wal"), &log).unwrap();
    let kept = restore(&file, &backup).unwrap().unwrap();
    assert!(kept.to_string_lossy().ends_with("-wal") && !log.is_empty(), "{kept:?}");
    assert_eq!(std::fs::read(kept).unwrap(), log);
    assert_eq!(texts(&file.open()), ["a"]);
}

#[cfg(unix)]
#[test]
fn the_new_database_belongs_to_the_owner_of_the_previous_one() {
    use std::os::unix::fs::{MetadataExt, chown};
    const NOBODY: u32 = 65_534;
    let file = TestFile::with(&["a"]);
    let backup = file.backup("monday.db");
    if chown(&file.settings.path, Some(NOBODY), Some(NOBODY)).is_err() {
        println!("not tested: this user cannot give files away");
        return;
    }
    restore(&file, &backup).unwrap();
    let database = file.open();
    add(&database, "b");
    for name in ["notes.db", "notes.db-wal", "notes.db-shm"] {
        let metadata = std::fs::metadata(file.path(name)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (NOBODY, NOBODY), "{name}");
    }
}
