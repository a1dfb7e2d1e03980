//! Updates of personal fields and the email.

use serde_json::json;

use super::*;
use crate::store::UserUpdate;
use crate::user::Status;

#[test]
fn an_update_changes_only_the_fields_it_names() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    test.clock.advance(Duration::from_secs(1));
    let update =
        UserUpdate { name: Some(Some("Countess".into())), phone: Some(None), ..UserUpdate::default() };
    let after = test.store.update(user.id, &update, &Actor::Cli).unwrap();
    assert_eq!(after.person, Person { name: Some("Countess".into()), ..Person::default() });
    assert_eq!((&after.email, after.email_verified), (&user.email, true));
    assert_eq!(after.updated_at, test.clock.now());
    assert_eq!(test.store.update(user.id, &update, &Actor::Cli).unwrap(), after);
    let lines = lines_about(&test.store, user.id, 10);
    assert_eq!(lines.len(), 2, "what is so already leaves no line");
    assert_eq!(lines[0].changes, json!({ "name": "redacted", "phone": "redacted" }));
}

#[test]
fn a_new_email_is_unverified_by_default() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let other = test.add_user("auth0|2", "other@example.com");
    let set = |address: &str, verified| {
        let update = UserUpdate {
            email: Some(Some(email(address))),
            email_verified: verified,
            ..UserUpdate::default()
        };
        test.store.update(user.id, &update, &Actor::Cli)
    };
    assert!(set(ADA, None).unwrap().email_verified, "the same email stays as it was");
    let after = set("new@example.com", None).unwrap();
    assert_eq!((after.email, after.email_verified), (Some(email("new@example.com")), false));
    assert_eq!(test.store.user_by_email(&email(ADA)).unwrap(), None);
    assert!(!set("other@example.com", None).unwrap().email_verified, "unverified emails are not unique");
    assert!(matches!(set("other@example.com", Some(true)), Err(StoreError::EmailConflict)));
    assert!(set("new@example.com", Some(true)).unwrap().email_verified);
    assert_eq!(test.store.user(other.id).unwrap(), Some(other));
}

#[test]
fn a_pre_provisioned_row_cannot_get_an_email_of_another_user() {
    let test = TestStore::new();
    test.add_user("auth0|1", ADA);
    let pre_provisioned = test.store.create(&new_user("grace@example.com"), &Actor::Cli).unwrap();
    let set = |user: &User, address: &str, verified| {
        let update = UserUpdate {
            email: Some(Some(email(address))),
            email_verified: Some(verified),
            ..UserUpdate::default()
        };
        test.store.update(user.id, &update, &Actor::Cli)
    };
    for verified in [false, true] {
        assert!(matches!(set(&pre_provisioned, ADA, verified), Err(StoreError::EmailConflict)), "{verified}");
    }
    // Nor can a user get the email of a pre-provisioned row.
    let other = test.add_user("auth0|2", "other@example.com");
    assert!(matches!(set(&other, "grace@example.com", true), Err(StoreError::EmailConflict)));
    assert!(set(&other, "grace@example.com", false).is_ok(), "unverified, it proves nothing");
    assert!(set(&pre_provisioned, "grace@example.com", true).unwrap().email_verified, "its own");
}

#[test]
fn an_update_cannot_remove_the_last_key_of_a_row() {
    let test = TestStore::new();
    let none = UserUpdate { email: Some(None), ..UserUpdate::default() };
    let pre_provisioned = test.store.create(&new_user(ADA), &Actor::Cli).unwrap();
    let outcome = test.store.update(pre_provisioned.id, &none, &Actor::Cli);
    assert!(matches!(outcome, Err(StoreError::Invalid(_))), "{outcome:?}");
    let user = test.add_user("auth0|1", "grace@example.com");
    let outcome = UserUpdate { email_verified: Some(true), ..none.clone() };
    let outcome = test.store.update(user.id, &outcome, &Actor::Cli);
    assert!(matches!(outcome, Err(StoreError::Invalid(_))), "{outcome:?}");
    assert_eq!(test.store.update(user.id, &none, &Actor::Cli).unwrap().email, None);
}

#[test]
fn unknown_and_erased_users_cannot_be_changed() {
    let test = TestStore::new();
    let gone = test.add_user("auth0|1", ADA);
    test.store.set_status(gone.id, Status::Erased, &Actor::Cli).unwrap();
    let unknown = UserId::new(test.clock.now());
    let store = &test.store;
    let update = UserUpdate { name: Some(None), ..UserUpdate::default() };
    let attempts: [&dyn Fn(UserId) -> Result<(), StoreError>; 5] = [
        &|who| store.update(who, &update, &Actor::Cli).map(drop),
        &|who| store.accept_terms(who, "v1", &Actor::Cli).map(drop),
        &|who| store.export(who, None, &Actor::Cli).map(drop),
        &|who| store.link_identity(who, &id("new|1"), &Actor::Cli).map(drop),
        &|who| store.unlink_identity(who, &id("auth0|1"), &Actor::Cli).map(drop),
    ];
    for attempt in attempts {
        assert!(matches!(attempt(unknown), Err(StoreError::NotFound(who)) if who == unknown));
        assert!(matches!(attempt(gone.id), Err(StoreError::Erased(who)) if who == gone.id));
    }
    assert_eq!(test.actions(gone.id), ["user.status_set", "user.inserted"]);
}
