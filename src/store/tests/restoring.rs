//! Restoring after somebody was erased: they stay erased, whatever the backup holds of them.

use super::*;
use crate::store::{Vouched, migrate};
use crate::user::Status;

const ADA: &str = "ada@example.com";

#[test]
fn who_was_erased_since_the_backup_is_erased_again() {
    let house = House::new();
    let store = &house.store;
    let ada = house.verified("auth0|1", ADA);
    // Two rows that become one, whose person is erased then.
    let (kept, gone) =
        (house.verified("auth0|2", "k@example.com"), house.verified("google|2", "g@example.com"));
    // Two rows that become one, whose person stays.
    let (one, other) =
        (house.verified("auth0|3", "o@example.com"), house.verified("google|3", "p@example.com"));
    let backup = house.backup("monday.db");
    let late = house.verified("auth0|late", "late@example.com");
    store.merge(kept.id, gone.id, &Actor::Cli).unwrap();
    store.merge(one.id, other.id, &Actor::Cli).unwrap();
    for user in [&ada, &kept, &late] {
        store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();
    }

    let restored = house.restore(&backup).unwrap();
    assert_eq!(restored.erased_again, Some(4));
    let store = house.another_process();
    for user in [&ada, &kept, &gone, &late] {
        let now = store.user(user.id).unwrap().unwrap();
        assert_eq!((now.status, &now.email, &now.person), (Status::Erased, &None, &Person::default()));
        assert_eq!(
            house.another_process().revocation(user.auth0_id.as_ref().unwrap()).unwrap().status,
            Status::Erased
        );
        assert_eq!(store.audit_of(user.id, 1).unwrap()[0].action, "user.status_set");
    }
    assert_eq!(store.user(one.id).unwrap(), Some(one));
    assert_eq!(store.user(other.id).unwrap(), Some(other));
    let again = store.provision(&arrival("auth0|late", None, false), LinkEmail::Never, &Actor::Gate).unwrap();
    assert!(matches!(again, Provisioned::Known(user) if user.id == late.id));
    store.close().unwrap();
    assert!(Store::check(&house.settings).unwrap().is_sound());
}

#[test]
fn erased_identities_are_known_over_backups_of_any_origin() {
    let erase = |store: &Store, auth0_id: &str| {
        let arrival = arrival(auth0_id, Some(&format!("{}@example.com", auth0_id.len())), true);
        let user = store.provision(&arrival, LinkEmail::Verified, &Actor::Gate).unwrap().into_user();
        store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();
        user.id
    };
    // A database of another origin, with a key of its own, an erased person and somebody who is here too.
    let theirs = House::new();
    theirs.verified("auth0|both", "both@example.com");
    erase(&theirs.store, "auth0|theirs");
    let backup = theirs.backup("theirs.db");
    let house = House::new();
    let ours = erase(&house.store, "waad|ours@example.com");
    let both = erase(&house.store, "auth0|both");
    assert_eq!(house.restore(&backup).unwrap().erased_again, Some(2));
    let store = house.another_process();
    for erased in ["auth0|theirs", "waad|ours@example.com"] {
        assert_eq!(store.revocation(&id(erased)).unwrap().status, Status::Erased, "{erased}");
        let again = store.provision(&arrival(erased, None, false), LinkEmail::Never, &Actor::Gate).unwrap();
        assert_eq!(again.into_user().status, Status::Erased, "{erased}");
    }
    assert_eq!(store.user_by_auth0_id(&id("waad|ours@example.com")).unwrap().unwrap().id, ours);
    // Whoever has the identity in the backup keeps it, in memory and in the file alike.
    assert_eq!(store.revocation(&id("auth0|both")), None);
    assert_ne!(store.user_by_auth0_id(&id("auth0|both")).unwrap().unwrap().id, both);
    // The next one over, too.
    store.close().unwrap();
    let restored = Store::restore(&house.settings, &backup, Vouched::ByChecksum, &house.clock).unwrap();
    assert_eq!(restored.erased_again, Some(2));
    let store = house.another_process();
    assert_eq!(store.user_by_auth0_id(&id("waad|ours@example.com")).unwrap().unwrap().id, ours);
    store.close().unwrap();
    assert!(Store::check(&house.settings).unwrap().is_sound());
}

#[test]
fn who_was_erased_under_an_older_schema_is_known_after_a_restore() {
    let house = House::new();
    let backup = house.backup("monday.db");
    house.store.close().unwrap();
    std::fs::remove_file(&house.settings.path).unwrap();
    let mut old = house.shell();
    migrate::up_to(&mut old, 1).unwrap();
    old.execute_batch(
        "BEGIN;
         INSERT INTO users (id, auth0_id, email_verified, status, roles, created_at, updated_at)
         VALUES (randomblob(16), 'waad|ada@example.com', 0, 'erased', '[]', 0, 0);
         INSERT INTO identities SELECT auth0_id, id, 0 FROM users;
         COMMIT;",
    )
    .unwrap();
    drop(old);
    assert_eq!(house.restore(&backup).unwrap().erased_again, Some(1));
    let store = house.another_process();
    let tombstone = store.user_by_auth0_id(&id("waad|ada@example.com")).unwrap().unwrap();
    assert_eq!(tombstone.status, Status::Erased);
    assert_eq!(store.revocation(&id("waad|ada@example.com")).unwrap().status, Status::Erased);
    assert!(tombstone.auth0_id.unwrap().as_str().starts_with("erased|"));
}

#[test]
fn what_restores_put_aside_is_named_and_nothing_else() {
    let house = House::new();
    assert_eq!(house.store.set_aside().unwrap(), [""; 0].map(PathBuf::from));
    let backup = house.backup("vestibule.db.monday");
    let kept = house.restore(&backup).unwrap().kept.unwrap();
    assert_eq!(house.another_process().set_aside().unwrap(), [kept]);
}
