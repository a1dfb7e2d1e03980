//! Imports.

use super::*;
use crate::sqlite::DatabaseError;
use crate::store::LinkRules;
use crate::store::users::MANY;
use crate::store::{ImportOutcome, ImportRow, ImportRules, NewUser};
use crate::user::Status;

const RULES: ImportRules =
    ImportRules { link: LinkRules { email: LinkEmail::Verified, privileged: false }, dry_run: false };

fn row(auth0_id: Option<&str>, email: Option<&str>, email_verified: bool) -> ImportRow {
    ImportRow {
        auth0_id: auth0_id.map(id),
        email: email.map(self::email),
        email_verified,
        person: Person { name: Some("Ada King".into()), ..Person::default() },
        blocked: None,
    }
}

impl TestStore {
    fn import(&self, rows: &[ImportRow]) -> Vec<ImportOutcome> {
        import(&self.store, rows, RULES).unwrap()
    }

    fn by_id(&self, auth0_id: &str) -> User {
        self.store.user_by_auth0_id(&id(auth0_id)).unwrap().unwrap()
    }
}

#[test]
fn rows_are_added_once_and_audited() {
    let test = TestStore::new();
    let rows = [
        row(Some("auth0|1"), Some(ADA), true),
        row(Some("auth0|2"), Some(ADA), false),
        row(None, Some("grace@example.com"), false),
        ImportRow { blocked: Some(true), ..row(Some("auth0|3"), None, false) },
        row(None, None, false),
    ];
    use ImportOutcome::{Added, NoKey, Unchanged};
    assert_eq!(test.import(&rows), [Added, Added, Added, Added, NoKey]);
    assert_eq!(test.import(&rows), [Unchanged, Unchanged, Unchanged, Unchanged, NoKey]);
    assert_eq!(test.user_count(), 4);
    let ada = test.by_id("auth0|1");
    assert_eq!(
        (ada.email, ada.email_verified, ada.person.name),
        (Some(email(ADA)), true, Some("Ada King".into()))
    );
    assert_eq!(test.actions(ada.id), ["user.imported"]);
    assert_eq!(revocation(&test.store, "auth0|3").unwrap().status, Status::Blocked);
    assert!(test.store.verify_audit(None).unwrap().is_intact());
    // A login with the email of the third row, verified, claims it.
    let grace = identity("auth0|g", Some("grace@example.com"), true);
    assert!(matches!(
        test.store.provision(&grace, LinkEmail::Never, &Actor::Gate),
        Ok(Provisioned::Linked(_))
    ));
}

#[test]
fn an_import_replaces_fields_and_keeps_those_it_leaves_out() {
    let test = TestStore::new();
    let before = test.add_user("auth0|1", ADA);
    let new =
        ImportRow { email_verified: false, ..row(Some("auth0|1"), Some("countess@example.com"), false) };
    assert_eq!(test.import(&[new]), [ImportOutcome::Updated]);
    let after = test.by_id("auth0|1");
    assert_eq!(after.person.name.as_deref(), Some("Ada King"));
    assert_eq!(after.person.phone, before.person.phone);
    assert_eq!((after.email, after.email_verified), (Some(email("countess@example.com")), false));
    let line = &lines_about(&test.store, after.id, 1)[0];
    assert_eq!(
        line.changes,
        serde_json::json!({ "name": "redacted", "email": "redacted", "emailVerified": { "old": true, "new": false } })
    );
    // An export with fewer fields does not remove the verification.
    test.import(&[row(Some("auth0|1"), Some("countess@example.com"), true)]);
    assert_eq!(test.import(&[row(Some("auth0|1"), None, false)]), [ImportOutcome::Unchanged]);
    assert_eq!(
        test.import(&[row(Some("auth0|1"), Some("countess@example.com"), false)]),
        [ImportOutcome::Unchanged]
    );
    assert!(test.by_id("auth0|1").email_verified);
}

