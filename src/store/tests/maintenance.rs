//! Backup, check and restore of the users' file. A user who was erased since the backup is erased again.

use super::*;
use crate::store::AuditFilter;
use crate::user::Status;

impl TestStore {
    fn backup(&self, name: &str) -> PathBuf {
        let file = self.file(name);
        Store::backup(&self.settings, &file).unwrap();
        file
    }

    /// Restores after this process has closed the database.
    fn restore(&self, backup: &Path) -> Result<crate::store::Restored, StoreError> {
        self.store.close().unwrap();
        self.clock.advance(Duration::from_millis(1));
        Store::restore(&self.settings, backup, false, &self.clock)
    }
}

#[test]
fn users_erased_since_the_backup_are_erased_again() {
    let test = TestStore::new();
    let store = &test.store;
    let ada = test.add_user("auth0|1", ADA);
    // Two users who are merged, and erased then.
    let (kept, gone) =
        (test.add_user("auth0|2", "k@example.com"), test.add_user("google|2", "g@example.com"));
    // Two users who are merged, and not erased.
    let (one, other) =
        (test.add_user("auth0|3", "o@example.com"), test.add_user("google|3", "p@example.com"));
    let backup = test.backup("monday.db");
    let late = test.add_user("auth0|late", "late@example.com");
    store.merge(kept.id, gone.id, &Actor::Cli).unwrap();
    store.merge(one.id, other.id, &Actor::Cli).unwrap();
    for user in [&ada, &kept, &late] {
        store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();
    }

    let restored = test.restore(&backup).unwrap();
    assert_eq!(restored.erased_again, Some(4));
    let store = test.another_process();
    for user in [&ada, &kept, &gone, &late] {
        let now = store.user(user.id).unwrap().unwrap();
        assert_eq!((now.status, &now.email, &now.person), (Status::Erased, &None, &Person::default()));
        assert_eq!(
            revocation(&test.another_process(), user.auth0_id.as_ref().unwrap().as_str()).unwrap().status,
            Status::Erased
        );
        assert_eq!(lines_about(&store, user.id, 1)[0].action, "user.status_set");
    }
    assert_eq!(store.user(one.id).unwrap(), Some(one));
    assert_eq!(store.user(other.id).unwrap(), Some(other));
    let again =
        store.provision(&identity("auth0|late", None, false), LinkEmail::Never, &Actor::Gate).unwrap();
    assert!(matches!(again, Provisioned::Known(user) if user.id == late.id));
    store.close().unwrap();
    assert!(Store::check(&test.settings).unwrap().is_sound());
}

#[test]
fn erased_identities_are_recognised_after_restores_of_any_origin() {
    let erase = |store: &Store, auth0_id: &str| {
        let new = identity(auth0_id, Some(&format!("{}@example.com", auth0_id.len())), true);
        let user = store.provision(&new, LinkEmail::Verified, &Actor::Gate).unwrap().into_user();
        store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();
        user.id
    };
    // A database of another origin, with a key of its own, an erased user, and one who is in both.
    let theirs = TestStore::new();
    theirs.add_user("auth0|both", "both@example.com");
    erase(&theirs.store, "auth0|theirs");
    let backup = theirs.backup("theirs.db");
    let test = TestStore::new();
    let ours = erase(&test.store, "waad|ours@example.com");
    let both = erase(&test.store, "auth0|both");
    assert_eq!(test.restore(&backup).unwrap().erased_again, Some(2));
    let store = test.another_process();
    for erased in ["auth0|theirs", "waad|ours@example.com"] {
        assert_eq!(revocation(&store, erased).unwrap().status, Status::Erased, "{erased}");
        let again = store.provision(&identity(erased, None, false), LinkEmail::Never, &Actor::Gate).unwrap();
        assert_eq!(again.into_user().status, Status::Erased, "{erased}");
    }
    assert_eq!(store.user_by_auth0_id(&id("waad|ours@example.com")).unwrap().unwrap().id, ours);
    // A user who has the identity in the backup keeps it, in memory and in the file.
    assert_eq!(revocation(&store, "auth0|both"), None);
    assert_ne!(store.user_by_auth0_id(&id("auth0|both")).unwrap().unwrap().id, both);
    // Also after the next restore.
    store.close().unwrap();
    let restored = test.restore(&backup).unwrap();
    assert_eq!(restored.erased_again, Some(2));
    let store = test.another_process();
    assert_eq!(store.user_by_auth0_id(&id("waad|ours@example.com")).unwrap().unwrap().id, ours);
    store.close().unwrap();
    assert!(Store::check(&test.settings).unwrap().is_sound());
}

