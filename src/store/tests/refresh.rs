//! Profiles that were fetched again.

use serde_json::json;

use super::*;
use crate::store::{PROFILE_MAX_BYTES, UserUpdate};
use crate::user::{Status, StoredProfile};

fn named(name: &str, address: &str, verified: bool) -> NewIdentity {
    let person = Person { name: Some(name.into()), ..Person::default() };
    let profile = json!({ "user_id": "auth0|1", "name": name, "email": address, "logins_count": 1 });
    NewIdentity { person, profile: Some(profile), ..identity("auth0|1", Some(address), verified) }
}

/// A user whose profile was fetched as `before` an hour ago.
fn fetched(test: &TestStore, before: &NewIdentity) -> User {
    let user = test.store.provision(before, LinkEmail::Never, &Actor::Gate).unwrap().into_user();
    test.clock.advance(Duration::from_secs(3600));
    user
}

#[test]
fn unchanged_fields_follow_auth0_and_changed_fields_stay() {
    let test = TestStore::new();
    let before = named("Ada", ADA, true);
    let user = fetched(&test, &before);
    assert_eq!(user.profile_fetched_at, Some(user.created_at));
    let nickname = UserUpdate { nickname: Some(Some("countess".into())), ..UserUpdate::default() };
    test.store.update(user.id, &nickname, &Actor::User(user.id)).unwrap();
    let mut now = named("Ada Lovelace", "lovelace@example.com", true);
    now.person.nickname = Some("ada".into());
    let after = test.store.refresh(user.id, &id("auth0|1"), Some(&before), Some(&now), &Actor::Gate).unwrap();
    assert_eq!(after.person.name.as_deref(), Some("Ada Lovelace"));
    assert_eq!(after.person.nickname.as_deref(), Some("countess"));
    assert_eq!((after.email, after.email_verified), (Some(email("lovelace@example.com")), true));
    assert_eq!(after.profile.map(|profile| profile.value()), now.profile);
    assert_eq!(after.profile_fetched_at, Some(test.clock.now()));
    let line = &lines_about(&test.store, user.id, 1)[0];
    assert_eq!(line.action, "user.refreshed");
    assert_eq!(line.changes, json!({ "name": "redacted", "email": "redacted", "profile": "redacted" }));
}

#[test]
fn a_profile_with_only_a_new_login_is_not_audited() {
    let test = TestStore::new();
    let before = named("Ada", ADA, true);
    let user = fetched(&test, &before);
    let mut now = before.clone();
    now.profile.as_mut().unwrap()["logins_count"] = json!(2);
    let after = test.store.refresh(user.id, &id("auth0|1"), Some(&before), Some(&now), &Actor::Gate).unwrap();
    assert_eq!(after.profile.map(|profile| profile.value()), now.profile);
    assert_eq!(after.updated_at, user.updated_at);
    assert_eq!(test.actions(user.id), ["user.inserted"]);
}

#[test]
fn an_email_of_another_user_is_not_taken_over() {
    let test = TestStore::new();
    let before = named("Mallory", "mallory@example.com", true);
    let user = fetched(&test, &before);
    let ada = test.add_user("auth0|2", ADA);
    let now = named("Mallory", ADA, true);
    let after = test.store.refresh(user.id, &id("auth0|1"), Some(&before), Some(&now), &Actor::Gate).unwrap();
    assert_eq!((after.email, after.email_verified), (user.email, true));
    assert_eq!(test.store.user_by_email(&email(ADA)).unwrap(), Some(ada));
}

#[test]
fn an_email_is_as_verified_as_auth0_or_staff_have_it() {
    let test = TestStore::new();
    let unverified = named("Ada", ADA, false);
    let verified = named("Ada", ADA, true);
    let user = fetched(&test, &unverified);
    let refresh = |before, now| {
        test.store.refresh(user.id, &id("auth0|1"), Some(before), Some(now), &Actor::Gate).unwrap()
    };
    assert!(refresh(&unverified, &verified).email_verified);
    assert!(!refresh(&verified, &unverified).email_verified);
    let vouch = UserUpdate { email_verified: Some(true), ..UserUpdate::default() };
    test.store.update(user.id, &vouch, &Actor::Cli).unwrap();
    assert!(refresh(&unverified, &unverified).email_verified, "an email that staff verified stays verified");
}

