//! Backups: complete, verified, never in the way of a running process.

use super::*;
use crate::sqlite::{backup, check};

#[test]
fn a_backup_is_a_private_file_that_any_tool_can_verify() {
    let file = TestFile::with(&["a"]);
    let path = file.path("monday.db");
    let made = backup(&file.settings, &NOTES, &path).unwrap();
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!(metadata.len(), made.bytes);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777, 0o600);
    let verified = std::process::Command::new("sha256sum")
        .args(["--check", "--quiet", "monday.db.sha256"])
        .current_dir(file.dir.path())
        .status();
    assert!(verified.unwrap().success());
    assert_eq!(texts_in(&file.at("monday.db")), ["a"]);
}

#[test]
fn a_backup_overwrites_nothing_and_leaves_nothing_when_it_fails() {
    let file = TestFile::with(&["a"]);
    let path = file.backup("monday.db");
    let outcome = backup(&file.settings, &NOTES, &path);
    assert!(matches!(outcome, Err(DatabaseError::Exists(_))), "{outcome:?}");
    let outcome = backup(&file.settings, &NOTES, &file.path("no/such/directory.db"));
    assert!(matches!(outcome, Err(DatabaseError::Write(..))), "{outcome:?}");
    let outcome = backup(&file.at("no.db"), &NOTES, &file.path("tuesday.db"));
    assert!(matches!(outcome, Err(DatabaseError::Missing(_))), "{outcome:?}");
    assert_eq!(file.names(), ["monday.db", "monday.db.sha256", "notes.db", "notes.db.lock"]);
}

#[test]
fn every_backup_made_under_writes_is_sound_and_holds_what_was_committed_before() {
    let file = TestFile::new();
    let database = file.open();
    let committed = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for i in 0..200 {
                add(&database, &i.to_string());
                committed.store(i + 1, std::sync::atomic::Ordering::SeqCst);
            }
        });
        for i in 0.. {
            let before = committed.load(std::sync::atomic::Ordering::SeqCst);
            let name = format!("{i}.db");
            file.backup(&name);
            let report = check(&file.at(&name), &NOTES, |_, _| Ok::<_, DatabaseError>(())).unwrap().0;
            assert!(report.is_sound(), "{report:?}");
            assert!(texts_in(&file.at(&name)).len() >= before);
            if writing.is_finished() {
                break;
            }
        }
    });
}
