//! Keeping: backups, restoring them, checking a file, and who is kept out meanwhile.

use super::*;
use crate::store::{NewUser, Vouched, migrate};

const ADA: &str = "ada@example.com";

impl House {
    pub(super) fn backup(&self, name: &str) -> PathBuf {
        let file = self.file(name);
        Store::backup(&self.settings, &file).unwrap();
        file
    }

    /// After everyone has left.
    pub(super) fn restore(&self, backup: &Path) -> Result<crate::store::Restored, StoreError> {
        self.store.close().unwrap();
        Store::restore(&self.settings, backup, Vouched::ByChecksum, &self.clock)
    }

    pub(super) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] ^= 0x10;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_backup_holds_what_was_committed_and_what_came_later_is_not_in_it() {
    let house = House::new();
    let ada = house.verified("auth0|1", ADA);
    let backup = house.backup("monday.db");
    let grace = house.verified("auth0|2", "grace@example.com");
    let restored = house.restore(&backup).unwrap();
    assert_eq!(restored.erased_again, Some(0));
    let store = house.another_process();
    assert_eq!(store.user(ada.id).unwrap(), Some(ada));
    assert_eq!(store.user(grace.id).unwrap(), None);
    // The one that was there is kept, whole.
    let kept = Settings { path: restored.kept.unwrap(), ..house.settings.clone() };
    assert!(Store::check(&kept).unwrap().is_sound());
    assert_eq!(Store::open(&kept, house.clock.clone()).unwrap().user(grace.id).unwrap(), Some(grace));
}

#[cfg(unix)]
#[test]
fn a_backup_is_its_owner_s_alone_and_any_tool_can_verify_it() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::new();
    let file = house.file("monday.db");
    let backed_up = Store::backup(&house.settings, &file).unwrap();
    let metadata = std::fs::metadata(&file).unwrap();
    assert_eq!((metadata.permissions().mode() & 0o777, metadata.len()), (0o600, backed_up.bytes));
    let verified = std::process::Command::new("sha256sum")
        .args(["--check", "--quiet", "monday.db.sha256"])
        .current_dir(house.dir.path())
        .status();
    assert!(verified.unwrap().success());
    assert!(matches!(Store::backup(&house.settings, &file), Err(StoreError::Exists { .. })));
    let nowhere = house.file("no/such/directory.db");
    assert!(matches!(Store::backup(&house.settings, &nowhere), Err(StoreError::Output { .. })));
    assert!(house.files().iter().all(|name| !name.starts_with(".vestibule-")), "{:?}", house.files());
}

#[test]
fn every_backup_made_under_writes_is_whole_and_holds_all_that_was_answered_before() {
    let house = House::new();
    let answered = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for i in 0..300 {
                let user = house.verified(&format!("auth0|{i}"), &format!("u{i}@example.com"));
                answered.lock().unwrap().push(user.id);
            }
        });
        for i in 0.. {
            let before = answered.lock().unwrap().clone();
            let backup = house.backup(&format!("{i}.db"));
            let settings = Settings { path: backup, ..house.settings.clone() };
            assert!(Store::check(&settings).unwrap().is_sound());
            let copy = Store::open(&settings, house.clock.clone()).unwrap();
            for id in before {
                assert!(copy.user(id).unwrap().is_some());
            }
            if writing.is_finished() {
                break;
            }
        }
    });
}

#[test]
fn nobody_restores_under_a_running_process_and_nobody_starts_under_a_restore() {
    let house = House::new();
    let backup = house.backup("monday.db");
    let other = house.another_process();
    assert!(matches!(house.restore(&backup), Err(StoreError::InUse { .. })));
    other.close().unwrap();
    let alone = crate::store::lock::Lock::exclusive(&house.settings.path).unwrap();
    let start = Store::open(&house.settings, house.clock.clone());
    assert!(matches!(start, Err(StoreError::BeingRestored { .. })), "{start:?}");
    drop(alone);
    // A shell knows nothing of our lock.
    let shell = house.shell();
    shell.execute_batch("BEGIN; SELECT * FROM users").unwrap();
    house.another_process().verify_audit(None).unwrap();
    let hasty = Settings { busy_timeout: Duration::ZERO, ..house.settings.clone() };
    house
        .another_process()
        .provision(&arrival("auth0|9", None, false), LinkEmail::Never, &Actor::Gate)
        .unwrap();
    let outcome = Store::restore(&hasty, &backup, Vouched::ByChecksum, &house.clock);
    assert!(matches!(outcome, Err(StoreError::Busy)), "{outcome:?}");
    drop(shell);
    house.restore(&backup).unwrap();
}