#[test]
fn a_restore_is_in_the_audit_log() {
    let test = TestStore::new();
    let ada = test.add_user("auth0|1", "ada@example.com");
    let file = test.file("monday.db");
    let sha256 = Store::backup(&test.settings, &file).unwrap().sha256;
    test.restore(&file).unwrap();
    let store = test.another_process();
    let filter = AuditFilter { action: Some("database.restored".into()), ..AuditFilter::default() };
    let lines = store.list_audit(&filter, &PageArgs::first(10)).unwrap().items;
    assert_eq!(lines.len(), 1);
    assert_eq!((lines[0].actor_kind.as_str(), lines[0].target), ("cli", None));
    assert_eq!(lines[0].changes, serde_json::json!({ "backup": { "old": null, "new": sha256 } }));
    assert!(store.verify_audit(None).unwrap().is_intact());
    assert_eq!(lines_about(&store, ada.id, 10).len(), 1);
}

#[test]
fn an_erasure_that_cannot_be_read_is_reported_as_unknown() {
    let test = TestStore::new();
    let backup = test.backup("monday.db");
    test.store.close().unwrap();
    test.shell().execute_batch("PRAGMA foreign_keys = OFF; DROP TABLE pseudonym_keys").unwrap();
    let restored = test.restore(&backup).unwrap();
    assert_eq!(restored.erased_again, None);
    assert_eq!(test.another_process().replaced_copies().unwrap().first(), restored.kept.as_ref());
}

#[test]
fn a_check_and_a_restore_find_a_broken_audit_log() {
    let test = TestStore::new();
    test.add_user("auth0|1", ADA);
    test.add_user("auth0|2", "g@example.com");
    let found = Store::check(&test.settings).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!(found.audit.unwrap().lines, 2);
    let backup = test.backup("monday.db");
    let shell = Connection::open(&backup).unwrap();
    let sql = "SELECT sql FROM sqlite_schema WHERE name = 'audit_is_never_updated'";
    let trigger: String = shell.query_row(sql, [], |row| row.get(0)).unwrap();
    let tamper =
        format!("DROP TRIGGER audit_is_never_updated; UPDATE audit SET at = 0 WHERE id = 2; {trigger}");
    shell.execute_batch(&tamper).unwrap();
    drop(shell);
    let found = Store::check(&Settings { path: backup.clone(), ..test.settings.clone() }).unwrap();
    assert!(found.file.is_sound() && !found.is_sound(), "{found:?}");
    assert_eq!(found.audit.unwrap().first_broken, Some(2));
    test.store.close().unwrap();
    let outcome = Store::restore(&test.settings, &backup, true, &test.clock);
    assert!(outcome.unwrap_err().to_string().contains("broken at line 2"));
    assert_eq!(test.another_process().verify_audit(None).unwrap().lines, 2);
}

#[test]
fn a_file_of_an_earlier_schema_is_refused_and_left_alone() {
    let test = TestStore::new();
    test.store.close().unwrap();
    let earlier = "UPDATE refinery_schema_history SET name = 'users_identities_audit_keys', checksum = '7'";
    test.shell().execute(earlier, []).unwrap();
    let error = Store::open(&test.settings, test.clock.clone()).unwrap_err();
    assert!(error.to_string().contains("open it with the build that wrote it"), "{error}");
    assert!(Store::migrate(&test.settings).is_err());
}

#[test]
fn a_check_names_what_differs_from_the_schema() {
    let test = TestStore::new();
    let names = |test: &TestStore| Store::check(&test.settings).unwrap().file.differences;
    assert_eq!(names(&test), [""; 0]);
    test.shell()
        .execute_batch("DROP TRIGGER roles_of_a_new_user; DROP INDEX audit_by_action; DROP TABLE deployments")
        .unwrap();
    assert_eq!(
        names(&test),
        [
            "index audit_by_action is missing",
            "index deployments_by_outcome is missing",
            "index deployments_by_tenant is missing",
            "table deployments is missing",
            "trigger roles_of_a_new_user is missing",
        ]
    );
}

/// In the sqlite3 of Debian 12, `json_valid(NULL)` is 0.
#[test]
fn a_check_by_an_older_sqlite3_finds_no_violation() {
    let test = TestStore::new();
    test.add_pre_provisioned("grace@example.com", false);
    let shell = test.shell();
    let flags = rusqlite::functions::FunctionFlags::SQLITE_DETERMINISTIC;
    let older = |call: &rusqlite::functions::Context<'_>| {
        Ok(call
            .get::<Option<String>>(0)?
            .is_some_and(|text| serde_json::from_str::<serde_json::Value>(&text).is_ok()))
    };
    shell.create_scalar_function("json_valid", 1, flags, older).unwrap();
    assert!(!shell.query_row("SELECT json_valid(NULL)", [], |row| row.get::<_, bool>(0)).unwrap());
    let checked: String = shell.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(checked, "ok");
}
