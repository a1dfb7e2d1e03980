//! Erasure: no file holds data of the user afterwards.

use super::*;
use crate::store::{ImportOutcome, ImportRow, ImportRules, UserUpdate};
use crate::user::Status;

/// Data of the user, in every state of the row. An Auth0 id can contain an email.
const TRACES: [&str; 11] = [
    "waad|erase.me@example.com",
    "samlp|conn|second@example.com",
    "email|unlinked@example.com",
    "erase.me@example.com",
    "first.address@example.com",
    "Lovelace",
    "Countess",
    "+441234",
    "+445678",
    "avatars/ada",
    "analytical-engine",
];

/// Which files hold which of the data. Another process reads the bytes: reading them here would drop SQLite's locks.
fn traces(test: &TestStore) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(test.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::process::Command::new("cat").arg(&path).output().unwrap().stdout;
        for trace in TRACES {
            if bytes.windows(trace.len()).any(|window| window == trace.as_bytes()) {
                found.push(format!("{} in {}", trace, path.file_name().unwrap().display()));
            }
        }
    }
    found
}

const ADA: &str = "waad|erase.me@example.com";

#[test]
fn no_file_and_no_later_backup_holds_data_of_an_erased_user() {
    let test = TestStore::new();
    for i in 0..50 {
        test.verified_but_unlike(i);
    }
    let mut ada = identity(ADA, Some("first.address@example.com"), true);
    ada.profile = Some(serde_json::json!({ "user_metadata": { "likes": "analytical-engine" } }));
    let user = test.store.provision(&ada, LinkEmail::Verified, &Actor::Gate).unwrap().into_user();
    let update = UserUpdate {
        name: Some(Some("Countess of L.".into())),
        phone: Some(Some("+445678".into())),
        picture: Some(Some("https://example.com/avatars/ada.png".into())),
        ..UserUpdate::default()
    };
    test.store.update(user.id, &update, &Actor::Cli).unwrap();
    let row = ImportRow {
        auth0_id: Some(id(ADA)),
        email: Some(email("erase.me@example.com")),
        email_verified: true,
        ..ImportRow::default()
    };
    let rules = ImportRules { link: LinkEmail::Verified.into(), dry_run: false };
    import(&test.store, &[row], rules).unwrap();
    for linked in ["samlp|conn|second@example.com", "email|unlinked@example.com"] {
        test.store.link_identity(user.id, &id(linked), &Actor::Cli).unwrap();
    }
    test.store.unlink_identity(user.id, &id("email|unlinked@example.com"), &Actor::Cli).unwrap();
    test.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    let before = traces(&test);
    for trace in TRACES {
        assert!(before.iter().any(|found| found.starts_with(trace)), "{trace} was never written: {before:?}");
    }

    test.store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();
    assert_eq!(traces(&test), [""; 0], "while the database is open");
    Store::backup(&test.settings, &test.file("tuesday.db")).unwrap();
    test.store.close().unwrap();
    assert_eq!(traces(&test), [""; 0], "after it was closed");
}

#[test]
fn an_erased_identity_is_recognised_by_every_lookup() {
    let test = TestStore::new();
    let other = test.another_process();
    let user = test.add_user(ADA, "erase.me@example.com");
    test.store.link_identity(user.id, &id("google|1"), &Actor::Cli).unwrap();
    // First by its id, then by its pseudonym.
    test.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    let tombstone = test.store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();
    assert!(tombstone.auth0_id.as_ref().unwrap().as_str().starts_with("erased|"), "{tombstone:?}");
    test.clock.advance(Duration::from_millis(500));
    for store in [&test.store, &other, &test.another_process()] {
        for theirs in [ADA, "google|1"] {
            assert_eq!(revocation(store, theirs).unwrap().status, Status::Erased);
            assert_eq!(store.user_by_auth0_id(&id(theirs)).unwrap().as_ref(), Some(&tombstone));
            let address = email("erase.me@example.com");
            let found =
                store.find_or_link(&id(theirs), Some(&address), LinkEmail::Verified, &Actor::Gate).unwrap();
            assert_eq!(found.unwrap().id, user.id);
            let admitted = store.provision(
                &identity(theirs, Some("a@example.com"), true),
                LinkEmail::Verified,
                &Actor::Gate,
            );
            assert!(
                matches!(&admitted, Ok(Provisioned::Known(user)) if user.status == Status::Erased),
                "{admitted:?}"
            );
        }
    }
    assert_eq!(revocation(&test.store, "google|2"), None);
    let grace = test.add_user("auth0|grace", "grace@example.com");
    let taken = test.store.link_identity(grace.id, &id(ADA), &Actor::Cli);
    assert!(matches!(taken, Err(StoreError::IdentityTaken(who)) if who == user.id), "{taken:?}");
    let row = ImportRow { auth0_id: Some(id("google|1")), ..ImportRow::default() };
    let rules = ImportRules { link: LinkEmail::Verified.into(), dry_run: false };
    assert_eq!(import(&test.store, &[row], rules).unwrap(), [ImportOutcome::Erased]);
    let seed = SeedUser { auth0_id: Some(id(ADA)), ..seed() };
    assert_eq!(test.store.seed(&[seed], &Actor::Seed).unwrap(), 0);
    assert_eq!(test.user_count(), 2);
}

