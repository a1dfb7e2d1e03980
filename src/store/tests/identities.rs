//! Linking and unlinking identities by hand.

use serde_json::json;

use super::*;
use crate::store::NewUser;
use crate::user::Status;

#[test]
fn a_linked_identity_leads_to_its_user_only() {
    let test = TestStore::new();
    let ada = test.add_user("auth0|1", ADA);
    let grace = test.add_user("auth0|2", "grace@example.com");
    test.clock.advance(Duration::from_secs(1));
    let google = id("google-oauth2|1");
    let linked = test.store.link_identity(ada.id, &google, &Actor::Cli).unwrap();
    assert_eq!(linked.auth0_id, Some(id("auth0|1")), "the row's own stays");
    test.store.link_identity(ada.id, &google, &Actor::Cli).unwrap();
    assert_eq!(test.store.user_by_auth0_id(&google).unwrap().unwrap().id, ada.id);
    assert_eq!(identities(&test, ada.id), ["auth0|1", "google-oauth2|1"]);
    assert_eq!(test.actions(ada.id), ["identity.linked", "user.inserted"]);
    let taken = test.store.link_identity(grace.id, &google, &Actor::Cli);
    assert!(matches!(taken, Err(StoreError::IdentityTaken(who)) if who == ada.id), "{taken:?}");
}

#[test]
fn linking_an_identity_claims_a_pre_provisioned_row() {
    let test = TestStore::new();
    let pre_provisioned = NewUser { email: Some(email(ADA)), ..NewUser::default() };
    let pre_provisioned = test.store.create(&pre_provisioned, &Actor::Cli).unwrap();
    let theirs = test.store.link_identity(pre_provisioned.id, &id("auth0|1"), &Actor::Cli).unwrap();
    assert_eq!((theirs.auth0_id, theirs.email_verified), (Some(id("auth0|1")), false));
    let thief = test.store.provision(&identity("evil|1", Some(ADA), true), LinkEmail::Verified, &Actor::Gate);
    assert_ne!(thief.unwrap().into_user().id, pre_provisioned.id, "its email is not verified");
}

#[test]
fn an_unlinked_identity_is_unknown_and_its_tokens_are_revoked() {
    let test = TestStore::new();
    let other = test.another_process();
    let ada = test.add_user("auth0|1", ADA);
    test.store.link_identity(ada.id, &id("google|1"), &Actor::Cli).unwrap();
    test.clock.advance(Duration::from_secs(1));
    let unlinked_at = test.clock.now();
    // It was the row's own: the other one replaces it.
    let after = test.store.unlink_identity(ada.id, &id("auth0|1"), &Actor::Cli).unwrap();
    assert_eq!(after.auth0_id, Some(id("google|1")));
    assert_eq!(test.store.user_by_auth0_id(&id("auth0|1")).unwrap(), None);
    let line = &lines_about(&test.store, ada.id, 1)[0];
    assert_eq!(line.changes, json!({ "identity": { "old": "auth0", "new": null } }));

    let revoked = Some(Revocation { status: Status::Active, tokens_valid_from: Some(unlinked_at) });
    test.clock.advance(Duration::from_secs(1));
    for store in [&test.store, &other, &test.another_process()] {
        assert_eq!(revocation(store, "auth0|1"), revoked);
        assert_eq!(revocation(store, "google|1"), None);
    }
    // Also when it is provisioned as a new user.
    let back =
        test.store.provision(&identity("auth0|1", None, false), LinkEmail::Never, &Actor::Gate).unwrap();
    assert_ne!(back.into_user().id, ada.id);
    assert_eq!(revocation(&test.store, "auth0|1"), revoked);

    assert!(matches!(
        test.store.unlink_identity(ada.id, &id("google|1"), &Actor::Cli),
        Err(StoreError::Invalid(_))
    ));
    assert!(matches!(
        test.store.unlink_identity(ada.id, &id("auth0|1"), &Actor::Cli),
        Err(StoreError::NotLinked(_))
    ));
}

