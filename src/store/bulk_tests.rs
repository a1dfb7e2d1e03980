//! Imports at length: what is laid aside comes back, also after one that died, and each row ends as it would alone.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::*;
use crate::clock::Clock;
use crate::store::tests::settings_in;
use crate::store::{LinkEmail, Settings, Vouched};
use crate::user::{Person, Status, User, UserId};

const RULES: ImportRules = ImportRules { link: LinkEmail::Never, dry_run: false };

fn open(settings: &Settings) -> Store {
    Store::open(settings, Clock::system()).unwrap()
}

/// A database of its own, in a folder that goes with the first of these.
fn fresh() -> (tempfile::TempDir, Settings, Store) {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings_in(dir.path());
    let store = open(&settings);
    (dir, settings, store)
}

fn row(auth0_id: Option<&str>, email: Option<&str>, email_verified: bool) -> ImportRow {
    ImportRow {
        auth0_id: auth0_id.map(|id| id.parse().unwrap()),
        email: email.map(|email| email.parse().unwrap()),
        email_verified,
        ..ImportRow::default()
    }
}

fn one(number: u64) -> ImportRow {
    row(Some(&format!("auth0|{number}")), Some(&format!("{number}@example.com")), true)
}

/// What stands in the file beside rows, and whether something is told to be missing.
fn schema(settings: &Settings) -> (Vec<(String, String)>, i64) {
    let shell = Connection::open(&settings.path).unwrap();
    let aside = shell.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    (bare::schema(&shell).unwrap(), aside)
}

fn setting(store: &Store, name: &str) -> i64 {
    store.shared.writer.with(|writer| Ok(writer.pragma_query_value(None, name, |row| row.get(0))?)).unwrap()
}

fn by_auth0_id(store: &Store, number: u64) -> Option<User> {
    store.user_by_auth0_id(&format!("auth0|{number}").parse().unwrap()).unwrap()
}

/// Two users, and the database bare for more.
fn begin<'a>(store: &'a Store, told: impl FnMut(u64, Imported) + 'a) -> Import<'a, u64> {
    let mut import = store.begin_import(RULES, &Actor::Cli, told).unwrap();
    import.add(1, one(1)).unwrap();
    import.flush().unwrap();
    assert!(!import.is_long_to_finish(), "not for a few");
    import.added = MANY;
    import.add(2, one(2)).unwrap();
    import.flush().unwrap();
    assert!(import.is_long_to_finish());
    import
}

#[test]
fn what_an_import_lays_aside_is_as_before_when_it_is_done() {
    let (_dir, settings, store) = fresh();
    let before = schema(&settings);
    let mut outcomes = BTreeMap::new();
    let mut import = begin(&store, |place, outcome| assert!(outcomes.insert(place, outcome).is_none()));
    assert!(schema(&settings).0.len() + 12 == before.0.len() && schema(&settings).1 != 0);
    import.add(3, one(3)).unwrap();
    import.add(4, one(3)).unwrap();
    import.add(5, one(1)).unwrap();
    import.add(6, ImportRow { blocked: true, ..one(6) }).unwrap();
    import.add(7, row(None, None, false)).unwrap();
    let other = Store::open(&settings, Clock::system());
    assert!(matches!(other, Err(StoreError::BeingRestored { .. })), "nobody looks for users without them");
    import.finish().unwrap();
    use Imported::{Added, Nobody, Unchanged};
    let told: Vec<_> = outcomes.into_values().collect();
    assert_eq!(told, [Added, Added, Added, Unchanged, Unchanged, Added, Nobody]);
    assert_eq!(schema(&settings), before);
    assert_eq!(setting(&store, "foreign_keys"), 1);
    assert_eq!(open(&settings).users(10, None).unwrap().users.len(), 4);
    assert_eq!(store.revocation(&"auth0|6".parse().unwrap()).unwrap().status, Status::Blocked);
    assert!(by_auth0_id(&store, 3).is_some());
    assert!(store.user_by_email(&"3@example.com".parse().unwrap()).unwrap().is_some());
    store.close().unwrap();
    assert!(Store::check(&settings).unwrap().is_sound());
}

#[test]
fn whoever_opens_it_after_an_import_that_died_completes_it() {
    let (dir, settings, store) = fresh();
    let before = schema(&settings);
    let mut import = begin(&store, |_, _| {});
    import.add(3, one(3)).unwrap();
    import.flush().unwrap();
    drop(import);
    assert!(matches!(store.users(1, None), Err(StoreError::Closed)), "nobody is found in it");
    assert_ne!(schema(&settings), before);
    let existing = Store::open_existing(&settings, Clock::system());
    assert!(matches!(existing, Err(StoreError::Unfinished { .. })), "{existing:?}");
    let backup = Store::backup(&settings, &dir.path().join("backup.db"));
    assert!(matches!(backup, Err(StoreError::Unfinished { .. })), "{backup:?}");
    let check = Store::check(&settings);
    assert!(matches!(check, Err(StoreError::Unfinished { .. })), "{check:?}");
    let next = open(&settings);
    assert_eq!(schema(&settings), before);
    assert_ne!(
        setting(&next, "wal_autocheckpoint"),
        bare::CHECKPOINT_PAGES,
        "a server does not keep what was for the building"
    );
    assert_eq!(setting(&next, "foreign_keys"), 1);
    open(&settings).close().unwrap();
    for number in 1..=3 {
        let user = by_auth0_id(&next, number).unwrap();
        let identities = next.identities(user.id).unwrap();
        assert_eq!((identities.len(), identities[0].linked_at), (1, user.created_at));
    }
    next.close().unwrap();
    assert!(Store::check(&settings).unwrap().is_sound());
}

