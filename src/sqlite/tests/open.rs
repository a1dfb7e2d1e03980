//! Opening: file modes, settings, files that are refused, closing.

use super::*;
use crate::sqlite::lock::Lock;

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let file = TestFile::new();
    let database = file.open();
    add(&database, "a");
    let mode = |name: &str| std::fs::metadata(file.path(name)).unwrap().permissions().mode() & 0o777;
    for name in ["notes.db", "notes.db-wal", "notes.db-shm"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    database.close().unwrap();
    // A backup restored with cp.
    std::fs::set_permissions(&file.settings.path, std::fs::Permissions::from_mode(0o644)).unwrap();
    file.open();
    assert_eq!(mode("notes.db"), 0o600);
}

#[cfg(unix)]
#[test]
fn files_that_root_creates_belong_to_the_owner_of_the_folder() {
    use std::os::unix::fs::{MetadataExt, chown};
    const NOBODY: u32 = 65_534;
    let file = TestFile::new();
    if chown(file.dir.path(), Some(NOBODY), Some(NOBODY)).is_err() {
        println!("not tested: this user cannot give files away");
        return;
    }
    file.open().close().unwrap();
    for name in ["notes.db", "notes.db.lock"] {
        let metadata = std::fs::metadata(file.path(name)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (NOBODY, NOBODY), "{name}");
    }
}

#[test]
fn every_connection_keeps_its_settings() {
    let settings = |connection: &Connection| -> Result<String, DatabaseError> {
        let names = ["journal_mode", "synchronous", "foreign_keys", "trusted_schema", "secure_delete"];
        let more = ["cell_size_check", "busy_timeout", "query_only"];
        let value = |name: &&str| {
            let value =
                connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
            match value.unwrap() {
                rusqlite::types::Value::Integer(number) => number.to_string(),
                rusqlite::types::Value::Text(text) => text,
                other => panic!("{other:?}"),
            }
        };
        Ok(names.iter().chain(&more).map(value).collect::<Vec<_>>().join(" "))
    };
    let database = TestFile::new().open();
    assert_eq!(database.with_writer(|connection| settings(connection)).unwrap(), "wal 2 1 0 1 1 60000 0");
    assert_eq!(database.read(settings).unwrap(), "wal 2 1 0 1 1 60000 1");
    assert_eq!(database.read_by_key(settings).unwrap(), "wal 2 1 0 1 1 60000 1");
}

#[test]
fn the_bundled_sqlite_has_no_wal_reset_bug() {
    // Fixed in 3.51.3.
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}

#[test]
fn processes_that_start_together_create_the_file_once() {
    for _ in 0..5 {
        let file = TestFile::new();
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| file.open());
            }
        });
        let sql = "SELECT count(*) FROM refinery_schema_history";
        assert_eq!(file.shell().query_one(sql, [], |row| row.get::<_, i32>(0)).unwrap(), 1);
        assert!(file.names().iter().all(|name| !name.starts_with('.')), "{:?}", file.names());
    }
}

#[test]
fn opening_an_existing_file_creates_and_migrates_nothing() {
    let file = TestFile::new();
    let outcome = Database::open_existing(&file.settings, &NOTES);
    assert!(matches!(outcome, Err(DatabaseError::Missing(_))), "{outcome:?}");
    assert_eq!(file.names(), [""; 0]);
    file.open().close().unwrap();
    let error = Database::open_existing(&file.settings, &TAGGED_NOTES).unwrap_err();
    assert!(matches!(error, DatabaseError::SchemaTooOld { found: 1, known: 2, .. }), "{error:?}");
    assert!(error.to_string().contains("vestibule migrate"), "{error}");
    assert_eq!(version(&file.settings.path), 1);
}

#[test]
fn a_reading_process_does_not_wait_for_a_writing_one() {
    let file = TestFile::with(&["a"]);
    let shell = file.shell();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    for open in [Database::open, Database::open_existing] {
        let database = open(&file.impatient(), &NOTES).unwrap();
        assert_eq!(texts(&database), ["a"]);
        let outcome = try_add(&database, "b");
        assert!(matches!(outcome, Err(DatabaseError::Busy)), "{outcome:?}");
        database.close().unwrap();
    }
}