#[test]
fn without_an_old_profile_only_empty_fields_are_filled() {
    let test = TestStore::new();
    let mut none = named("Ada", ADA, true);
    none.profile = None;
    let user = fetched(&test, &none);
    let mut now = named("Other", "other@example.com", true);
    now.person.phone = Some("+44".into());
    let after = test.store.refresh(user.id, &id("auth0|1"), None, Some(&now), &Actor::Gate).unwrap();
    assert_eq!(after.person.name.as_deref(), Some("Ada"));
    assert_eq!((after.person.phone.as_deref(), after.email), (Some("+44"), user.email));
}

#[test]
fn a_tombstone_and_a_user_auth0_forgot_stay_as_they_are() {
    let test = TestStore::new();
    let before = named("Ada", ADA, true);
    let user = fetched(&test, &before);
    let after = test.store.refresh(user.id, &id("auth0|1"), Some(&before), None, &Actor::Gate).unwrap();
    assert_eq!(after.profile_fetched_at, Some(test.clock.now()));
    assert_eq!((after.profile, after.email), (user.profile, user.email));
    let gone = test.store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();
    assert_eq!(
        test.store.refresh(user.id, &id("auth0|1"), Some(&before), Some(&before), &Actor::Gate).unwrap(),
        gone
    );
}

#[test]
fn a_profile_of_an_identity_unlinked_meanwhile_is_dropped() {
    let test = TestStore::new();
    let before = named("Ada", ADA, true);
    let user = fetched(&test, &before);
    test.store.link_identity(user.id, &id("google|1"), &Actor::Cli).unwrap();
    // While the profile of auth0|1 was being fetched.
    let other_s = test.store.unlink_identity(user.id, &id("auth0|1"), &Actor::Cli).unwrap();
    let now = named("Mallory", "mallory@example.com", true);
    for fetched in [Some(&now), None] {
        let after =
            test.store.refresh(user.id, &id("auth0|1"), Some(&before), fetched, &Actor::Gate).unwrap();
        assert_eq!(after, other_s);
    }
    assert_eq!(test.actions(user.id)[0], "identity.unlinked");
}

#[test]
fn a_large_profile_is_followed_and_then_unchanged() {
    let test = TestStore::new();
    let large = |address: &str, likes: &str| {
        let mut new = named("Ada", address, true);
        let profile = new.profile.as_mut().unwrap();
        profile["user_metadata"] = json!({ "likes": likes.repeat(PROFILE_MAX_BYTES) });
        new
    };
    // As the gate does: the next profile is compared with the stored one.
    let as_kept = |user: &User, new: &NewIdentity| {
        let profile = user.profile.as_ref().map(StoredProfile::value);
        NewIdentity { profile, ..new.clone() }
    };
    let first = large(ADA, "a");
    let user = fetched(&test, &first);
    let before = as_kept(&user, &first);
    assert_eq!(before.profile, Some(json!({ "user_id": "auth0|1", "name": "Ada", "email": ADA })));
    let refresh = |now: &NewIdentity| {
        test.store.refresh(user.id, &id("auth0|1"), Some(&before), Some(now), &Actor::Gate).unwrap()
    };
    refresh(&large(ADA, "b"));
    assert_eq!(test.actions(user.id), ["user.inserted"], "nothing that is kept has changed");
    let moved = refresh(&large("lovelace@example.com", "b"));
    assert_eq!(moved.email, Some(email("lovelace@example.com")));
    assert_eq!(moved.profile.unwrap().value()["email"], "lovelace@example.com");
}
