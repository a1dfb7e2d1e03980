//! Linking, unlinking and merging by hand, and what becomes of the tokens.

use serde_json::json;

use super::*;
use crate::store::{NewUser, Revocation};
use crate::user::Status;

const ADA: &str = "ada@example.com";

fn identities(test: &TestStore, user: UserId) -> Vec<String> {
    let identities = test.store.identities(user).unwrap();
    identities.into_iter().map(|identity| identity.auth0_id.to_string()).collect()
}

#[test]
fn a_linked_identity_leads_to_its_user_and_to_nobody_else() {
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
fn a_waiting_row_that_is_given_an_identity_waits_no_more() {
    let test = TestStore::new();
    let waiting = NewUser { email: Some(email(ADA)), ..NewUser::default() };
    let waiting = test.store.create(&waiting, &Actor::Cli).unwrap();
    let theirs = test.store.link_identity(waiting.id, &id("auth0|1"), &Actor::Cli).unwrap();
    assert_eq!((theirs.auth0_id, theirs.email_verified), (Some(id("auth0|1")), false));
    let thief = test.store.provision(&identity("evil|1", Some(ADA), true), LinkEmail::Verified, &Actor::Gate);
    assert_ne!(thief.unwrap().into_user().id, waiting.id, "its email is not verified");
}

#[test]
fn an_unlinked_identity_is_a_stranger_whose_old_tokens_are_withdrawn() {
    let test = TestStore::new();
    let other = test.another_process();
    let ada = test.add_user("auth0|1", ADA);
    test.store.link_identity(ada.id, &id("google|1"), &Actor::Cli).unwrap();
    test.clock.advance(Duration::from_secs(1));
    let unlinked_at = test.clock.now();
    // The row's own: the other takes its place.
    let after = test.store.unlink_identity(ada.id, &id("auth0|1"), &Actor::Cli).unwrap();
    assert_eq!(after.auth0_id, Some(id("google|1")));
    assert_eq!(test.store.user_by_auth0_id(&id("auth0|1")).unwrap(), None);
    let line = &lines_about(&test.store, ada.id, 1)[0];
    assert_eq!(line.changes, json!({ "identity": { "old": "auth0", "new": null } }));

    let revoked = Some(Revocation { status: Status::Active, tokens_valid_from: Some(unlinked_at) });
    test.clock.advance(Duration::from_secs(1));
    for store in [&test.store, &other, &test.another_process()] {
        assert_eq!(store.revocation(&id("auth0|1")), revoked);
        assert_eq!(store.revocation(&id("google|1")), None);
    }
    // Also when it comes back as somebody else.
    let back =
        test.store.provision(&identity("auth0|1", None, false), LinkEmail::Never, &Actor::Gate).unwrap();
    assert_ne!(back.into_user().id, ada.id);
    assert_eq!(test.store.revocation(&id("auth0|1")), revoked);

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
fn an_identity_taken_from_somebody_blocked_is_not_blocked_for_ever() {
    let test = TestStore::new();
    let ada = test.add_user("auth0|1", ADA);
    test.store.link_identity(ada.id, &id("google|1"), &Actor::Cli).unwrap();
    test.store.set_status(ada.id, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(test.store.revocation(&id("google|1")).unwrap().status, Status::Blocked);
    test.store.unlink_identity(ada.id, &id("google|1"), &Actor::Cli).unwrap();
    assert_eq!(test.store.revocation(&id("google|1")).unwrap().status, Status::Active);
    // Back at the blocked user, it is blocked again.
    test.store.link_identity(ada.id, &id("google|1"), &Actor::Cli).unwrap();
    assert_eq!(test.store.revocation(&id("google|1")).unwrap().status, Status::Blocked);
}

#[test]
fn a_merge_leaves_one_user_with_all_identities_and_a_tombstone() {
    let test = TestStore::new();
    let kept = test.store.provision(&identity("auth0|1", Some(ADA), false), LinkEmail::Never, &Actor::Gate);
    let kept = kept.unwrap().into_user();
    let gone = test.add_user("google|1", ADA);
    test.store.set_roles(gone.id, &["admin".into()], &Actor::Cli).unwrap();
    test.store.accept_terms(gone.id, "v1", &Actor::User(gone.id)).unwrap();
    test.clock.advance(Duration::from_secs(1));

    let merged = test.store.merge(kept.id, gone.id, &Actor::Cli).unwrap();
    assert_eq!((merged.id, &merged.auth0_id), (kept.id, &kept.auth0_id));
    assert!(merged.email_verified, "the verified one replaces the one that is not");
    assert_eq!(merged.roles, [""; 0], "a merge grants nothing");
    assert_eq!(identities(&test, kept.id), ["auth0|1", "google|1"]);
    assert_eq!(test.store.accepted_terms(kept.id).unwrap()[0].version, "v1");
    let tombstone = test.store.user(gone.id).unwrap().unwrap();
    assert_eq!((tombstone.status, tombstone.email, tombstone.auth0_id), (Status::Erased, None, None));
    assert_eq!(test.store.user_by_auth0_id(&id("google|1")).unwrap(), Some(merged));
    assert_eq!(test.actions(kept.id), ["user.merged", "user.inserted"]);
    assert_eq!(test.actions(gone.id)[0], "user.merged");
    for identity in ["auth0|1", "google|1"] {
        let revocation = test.store.revocation(&id(identity)).unwrap();
        assert_eq!(
            (revocation.status, revocation.tokens_valid_from),
            (Status::Active, Some(test.clock.now()))
        );
    }
    assert_eq!(test.store.merge(kept.id, gone.id, &Actor::Cli).unwrap().id, kept.id, "merged before");
    let swapped = test.store.merge(gone.id, kept.id, &Actor::Cli);
    assert!(matches!(swapped, Err(StoreError::Erased(erased)) if erased == gone.id));
    assert!(matches!(test.store.merge(kept.id, kept.id, &Actor::Cli), Err(StoreError::Invalid(_))));
}

#[test]
fn a_merge_fills_gaps_and_overwrites_nothing() {
    let test = TestStore::new();
    let waiting = NewUser {
        email: Some(email("grace@example.com")),
        person: Person { name: Some("Grace".into()), ..Person::default() },
        ..NewUser::default()
    };
    let kept = test.store.create(&waiting, &Actor::Cli).unwrap();
    let gone = test.add_user("auth0|1", ADA);
    let merged = test.store.merge(kept.id, gone.id, &Actor::Cli).unwrap();
    assert_eq!(merged.auth0_id, Some(id("auth0|1")));
    assert_eq!(merged.person.name.as_deref(), Some("Grace"));
    assert_eq!(merged.person.phone, gone.person.phone);
    assert_eq!(merged.profile, gone.profile);
    assert_eq!(merged.email, Some(email(ADA)), "verified by its owner, where the other was a guess of staff");
}

#[test]
fn a_row_that_waits_and_the_one_its_person_made_meanwhile_become_one() {
    let test = TestStore::new();
    // They came with an unverified email, so nothing told that the row is theirs.
    let waiting = NewUser { email: Some(email(ADA)), roles: vec!["support".into()], ..NewUser::default() };
    let kept = test.store.create(&waiting, &Actor::Cli).unwrap();
    let gone = test.store.provision(&identity("auth0|1", Some(ADA), false), LinkEmail::Never, &Actor::Gate);
    let merged = test.store.merge(kept.id, gone.unwrap().into_user().id, &Actor::Cli).unwrap();
    assert_eq!((merged.auth0_id, merged.email), (Some(id("auth0|1")), Some(email(ADA))));
    assert_eq!(merged.roles, ["support"]);
    assert_eq!(identities(&test, kept.id), ["auth0|1"]);
}

#[test]
fn an_unlinked_identity_is_linked_again_by_staff_alone() {
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
    // Others still are.
    let other = identity("google|2", Some(ADA), true);
    assert!(matches!(
        test.store.provision(&other, LinkEmail::Verified, &Actor::Gate),
        Ok(Provisioned::Linked(_))
    ));
}

#[test]
fn nobody_escapes_a_block_by_being_merged() {
    let test = TestStore::new();
    let kept = test.add_user("auth0|1", ADA);
    let gone = test.add_user("auth0|2", "grace@example.com");
    test.store.set_status(gone.id, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(test.store.merge(kept.id, gone.id, &Actor::Cli).unwrap().status, Status::Blocked);
    for identity in ["auth0|1", "auth0|2"] {
        assert_eq!(test.store.revocation(&id(identity)).unwrap().status, Status::Blocked);
    }
}

#[test]
fn an_identity_that_moves_to_somebody_signed_out_is_signed_out_too() {
    let test = TestStore::new();
    let (kept, gone) = (test.add_user("auth0|1", ADA), test.add_user("auth0|2", "grace@example.com"));
    // In the same millisecond the moment of the revocation does not change.
    test.store.sign_out_everywhere(kept.id, &Actor::Cli).unwrap();
    test.store.merge(kept.id, gone.id, &Actor::Cli).unwrap();
    assert_eq!(test.store.revocation(&id("auth0|2")).unwrap().tokens_valid_from, Some(test.clock.now()));
}