#[test]
fn an_import_blocks_and_lifts_only_blocks_that_came_from_auth0() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let blocked =
        |blocked| ImportRow { blocked, person: user.person.clone(), ..row(Some("auth0|1"), None, false) };
    test.clock.advance(Duration::from_secs(1));
    assert_eq!(test.import(&[blocked(Some(true))]), [ImportOutcome::Updated]);
    let revocation = revocation(&test.store, "auth0|1").unwrap();
    assert_eq!((revocation.status, revocation.tokens_valid_from), (Status::Blocked, Some(test.clock.now())));
    assert_eq!(test.import(&[blocked(None)]), [ImportOutcome::Unchanged], "an export without the field");
    assert_eq!(test.by_id("auth0|1").status, Status::Blocked);
    assert_eq!(test.import(&[blocked(Some(false))]), [ImportOutcome::Updated], "it came from Auth0");
    assert_eq!(test.by_id("auth0|1").status, Status::Active);
    // A user who is new, and one whom staff blocked too.
    let new = || ImportRow { blocked: Some(true), ..row(Some("auth0|new"), None, false) };
    assert_eq!(test.import(&[new(), new()]), [ImportOutcome::Added, ImportOutcome::Unchanged]);
    let lifted = ImportRow { blocked: Some(false), ..new() };
    assert_eq!(test.import(std::slice::from_ref(&lifted)), [ImportOutcome::Updated]);
    assert_eq!(test.import(&[new()]), [ImportOutcome::Updated]);
    test.store.set_status(test.by_id("auth0|new").id, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(test.import(&[lifted]), [ImportOutcome::Unchanged]);
    assert_eq!(test.by_id("auth0|new").status, Status::Blocked);
}

#[test]
fn data_about_a_linked_identity_replaces_nothing() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    test.store.link_identity(user.id, &id("google|1"), &Actor::Cli).unwrap();
    let imported = ImportRow {
        person: Person { name: Some("Other".into()), ..Person::default() },
        ..row(Some("google|1"), Some("other@example.com"), true)
    };
    assert_eq!(test.import(&[imported]), [ImportOutcome::Unchanged]);
    let after = test.by_id("auth0|1");
    assert_eq!((after.email, after.email_verified, after.person), (Some(email(ADA)), true, user.person));
}

#[test]
fn an_erased_user_stays_erased() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let gone = test.store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();
    assert_eq!(test.import(&[row(Some("auth0|1"), Some(ADA), true)]), [ImportOutcome::Erased]);
    assert_eq!(test.store.user(user.id).unwrap(), Some(gone));
}

#[test]
fn a_row_finds_its_user_by_email_as_a_login_does() {
    let test = TestStore::new();
    let ada = test.add_user("auth0|1", ADA);
    let pre_provisioned = NewUser { email: Some(email("grace@example.com")), ..NewUser::default() };
    let pre_provisioned = test.store.create(&pre_provisioned, &Actor::Cli).unwrap();

    // Unverified, it leads to no user.
    assert_eq!(test.import(&[row(Some("evil|1"), Some(ADA), false)]), [ImportOutcome::Added]);
    assert_eq!(test.import(&[row(Some("evil|2"), Some("grace@example.com"), false)]), [ImportOutcome::Added]);
    assert_eq!(test.import(&[row(None, Some(ADA), false)]), [ImportOutcome::EmailTaken]);

    let google = row(Some("google|1"), Some(ADA), true);
    let never = ImportRules { link: LinkEmail::Never.into(), ..RULES };
    assert_eq!(
        import(&test.store, std::slice::from_ref(&google), never).unwrap(),
        [ImportOutcome::EmailTaken]
    );
    assert_eq!(test.import(&[google.clone(), google]), [ImportOutcome::Updated, ImportOutcome::Unchanged]);
    let linked = test.by_id("google|1");
    assert_eq!((linked.id, linked.person), (ada.id, ada.person), "a linked identity fills gaps only");

    let claimed = row(Some("auth0|g"), Some("grace@example.com"), true);
    assert_eq!(test.import(&[claimed]), [ImportOutcome::Updated]);
    let claimed = test.by_id("auth0|g");
    assert_eq!(
        (claimed.id, claimed.auth0_id, claimed.email_verified),
        (pre_provisioned.id, Some(id("auth0|g")), true)
    );

    // The email of another user.
    assert_eq!(test.import(&[row(Some("auth0|g"), Some(ADA), true)]), [ImportOutcome::EmailTaken]);
    assert_eq!(test.by_id("auth0|g").email, Some(email("grace@example.com")));
}

