//! Replacing the database by a backup: what becomes of the database that was there, or of what was left of it.

use serde_json::json;

use super::*;
use crate::store::{AuditFilter, Vouched};

impl House {
    /// What somebody's `rm` leaves of the database while its write-ahead log is full.
    fn lose_the_database(&self) {
        let shell = self.shell();
        shell.execute_batch("PRAGMA wal_autocheckpoint = 0; BEGIN; SELECT * FROM users").unwrap();
        self.store.close().unwrap();
        // Neither connection's end moves it into the file.
        let (log, kept) = (self.file("vestibule.db-wal"), self.file("log"));
        std::fs::copy(&log, &kept).unwrap();
        drop(shell);
        std::fs::remove_file(&self.settings.path).unwrap();
        std::fs::rename(kept, log).unwrap();
    }
}

#[test]
fn a_log_without_its_database_is_played_into_no_restored_one() {
    let house = House::new();
    let ada = house.verified("auth0|1", "ada@example.com");
    let backup = house.backup("monday.db");
    let late = house.verified("auth0|late", "late@example.com");
    house.lose_the_database();
    let log = std::fs::read(house.file("vestibule.db-wal")).unwrap();
    assert!(!log.is_empty());
    let restored = house.restore(&backup).unwrap();
    assert_eq!((&restored.kept, restored.erased_again), (&None, None), "nobody knows whom");
    assert_eq!(std::fs::read(restored.kept_log.unwrap()).unwrap(), log);
    let store = house.another_process();
    assert_eq!(store.user(ada.id).unwrap(), Some(ada));
    assert_eq!(store.user(late.id).unwrap(), None);
    store.close().unwrap();
    assert!(Store::check(&house.settings).unwrap().is_sound());
}

#[test]
fn a_log_without_its_database_is_played_into_no_new_one() {
    let house = House::new();
    house.verified("auth0|1", "ada@example.com");
    house.lose_the_database();
    let outcome = Store::open(&house.settings, house.clock.clone());
    assert!(matches!(outcome, Err(StoreError::StrayLog { .. })), "{outcome:?}");
    assert!(!house.settings.path.exists());
    let team_s = crate::store::Database::open(&house.settings.path, &[], &house.settings);
    assert!(matches!(team_s, Err(StoreError::StrayLog { .. })), "{team_s:?}");
    // What the error says to do.
    std::fs::rename(house.file("vestibule.db-wal"), house.file("old-log")).unwrap();
    assert!(house.another_process().users(10, None).unwrap().users.is_empty());
}

#[test]
fn restores_in_one_second_each_keep_what_they_replace() {
    let house = House::new();
    let backup = house.backup("monday.db");
    let mut replaced = Vec::new();
    for i in 0..3 {
        let store = house.another_process();
        let late =
            store.provision(&arrival(&format!("auth0|{i}"), None, false), LinkEmail::Never, &Actor::Gate);
        store.close().unwrap();
        replaced.push((late.unwrap().into_user(), house.restore(&backup).unwrap().kept.unwrap()));
    }
    for (late, path) in replaced {
        let kept = Settings { path, ..house.settings.clone() };
        assert_eq!(Store::open(&kept, house.clock.clone()).unwrap().user(late.id).unwrap(), Some(late));
    }
}

#[test]
fn a_restore_is_in_the_trail() {
    let house = House::new();
    let ada = house.verified("auth0|1", "ada@example.com");
    let file = house.file("monday.db");
    let sha256 = Store::backup(&house.settings, &file).unwrap().sha256;
    house.restore(&file).unwrap();
    let store = house.another_process();
    let filter = AuditFilter { action: Some("database.restored".into()), ..AuditFilter::default() };
    let lines = store.audit(&filter, 10, None).unwrap().lines;
    assert_eq!(lines.len(), 1);
    assert_eq!((lines[0].actor_kind.as_str(), lines[0].target), ("cli", None));
    assert_eq!(lines[0].changes, json!({ "backup": { "old": null, "new": sha256 } }));
    assert!(store.verify_audit(None).unwrap().is_intact());
    assert_eq!(store.audit_of(ada.id, 10).unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn what_root_makes_belongs_to_the_owner_of_the_database() {
    use std::os::unix::fs::{MetadataExt, chown};
    const NOBODY: u32 = 65_534;
    let dir = tempfile::tempdir().unwrap();
    if chown(dir.path(), Some(NOBODY), Some(NOBODY)).is_err() {
        println!("not tested: this user can not give files away");
        return;
    }
    let settings = settings_in(dir.path());
    let owner = |name: &str| {
        let metadata = std::fs::metadata(dir.path().join(name)).unwrap();
        (metadata.uid(), metadata.gid())
    };
    let (clock, backup) = (Clock::system(), dir.path().join("monday.db"));
    let open = || Store::open(&settings, clock.clone()).unwrap();
    open().close().unwrap();
    for name in ["vestibule.db", "vestibule.db.lock"] {
        assert_eq!(owner(name), (NOBODY, NOBODY), "{name}");
    }
    // The owner of the file goes before that of the folder.
    chown(&settings.path, Some(NOBODY - 1), Some(NOBODY - 1)).unwrap();
    Store::backup(&settings, &backup).unwrap();
    Store::restore(&settings, &backup, Vouched::ByChecksum, &clock).unwrap();
    assert_eq!(owner("vestibule.db"), (NOBODY - 1, NOBODY - 1));
    let store = open();
    for name in ["vestibule.db-wal", "vestibule.db-shm"] {
        assert_eq!(owner(name), (NOBODY - 1, NOBODY - 1), "{name}");
    }
    store.close().unwrap();
}