#[test]
fn what_auth0_has_yet_to_be_told_keeps_the_id_until_it_is_told() {
    let test = TestStore::new();
    let user = test.add_user(ADA, "first.address@example.com");
    test.store.set_status_also_at_auth0(user.id, Status::Erased, &Actor::Cli).unwrap();
    let found = traces(&test);
    assert!(
        !found.is_empty()
            && found.iter().all(|found| found.starts_with("waad|erase.me") || found.starts_with("erase.me")),
        "{found:?}"
    );
    // The ids are gone, so enqueueing again changes nothing.
    test.store.set_status_also_at_auth0(user.id, Status::Erased, &Actor::Cli).unwrap();
    let delivery = test.store.next_due().unwrap().unwrap();
    assert_eq!((delivery.auth0_id.as_str(), delivery.blocked), (ADA, true));
    test.store.mark_delivered(&delivery, &Actor::Gate).unwrap();
    assert_eq!(test.store.pending_deliveries().unwrap().0, 0);
    assert_eq!(test.actions(user.id)[0], "user.block_sent");
    assert_eq!(traces(&test), [""; 0], "while the database is open");
    test.store.close().unwrap();
    assert_eq!(traces(&test), [""; 0], "after it was closed");
}

impl TestStore {
    /// Adds a user whose row shares no data with the erased one.
    fn verified_but_unlike(&self, i: usize) {
        let mut other = identity(&format!("auth0|other{i}"), Some(&format!("other{i}@example.com")), true);
        other.person = Person { name: Some(format!("Other {i}")), ..Person::default() };
        other.profile = None;
        self.store.provision(&other, LinkEmail::Verified, &Actor::Gate).unwrap();
    }
}

#[test]
fn erased_data_leaves_the_file_and_its_log_and_other_data_stays() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", "erase.me@example.com");
    test.add_user("auth0|2", "keep.me@example.com");
    test.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    let holds = |word: &str| {
        ["vestibule.db", "vestibule.db-wal"].iter().any(|name| {
            // A copy of the bytes by another process: reading here would drop SQLite's locks.
            let copy = std::process::Command::new("cat").arg(test.file(name)).output().unwrap();
            copy.stdout.windows(word.len()).any(|bytes| bytes == word.as_bytes())
        })
    };
    assert!(holds("erase.me@example.com") && holds("+441234"));
    test.store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();
    assert!(!holds("erase.me@example.com"));
    assert!(holds("keep.me@example.com"));
}

#[test]
fn an_erasure_removes_the_idempotency_keys_that_clients_chose() {
    let test = TestStore::new();
    let create = |key: &str, address: &str| {
        let new = NewUser { email: Some(email(address)), ..NewUser::default() };
        test.store.create_idempotent(&new, key, &Actor::Cli).unwrap().id
    };
    let [erased, merged, kept] =
        ["ada", "bob", "eve"].map(|name| create(&format!("create {name}"), &format!("{name}@example.com")));
    test.store.set_status(erased, Status::Erased, &Actor::Cli).unwrap();
    test.store.merge(kept, merged, &Actor::Cli).unwrap();
    let left: Vec<String> = {
        let shell = test.shell();
        let mut keys = shell.prepare("SELECT key FROM idempotency_keys").unwrap();
        keys.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    assert_eq!(left, ["create eve"]);
}