#[test]
fn a_dry_run_has_the_same_outcomes_and_changes_nothing() {
    let test = TestStore::new();
    test.add_user("auth0|1", ADA);
    let rows = [row(Some("auth0|1"), None, false), row(Some("auth0|2"), None, false)];
    let mut feed = test.store.subscribe().unwrap();
    let dry = import(&test.store, &rows, ImportRules { dry_run: true, ..RULES }).unwrap();
    assert_eq!(test.user_count(), 1);
    assert!(feed.try_recv().is_err());
    assert_eq!(test.import(&rows), dry);
    assert_eq!(dry, [ImportOutcome::Updated, ImportOutcome::Added]);
}

/// A user found by both keys.
fn keyed(number: u64) -> ImportRow {
    row(Some(&format!("auth0|{number}")), Some(&format!("{number}@example.com")), true)
}

impl TestStore {
    /// Makes adding `auth0_id` fail.
    fn forbid(&self, auth0_id: &str) {
        let sql = format!(
            "CREATE TRIGGER forbidden BEFORE INSERT ON users WHEN NEW.auth0_id = '{auth0_id}'
             BEGIN SELECT RAISE(ABORT, 'on purpose'); END"
        );
        self.shell().execute_batch(&sql).unwrap();
    }
}

#[test]
fn an_import_alone_in_the_database_is_all_or_nothing() {
    let test = TestStore::new();
    test.forbid("auth0|3000");
    let rows: Vec<_> = (1..=3000).map(keyed).collect();
    assert!(import(&test.store, &rows, RULES).is_err());
    assert_eq!(test.user_count(), 0);
    // The lock on the file is shared again.
    test.another_process();
}

#[test]
fn an_error_of_the_source_rolls_back_an_import_alone_in_the_database() {
    let test = TestStore::new();
    let rows = [Ok(((), keyed(1))), Err(StoreError::Invalid("cut off"))];
    let failed = test.store.import(RULES, &Actor::Cli, rows, |(), _| {});
    assert!(matches!(failed, Err(StoreError::Invalid("cut off"))));
    assert_eq!(test.user_count(), 0);
}

#[test]
fn no_other_process_opens_the_database_during_an_import_alone_in_it() {
    let test = TestStore::new();
    let mut opened = None;
    let rows = std::iter::once(((), keyed(1))).map(|row| {
        opened = Some(Store::open(&test.settings, test.clock.clone()));
        Ok::<_, StoreError>(row)
    });
    test.store.import(RULES, &Actor::Cli, rows, |(), _| {}).unwrap();
    assert!(matches!(opened, Some(Err(StoreError::Database(DatabaseError::Locked(_))))));
    assert_eq!(test.user_count(), 1);
}

#[test]
fn earlier_batches_stay_imported_while_servers_run() {
    let test = TestStore::new();
    let other = test.another_process();
    test.forbid("auth0|3000");
    let rows: Vec<_> = (1..=3000).map(keyed).collect();
    assert!(import(&test.store, &rows, RULES).is_err());
    assert_eq!(test.user_count(), 2000);
    assert!(other.user_by_auth0_id(&id("auth0|2000")).unwrap().is_some());
    assert!(other.user_by_auth0_id(&id("auth0|2001")).unwrap().is_none());
}

#[test]
fn a_large_import_rebuilds_the_list_indexes() {
    let test = TestStore::new();
    let before = schema(&test.shell());
    let many = MANY + 1;
    let rows = (0..many).map(|number| Ok::<_, StoreError>((number, keyed(number))));
    test.store.import(RULES, &Actor::Cli, rows, |_, _| {}).unwrap();
    assert_eq!(schema(&test.shell()), before);
    test.store.close().unwrap();
    let store = test.another_process();
    assert_eq!(store.user_by_email(&email("7@example.com")).unwrap().unwrap().auth0_id, Some(id("auth0|7")));
    assert!(store.verify_audit(None).unwrap().is_intact());
    store.close().unwrap();
    assert!(Store::check(&test.settings).unwrap().is_sound());
}
