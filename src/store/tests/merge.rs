//! Merging two users.

use super::*;
use crate::user::Status;

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
        let revocation = revocation(&test.store, identity).unwrap();
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
    let pre_provisioned = NewUser {
        email: Some(email("grace@example.com")),
        person: Person { name: Some("Grace".into()), ..Person::default() },
        ..NewUser::default()
    };
    let kept = test.store.create(&pre_provisioned, &Actor::Cli).unwrap();
    let gone = test.add_user("auth0|1", ADA);
    let merged = test.store.merge(kept.id, gone.id, &Actor::Cli).unwrap();
    assert_eq!(merged.auth0_id, Some(id("auth0|1")));
    assert_eq!(merged.person.name.as_deref(), Some("Grace"));
    assert_eq!(merged.person.phone, gone.person.phone);
    assert_eq!(merged.profile, gone.profile);
    assert_eq!(merged.email, Some(email(ADA)), "verified by its owner, where the other was a guess of staff");
}

#[test]
fn a_pre_provisioned_row_and_its_user_s_own_row_can_be_merged() {
    let test = TestStore::new();
    // They logged in with an unverified email, which does not claim the row.
    let pre_provisioned =
        NewUser { email: Some(email(ADA)), roles: vec!["support".into()], ..NewUser::default() };
    let kept = test.store.create(&pre_provisioned, &Actor::Cli).unwrap();
    let gone = test.store.provision(&identity("auth0|1", Some(ADA), false), LinkEmail::Never, &Actor::Gate);
    let merged = test.store.merge(kept.id, gone.unwrap().into_user().id, &Actor::Cli).unwrap();
    assert_eq!((merged.auth0_id, merged.email), (Some(id("auth0|1")), Some(email(ADA))));
    assert_eq!(merged.roles, ["support"]);
    assert_eq!(identities(&test, kept.id), ["auth0|1"]);
}

#[test]
fn a_merge_does_not_lift_a_block() {
    let test = TestStore::new();
    let kept = test.add_user("auth0|1", ADA);
    let gone = test.add_user("auth0|2", "grace@example.com");
    test.store.set_status(gone.id, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(test.store.merge(kept.id, gone.id, &Actor::Cli).unwrap().status, Status::Blocked);
    for identity in ["auth0|1", "auth0|2"] {
        assert_eq!(revocation(&test.store, identity).unwrap().status, Status::Blocked);
    }
}