#[test]
fn indexes_stay_while_others_have_the_database_open() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings_in(dir.path());
    let (store, other) = (open(&settings), open(&settings));
    let before = schema(&settings);
    let import = |store: &Store| {
        let mut import = store.begin_import(RULES, &Actor::Cli, |(), _| {}).unwrap();
        import.added = MANY;
        import.add((), one(1)).unwrap();
        import.flush().unwrap();
        assert_eq!(import.is_long_to_finish(), schema(&settings) != before);
        let bare = import.is_long_to_finish();
        import.finish().unwrap();
        bare
    };
    assert!(!import(&store));
    assert_eq!(schema(&settings), before);
    drop(other);
    assert!(import(&store));
    assert_eq!(schema(&settings), before);
}

#[test]
fn however_many_wait_all_are_imported() {
    let (_dir, settings, store) = fresh();
    let mut added = 0;
    let mut import = store
        .begin_import(RULES, &Actor::Cli, |(), outcome| added += u64::from(outcome == Imported::Added))
        .unwrap();
    import.bare_from = Some(0);
    let many = BATCH as u64 + 1;
    for number in 0..many {
        import.add((), ImportRow { blocked: true, ..one(number) }).unwrap();
    }
    import.finish().unwrap();
    assert_eq!(added, many);
    store.close().unwrap();
    assert_eq!(schema(&settings).1, 0);
    assert!(Store::check(&settings).unwrap().is_sound());
}

#[test]
fn an_import_without_room_for_the_indexes_closes_its_store_and_is_completed_later() {
    let (_dir, settings, store) = fresh();
    let before = schema(&settings);
    let mut import = begin(&store, |_, _| {});
    for number in 3..400 {
        import.add(number, one(number)).unwrap();
    }
    import.flush().unwrap();
    let full = |writer: &mut Connection| {
        let pages: i64 = writer.pragma_query_value(None, "page_count", |row| row.get(0))?;
        Ok(writer.pragma_update(None, "max_page_count", pages)?)
    };
    store.shared.writer.with(full).unwrap();
    let Err(StoreError::Unfinished { source: Some(why), .. }) = import.finish() else {
        panic!("there was room");
    };
    assert!(matches!(*why, StoreError::Full(_)), "{why:?}");
    assert!(matches!(store.users(1, None), Err(StoreError::Closed)));
    assert_ne!(schema(&settings), before);
    let next = open(&settings);
    assert_eq!(schema(&settings), before);
    assert_eq!(next.users(1_000, None).unwrap().users.len(), 399);
    next.close().unwrap();
    assert!(Store::check(&settings).unwrap().is_sound());
}

/// A backup with somebody who has been erased since.
fn backup_and_erase(store: &Store, settings: &Settings) -> PathBuf {
    store.import(&[one(7)], RULES, &Actor::Cli).unwrap();
    let backup = settings.path.with_file_name("backup.db");
    Store::backup(settings, &backup).unwrap();
    let erased = by_auth0_id(store, 7).unwrap().id;
    store.set_status(erased, Status::Erased, &Actor::Cli).unwrap();
    backup
}

#[test]
fn a_backup_takes_the_place_of_what_a_dead_import_left_and_that_is_kept_whole() {
    let (_dir, settings, store) = fresh();
    let backup = backup_and_erase(&store, &settings);
    drop(begin(&store, |_, _| {}));
    assert_ne!(schema(&settings).1, 0);
    let restored = Store::restore(&settings, &backup, Vouched::ByChecksum, &Clock::system()).unwrap();
    assert_eq!(restored.erased_again, Some(1));
    let kept = Settings { path: restored.kept.unwrap(), ..settings };
    assert!(Store::check(&kept).unwrap().is_sound());
    assert_eq!(open(&kept).users(10, None).unwrap().users.len(), 3);
}

#[test]
fn a_copy_of_what_a_dead_import_left_is_completed_when_it_is_restored() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings_in(dir.path());
    drop(begin(&open(&settings), |_, _| {}));
    let copy = dir.path().join("copy.db");
    std::fs::copy(&settings.path, &copy).unwrap();
    Store::restore(&settings, &copy, Vouched::ByNothing, &Clock::system()).unwrap();
    assert!(Store::check(&settings).unwrap().is_sound());
    assert!(open(&settings).user_by_email(&"2@example.com".parse().unwrap()).unwrap().is_some());
}