#[test]
fn a_backup_that_is_not_what_was_written_is_refused_and_nothing_is_changed() {
    let house = House::new();
    let ada = house.verified("auth0|1", ADA);
    let backup = house.backup("monday.db");
    let bytes = std::fs::read(&backup).unwrap();
    // In the name of a person: no check of pages or constraints would see it.
    let name = bytes.windows(8).position(|window| window == b"Lovelace").unwrap();
    flip(&backup, name);
    assert!(matches!(house.restore(&backup), Err(StoreError::Checksum { .. })));
    let unchecked = || Store::restore(&house.settings, &backup, Vouched::ByNothing, &house.clock);
    for (damaged, why) in [
        (&bytes[..bytes.len() / 2], "damaged"),
        (&b""[..], "no schema"),
        (&b"Dear Sir or Madam, this is a letter and not a database at all, as one sees from its first words."[..], "not a database"),
    ] {
        std::fs::write(&backup, damaged).unwrap();
        let error = unchecked().unwrap_err();
        assert!(matches!(error, StoreError::Unsound { .. }), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    }
    std::fs::remove_file(house.file("monday.db.sha256")).unwrap();
    assert!(matches!(house.restore(&backup), Err(StoreError::NoChecksum { .. })));
    assert!(matches!(house.restore(&house.file("no.db")), Err(StoreError::Missing { .. })));
    std::fs::remove_file(&backup).unwrap();
    Connection::open(&backup).unwrap().execute("CREATE TABLE theirs (a)", []).unwrap();
    assert!(matches!(unchecked(), Err(StoreError::NotOurs { .. })));

    assert_eq!(house.files(), ["monday.db", "vestibule.db", "vestibule.db.lock"]);
    assert_eq!(house.another_process().user(ada.id).unwrap(), Some(ada));
}

#[test]
fn a_backup_from_a_newer_binary_is_refused() {
    let house = House::new();
    let newer = "INSERT INTO refinery_schema_history SELECT 99, 'later', applied_on, '1'
                 FROM refinery_schema_history LIMIT 1";
    house.shell().execute(newer, []).unwrap();
    // Made all the same: a backup does not depend on being understood.
    let backup = house.backup("monday.db");
    let error = house.restore(&backup).unwrap_err();
    assert!(
        matches!(&error, StoreError::SchemaTooNew { found: 99, path, .. } if *path == backup),
        "{error:?}"
    );
}

#[test]
fn a_database_that_can_not_be_read_any_more_is_replaced_and_kept_as_it_is() {
    let house = House::new();
    let ada = house.verified("auth0|1", ADA);
    let backup = house.backup("monday.db");
    house.store.close().unwrap();
    for (i, left) in [&[7; 5000][..], &[][..]].into_iter().enumerate() {
        std::fs::write(&house.settings.path, left).unwrap();
        std::fs::write(house.file("vestibule.db-wal"), [8; 500]).unwrap();
        let restored = house.restore(&backup).unwrap();
        assert_eq!(restored.erased_again, None, "nobody knows whom");
        let kept = restored.kept.unwrap();
        assert_eq!(std::fs::read(&kept).unwrap(), left);
        let mut wal = kept.into_os_string();
        wal.push("-wal");
        // Of a file with content SQLite has put it where it belongs.
        assert_eq!(std::fs::read(wal).is_ok(), i == 1);
        let store = house.another_process();
        assert_eq!(store.user(ada.id).unwrap().as_ref(), Some(&ada));
        store.close().unwrap();
    }
}

#[test]
fn a_file_that_was_cut_off_is_not_opened_whatever_is_left_of_it() {
    let house = House::new();
    for i in 0..200 {
        house.verified(&format!("auth0|{i}"), &format!("u{i}@example.com"));
    }
    house.store.close().unwrap();
    let whole = std::fs::read(&house.settings.path).unwrap();
    let open = || Store::open(&house.settings, house.clock.clone());
    // SQLite itself does not miss what is missing of the last page.
    for left in [whole.len() - 1, whole.len() - 4095] {
        std::fs::write(&house.settings.path, &whole[..left]).unwrap();
        let missing = u64::try_from(whole.len() - left).unwrap();
        let outcome = open();
        assert!(
            matches!(&outcome, Err(StoreError::CutOff { missing: found, .. }) if *found == missing),
            "{outcome:?}"
        );
    }
    std::fs::write(&house.settings.path, &whole[..whole.len() / 8192 * 4096]).unwrap();
    assert!(matches!(open(), Err(StoreError::Damaged { .. })));
    // With pages in the log: as a process leaves it that was killed.
    std::fs::write(&house.settings.path, &whole).unwrap();
    let store = open().unwrap();
    store.provision(&arrival("auth0|late", None, false), LinkEmail::Never, &Actor::Gate).unwrap();
    let (database, wal) = (house.file("killed.db"), house.file("killed.db-wal"));
    let copy = |from: PathBuf, to: &Path| {
        // By another process: closing the file here would drop SQLite's locks.
        assert!(std::process::Command::new("cp").args([&from, to]).status().unwrap().success());
    };
    copy(house.settings.path.clone(), &database);
    copy(house.file("vestibule.db-wal"), &wal);
    let killed = Settings { path: database.clone(), ..house.settings.clone() };
    Store::open(&killed, house.clock.clone()).unwrap();
    copy(house.file("vestibule.db-wal"), &wal);
    let file = std::fs::File::options().write(true).open(&database).unwrap();
    file.set_len(u64::try_from(whole.len() / 2).unwrap()).unwrap();
    let outcome = Store::open(&killed, house.clock.clone());
    assert!(matches!(outcome, Err(StoreError::CutOff { .. })), "{outcome:?}");
}

#[test]
fn a_sound_file_is_told_from_one_that_is_not() {
    let house = House::new();
    house.verified("auth0|1", ADA);
    let waiting = NewUser { email: Some(email("g@example.com")), ..NewUser::default() };
    house.store.create(&waiting, &Actor::Cli).unwrap();
    let found = Store::check(&house.settings).unwrap();
    assert!(found.is_sound() && found.first_fault().is_none(), "{found:?}");
    assert_eq!((found.schema, found.audit.unwrap().lines), (migrate::known(), 2));

    let with = |sql: &str| {
        let backup = house.file("broken.db");
        let _ = std::fs::remove_file(&backup);
        Store::backup(&house.settings, &backup).unwrap();
        Connection::open(&backup).unwrap().execute_batch(sql).unwrap();
        let found = Store::check(&Settings { path: backup, ..house.settings.clone() }).unwrap();
        assert!(!found.is_sound(), "{sql}");
        found.first_fault().unwrap()
    };
    let orphan = with("PRAGMA foreign_keys = OFF; DELETE FROM users WHERE auth0_id IS NOT NULL");
    assert!(orphan.contains("→ users"), "{orphan}");
    let tampered = with("DROP TRIGGER audit_is_never_updated; UPDATE audit SET at = 0 WHERE id = 2");
    assert!(tampered.contains("line 2"), "{tampered}");
    let constraint = with("PRAGMA ignore_check_constraints = ON; UPDATE users SET status = 'gone'");
    assert!(constraint.contains("CHECK"), "{constraint}");
    let index = with(
        "PRAGMA writable_schema = ON;
         DELETE FROM sqlite_schema WHERE name = 'audit_by_target'",
    );
    assert!(!index.is_empty());

    let nowhere = Settings { path: house.file("no.db"), ..house.settings.clone() };
    assert!(matches!(Store::check(&nowhere), Err(StoreError::Missing { .. })));
    assert!(!nowhere.path.exists());
}

#[test]
fn the_file_of_an_older_schema_is_kept_before_it_is_migrated() {
    let house = House::new();
    let path = house.file("old.db");
    let mut old = Connection::open(&path).unwrap();
    migrate::up_to(&mut old, 1).unwrap();
    drop(old);
    let settings = Settings { path, ..house.settings.clone() };
    assert_eq!(Store::migrate(&settings).unwrap().from, 1);
    let kept = house.file("old.db.schema-1");
    assert_eq!(migrate::version(&Connection::open(&kept).unwrap()).unwrap(), 1);
    assert!(house.file("old.db.schema-1.sha256").exists());
    // Once: there is nothing to keep any more, and nothing was to keep of a new one.
    std::fs::remove_file(&kept).unwrap();
    Store::open(&settings, house.clock.clone()).unwrap();
    assert!(!kept.exists() && !house.files().iter().any(|name| name.starts_with("vestibule.db.schema")));
}

#[test]
fn an_empty_file_is_not_taken_for_a_new_database() {
    let house = House::new();
    house.store.close().unwrap();
    std::fs::write(&house.settings.path, "").unwrap();
    let outcome = Store::open(&house.settings, house.clock.clone());
    assert!(matches!(outcome, Err(StoreError::Empty { .. })), "{outcome:?}");
}