#[test]
fn files_of_other_programs_are_refused_and_left_alone() {
    let file = TestFile::new();
    let open = |name: &str, schema| Database::open(&file.at(name), schema);
    Connection::open(file.path("other.db")).unwrap().execute("CREATE TABLE theirs (a)", []).unwrap();
    static UNMARKED: DatabaseSchema = DatabaseSchema::new(&[V1]);
    for schema in [&NOTES, &UNMARKED] {
        let outcome = open("other.db", schema);
        assert!(matches!(outcome, Err(DatabaseError::OtherProgram(_))), "{outcome:?}");
    }
    file.open().close().unwrap();
    let outcome = open("notes.db", &UNMARKED);
    assert!(matches!(outcome, Err(DatabaseError::OtherProgram(_))), "{outcome:?}");
    open("unmarked.db", &UNMARKED).unwrap().close().unwrap();
    open("unmarked.db", &UNMARKED).unwrap();

    let letter = "Dear Sir or Madam, ".repeat(100);
    std::fs::write(file.path("letter.txt"), &letter).unwrap();
    let outcome = open("letter.txt", &NOTES);
    assert!(matches!(outcome, Err(DatabaseError::Damaged { .. })), "{outcome:?}");
    assert_eq!(std::fs::read_to_string(file.path("letter.txt")).unwrap(), letter);
    let outcome = open("no/such/directory.db", &NOTES);
    assert!(matches!(outcome, Err(DatabaseError::Write(..))), "{outcome:?}");
    let outcome = open(".", &NOTES);
    assert!(matches!(outcome, Err(DatabaseError::IsFolder(_))), "{outcome:?}");
}

#[test]
fn an_empty_file_is_not_taken_for_a_new_database() {
    let file = TestFile::new();
    std::fs::write(&file.settings.path, "").unwrap();
    let outcome = file.try_open();
    assert!(matches!(outcome, Err(DatabaseError::Empty(_))), "{outcome:?}");
}

#[test]
fn a_log_without_its_database_is_not_replayed_into_a_new_one() {
    let file = TestFile::new();
    std::fs::write(file.path("notes.db-wal"), [8; 500]).unwrap();
    let outcome = file.try_open();
    assert!(matches!(outcome, Err(DatabaseError::OrphanedLog { .. })), "{outcome:?}");
    assert!(!file.settings.path.exists());
    // What the error says to do.
    std::fs::rename(file.path("notes.db-wal"), file.path("old-log")).unwrap();
    assert_eq!(texts(&file.open()), [""; 0]);
}

#[test]
fn a_truncated_file_is_not_opened_whatever_is_left_of_it() {
    let texts: Vec<String> = (0..200).map(|i| format!("{i} {}", "long ".repeat(40))).collect();
    let file = TestFile::with(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let whole = std::fs::read(&file.settings.path).unwrap();
    // SQLite itself does not notice a cut in the last page.
    for left in [whole.len() - 1, whole.len() - 4095] {
        std::fs::write(&file.settings.path, &whole[..left]).unwrap();
        let outcome = file.try_open();
        let cut = u64::try_from(whole.len() - left).unwrap();
        assert!(
            matches!(&outcome, Err(DatabaseError::Truncated { missing, .. }) if *missing == cut),
            "{outcome:?}"
        );
    }
    std::fs::write(&file.settings.path, &whole[..whole.len() / 8192 * 4096]).unwrap();
    let outcome = file.try_open();
    assert!(matches!(outcome, Err(DatabaseError::Damaged { .. })), "{outcome:?}");
    // With pages in the log: as a killed process leaves it.
    std::fs::write(&file.settings.path, &whole).unwrap();
    let database = file.open();
    add(&database, "late");
    let copy = |from: &str, to: &str| {
        // By another process: closing the file here would drop SQLite's locks.
        let copied = std::process::Command::new("cp").args([file.path(from), file.path(to)]).status();
        assert!(copied.unwrap().success());
    };
    copy("notes.db", "killed.db");
    copy("notes.db-wal", "killed.db-wal");
    let killed = std::fs::File::options().write(true).open(file.path("killed.db")).unwrap();
    killed.set_len(u64::try_from(whole.len() / 2).unwrap()).unwrap();
    let outcome = Database::open(&file.at("killed.db"), &NOTES);
    assert!(matches!(outcome, Err(DatabaseError::Truncated { .. })), "{outcome:?}");
}

#[test]
fn a_closed_database_refuses_calls_and_leaves_one_complete_file() {
    let file = TestFile::new();
    let database = file.open();
    add(&database, "a");
    let clone = database.clone();
    database.close().unwrap();
    database.close().unwrap();
    assert!(matches!(try_add(&clone, "b"), Err(DatabaseError::Closed)));
    let read = clone.read(|_| Ok::<_, DatabaseError>(()));
    assert!(matches!(read, Err(DatabaseError::Closed)), "{read:?}");
    assert_eq!(file.names(), ["notes.db", "notes.db.lock"]);
    Lock::exclusive(&file.settings.path).unwrap();
    assert_eq!(texts(&file.open()), ["a"]);
}