#[test]
fn who_was_erased_stays_so_when_a_database_that_can_not_be_completed_is_replaced() {
    let (_dir, settings, store) = fresh();
    let backup = backup_and_erase(&store, &settings);
    let mut import = begin(&store, |_, _| {});
    import.add(3, one(3)).unwrap();
    import.flush().unwrap();
    drop(import);
    let shell = Connection::open(&settings.path).unwrap();
    // So that it can not be completed: an identity of one leads to another.
    shell.execute("INSERT INTO identities SELECT 'auth0|3', id, 0 FROM users WHERE rowid = 1", []).unwrap();
    drop(shell);
    let opened = Store::open(&settings, Clock::system());
    assert!(matches!(opened, Err(StoreError::Unfinished { source: Some(_), .. })), "{opened:?}");
    let restored = Store::restore(&settings, &backup, Vouched::ByChecksum, &Clock::system()).unwrap();
    assert_eq!(restored.erased_again, Some(1));
}

/// A person as others see them: whatever ids and moments are.
type Face = (Vec<String>, Option<String>, bool, Person, Status);

fn faces(store: &Store) -> Vec<Face> {
    let users = store.users(1_000, None).unwrap().users;
    let face = |id: UserId| {
        let user = store.user(id).unwrap().unwrap();
        // Each database has pseudonyms of its own.
        let known =
            |auth0_id: &str| if auth0_id.starts_with("erased|") { "erased" } else { auth0_id }.to_owned();
        let mut identities: Vec<_> =
            store.identities(id).unwrap().iter().map(|identity| known(identity.auth0_id.as_str())).collect();
        identities.sort();
        let email = user.email.map(|email| email.as_str().to_owned());
        (identities, email, user.email_verified, user.person, user.status)
    };
    let mut faces: Vec<_> = users.into_iter().map(|user| face(user.id)).collect();
    faces.sort_by_key(|face| format!("{face:?}"));
    faces
}

/// Rows that have few keys between them, so that most are about somebody who was there before.
fn entangled(seed: u64) -> Vec<ImportRow> {
    let mut state = seed;
    let mut below = move |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    (0..150)
        .map(|number| {
            let auth0_id = (below(4) > 0).then(|| format!("auth0|{}", below(60)));
            let email = (below(4) > 0).then(|| format!("{}@example.com", below(60)));
            ImportRow {
                blocked: below(10) == 0,
                person: Person {
                    name: Some(format!("Name {number}")),
                    nickname: (below(2) == 0).then(|| format!("nick {number}")),
                    ..Person::default()
                },
                ..row(auth0_id.as_deref(), email.as_deref(), below(2) == 0)
            }
        })
        .collect()
}

#[test]
fn an_import_of_many_ends_as_one_of_a_few_at_a_time() {
    for (seed, link) in (0..24).zip([LinkEmail::Never, LinkEmail::Verified].into_iter().cycle()) {
        let run = |bare: bool| {
            let (_dir, settings, store) = fresh();
            // Some are there before: one is erased, one is expected, one was unlinked from.
            store
                .import(&[one(1), one(2), row(None, Some("3@example.com"), false)], RULES, &Actor::Cli)
                .unwrap();
            let id = |number| by_auth0_id(&store, number).unwrap().id;
            store.set_status(id(1), Status::Erased, &Actor::Cli).unwrap();
            let two = id(2);
            store.link_identity(two, &"auth0|4".parse().unwrap(), &Actor::Cli).unwrap();
            store.unlink_identity(two, &"auth0|4".parse().unwrap(), &Actor::Cli).unwrap();
            let mut outcomes = BTreeMap::new();
            let rules = ImportRules { link, dry_run: false };
            let mut import = store
                .begin_import(rules, &Actor::Cli, |place: usize, outcome| {
                    assert!(outcomes.insert(place, outcome).is_none());
                })
                .unwrap();
            if bare {
                import.lay_bare().unwrap();
                assert!(import.is_long_to_finish());
            }
            for (place, row) in entangled(seed).into_iter().enumerate() {
                import.add(place, row).unwrap();
            }
            import.finish().unwrap();
            let faces = faces(&store);
            assert!(store.verify_audit(None).unwrap().is_whole());
            store.close().unwrap();
            assert!(Store::check(&settings).unwrap().is_sound());
            (outcomes, faces)
        };
        let (few, many) = (run(false), run(true));
        assert_eq!(few.0.len(), 150);
        assert_eq!(few.0, many.0, "seed {seed}");
        assert_eq!(few.1, many.1, "seed {seed}");
    }
}

#[test]
fn rows_wait_in_order_also_when_there_are_more_than_fit_into_memory() {
    let dir = tempfile::tempdir().unwrap();
    let lines = SpooledTempFile::new_in(64, dir.path());
    let mut waiting = Waiting { lines, ..Waiting::beside(&dir.path().join("vestibule.db")) };
    for number in 0..20_u64 {
        waiting.push(&(number, one(number))).unwrap();
    }
    assert!(waiting.lines.is_rolled());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "it has no name");
    let mut rows = Vec::new();
    waiting
        .each(|row: (u64, ImportRow)| {
            rows.push(row);
            Ok(())
        })
        .unwrap();
    assert_eq!(rows, (0..20).map(|number| (number, one(number))).collect::<Vec<_>>());
}
