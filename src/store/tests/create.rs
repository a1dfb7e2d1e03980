//! Users that staff create.

use super::*;
use crate::store::{LinkRules, NewUser};
use crate::user::Status;

#[test]
fn a_created_user_is_claimed_by_its_email() {
    let test = TestStore::new();
    let made = test.store.create(&new_user(ADA), &Actor::Cli).unwrap();
    assert_eq!((&made.auth0_id, made.email_verified, made.status), (&None, false, Status::Active));
    assert_eq!(test.actions(made.id), ["user.created"]);
    let came = identity("auth0|1", Some(ADA), true);
    let came =
        test.store.provision(&came, LinkRules { email: LinkEmail::Never, privileged: true }, &Actor::Gate);
    let came = came.unwrap().into_user();
    assert_eq!((came.id, came.roles), (made.id, made.roles));
}

#[test]
fn an_identity_or_email_of_another_user_cannot_be_created() {
    let test = TestStore::new();
    let ada = test.add_user("auth0|1", ADA);
    let create = |expected: &NewUser| test.store.create(expected, &Actor::Cli);
    test.store.create(&new_user("grace@example.com"), &Actor::Cli).unwrap();
    let taken = NewUser { email_verified: true, ..new_user(ADA) };
    assert!(matches!(create(&taken), Err(StoreError::EmailConflict)));
    assert!(matches!(create(&new_user("grace@example.com")), Err(StoreError::EmailConflict)));
    // No login could claim it: the email leads to Ada, or to Grace's row.
    assert!(matches!(create(&new_user(ADA)), Err(StoreError::EmailConflict)));
    let verified =
        NewUser { auth0_id: Some(id("auth0|3")), email_verified: true, ..new_user("grace@example.com") };
    assert!(matches!(create(&verified), Err(StoreError::EmailConflict)));
    let identity = NewUser { auth0_id: Some(id("auth0|1")), ..NewUser::default() };
    assert!(matches!(create(&identity), Err(StoreError::IdentityTaken(who)) if who == ada.id));
    for hopeless in [NewUser::default(), NewUser { email_verified: true, ..identity }] {
        assert!(matches!(create(&hopeless), Err(StoreError::Invalid(_))), "{hopeless:?}");
    }
    assert_eq!(test.user_count(), 2);
}