#[test]
fn an_identity_unlinked_from_a_blocked_user_is_not_blocked() {
    let test = TestStore::new();
    let ada = test.add_user("auth0|1", ADA);
    test.store.link_identity(ada.id, &id("google|1"), &Actor::Cli).unwrap();
    test.store.set_status(ada.id, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(revocation(&test.store, "google|1").unwrap().status, Status::Blocked);
    test.store.unlink_identity(ada.id, &id("google|1"), &Actor::Cli).unwrap();
    assert_eq!(revocation(&test.store, "google|1").unwrap().status, Status::Active);
    // Linked to the blocked user again, it is blocked again.
    test.store.link_identity(ada.id, &id("google|1"), &Actor::Cli).unwrap();
    assert_eq!(revocation(&test.store, "google|1").unwrap().status, Status::Blocked);
}

#[test]
fn only_staff_link_an_unlinked_identity_again() {
    let test = TestStore::new();
    let ada = test.add_user("auth0|1", ADA);
    let google = id("google|1");
    let comes = |store: &Store| {
        store.provision(&identity("google|1", Some(ADA), true), LinkEmail::Verified, &Actor::Gate)
    };
    assert!(matches!(comes(&test.store), Ok(Provisioned::Linked(_))));
    for _ in 0..2 {
        test.store.unlink_identity(ada.id, &google, &Actor::Cli).unwrap();
        assert!(matches!(comes(&test.store), Err(StoreError::EmailConflict)));
        let found = test.store.find_or_link(&google, Some(&email(ADA)), LinkEmail::Verified, &Actor::Gate);
        assert!(matches!(found, Err(StoreError::EmailConflict)), "{found:?}");
        assert_eq!((identities(&test, ada.id), test.user_count()), (vec!["auth0|1".to_owned()], 1));
        test.store.link_identity(ada.id, &google, &Actor::Cli).unwrap();
        assert!(matches!(comes(&test.store), Ok(Provisioned::Known(user)) if user.id == ada.id));
    }
    // Other identities are still linked.
    let other = identity("google|2", Some(ADA), true);
    assert!(matches!(
        test.store.provision(&other, LinkEmail::Verified, &Actor::Gate),
        Ok(Provisioned::Linked(_))
    ));
}

#[test]
fn an_identity_that_moves_to_a_signed_out_user_is_signed_out() {
    let test = TestStore::new();
    let (kept, gone) = (test.add_user("auth0|1", ADA), test.add_user("auth0|2", "grace@example.com"));
    // In the same millisecond the moment of the revocation does not change.
    test.store.sign_out_everywhere(kept.id, &Actor::Cli).unwrap();
    test.store.merge(kept.id, gone.id, &Actor::Cli).unwrap();
    assert_eq!(revocation(&test.store, "auth0|2").unwrap().tokens_valid_from, Some(test.clock.now()));
}

#[test]
fn a_relinked_identity_needs_a_token_from_after_its_unlinking_and_every_sign_out() {
    let test = TestStore::new();
    let ada = test.add_user("auth0|1", ADA);
    let bob = test.add_user("auth0|2", "bob@example.com");
    let google = id("google|1");
    let later = || {
        test.clock.advance(Duration::from_secs(10));
        test.clock.now()
    };
    let valid_from = || revocation(&test.store, "google|1").unwrap().tokens_valid_from;
    // To its user again, and to another one who signed out before or after.
    for user in [&ada, &bob, &ada] {
        test.store.link_identity(user.id, &google, &Actor::Cli).unwrap();
        let signed_out = later();
        test.store.sign_out_everywhere(user.id, &Actor::Cli).unwrap();
        assert_eq!(valid_from(), Some(signed_out));
        let unlinked = later();
        test.store.unlink_identity(user.id, &google, &Actor::Cli).unwrap();
        assert_eq!(valid_from(), Some(unlinked), "of no user");
        later();
        test.store.link_identity(user.id, &google, &Actor::Cli).unwrap();
        assert_eq!(valid_from(), Some(unlinked), "linked again");
        let signed_out = later();
        test.store.sign_out_everywhere(user.id, &Actor::Cli).unwrap();
        assert_eq!(valid_from(), Some(signed_out), "the later of both");
        let row = test.store.user_by_auth0_id(&google).unwrap().unwrap();
        let accepts = |at: Timestamp| row.accepts_token_issued_at(Some(at));
        let newer = signed_out + jiff::SignedDuration::from_millis(1);
        assert!(accepts(newer) && !accepts(signed_out) && !accepts(unlinked));
        later();
        test.store.unlink_identity(user.id, &google, &Actor::Cli).unwrap();
    }
    // A login that finds no user gets a row of its own, with the same moment.
    let unlinked = valid_from();
    later();
    let own =
        test.store.provision(&identity("google|1", None, false), LinkEmail::Never, &Actor::Gate).unwrap();
    assert_eq!((own.into_user().id == ada.id, valid_from()), (false, unlinked));
}
