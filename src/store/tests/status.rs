//! Status, roles and sign-out.

use super::*;
use crate::user::Status;

#[test]
fn blocks_new_roles_and_sign_outs_revoke_tokens() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let store = &test.store;
    let withdraw: [(&str, &dyn Fn() -> User); 3] = [
        ("blocked", &|| store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap()),
        ("roles", &|| store.set_roles(user.id, &["admin".into()], &Actor::Cli).unwrap()),
        ("signed out", &|| store.sign_out_everywhere(user.id, &Actor::Cli).unwrap()),
    ];
    for (what, act) in withdraw {
        test.clock.advance(Duration::from_secs(1));
        let after = act();
        assert_eq!(after.tokens_valid_from, Some(test.clock.now()), "{what}");
        assert_eq!(after.updated_at, test.clock.now(), "{what}");
    }
    // Unblocking restores no old token.
    let revoked = test.clock.now();
    test.clock.advance(Duration::from_secs(1));
    let back = store.set_status(user.id, Status::Active, &Actor::Cli).unwrap();
    assert_eq!((back.status, back.tokens_valid_from), (Status::Active, Some(revoked)));
}

#[test]
fn a_change_to_the_same_value_does_nothing() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let roles = ["support".to_owned(), "admin".to_owned(), "admin".to_owned()];
    let with_roles = test.store.set_roles(user.id, &roles, &Actor::Cli).unwrap();
    assert_eq!(with_roles.roles, ["admin", "support"]);
    test.clock.advance(Duration::from_secs(1));
    assert_eq!(
        test.store.set_roles(user.id, &["admin".into(), "support".into()], &Actor::Cli).unwrap(),
        with_roles
    );
    assert_eq!(test.store.set_status(user.id, Status::Active, &Actor::Cli).unwrap(), with_roles);
    assert_eq!(test.actions(user.id), ["user.roles_set", "user.inserted"]);
}

#[test]
fn setting_the_clock_back_restores_no_token() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let later = test.clock.now().as_millisecond() + 60_000;
    test.shell().execute("UPDATE users SET tokens_valid_from = ?1", [later]).unwrap();
    let after = test.store.sign_out_everywhere(user.id, &Actor::Cli).unwrap();
    assert_eq!(after.tokens_valid_from.unwrap().as_millisecond(), later);
}

#[test]
fn an_unknown_user_cannot_be_changed() {
    let test = TestStore::new();
    let unknown = UserId::new(test.clock.now());
    let store = &test.store;
    assert!(
        matches!(store.set_status(unknown, Status::Blocked, &Actor::Cli), Err(StoreError::NotFound(id)) if id == unknown)
    );
    assert!(matches!(store.set_roles(unknown, &[], &Actor::Cli), Err(StoreError::NotFound(_))));
    assert!(matches!(store.sign_out_everywhere(unknown, &Actor::Cli), Err(StoreError::NotFound(_))));
}

#[test]
fn an_erasure_cannot_be_undone() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let store = &test.store;
    store.find_or_link(&id("google|1"), Some(&email(ADA)), LinkEmail::Verified, &Actor::Gate).unwrap();
    store.set_roles(user.id, &["admin".into()], &Actor::Cli).unwrap();
    let gone = store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();
    assert_eq!((gone.status, &gone.email, gone.email_verified), (Status::Erased, &None, false));
    assert_eq!((&gone.person, &gone.profile, gone.roles.len()), (&Person::default(), &None, 0));

    for auth0_id in ["auth0|1", "google|1"] {
        assert_eq!(store.user_by_auth0_id(&id(auth0_id)).unwrap().as_ref(), Some(&gone));
        assert_eq!(revocation(store, auth0_id).unwrap().status, Status::Erased);
        let again = store.provision(&identity(auth0_id, Some(ADA), true), LinkEmail::Verified, &Actor::Gate);
        assert_eq!(again.unwrap(), Provisioned::Known(gone.clone()));
    }
    assert!(matches!(store.set_status(user.id, Status::Active, &Actor::Cli), Err(StoreError::Erased(_))));
    assert!(matches!(store.set_roles(user.id, &[], &Actor::Cli), Err(StoreError::Erased(_))));
    assert!(matches!(store.sign_out_everywhere(user.id, &Actor::Cli), Err(StoreError::Erased(_))));
    assert_eq!(store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap(), gone);

    // The email is free for a new user.
    assert_eq!(store.user_by_email(&email(ADA)).unwrap(), None);
    assert_ne!(test.add_user("auth0|2", ADA).id, user.id);
}
