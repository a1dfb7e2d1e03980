//! Creating, updating, accepting terms, exporting: what staff and people do to a row.

use serde_json::json;

use super::*;
use crate::store::{NewUser, TERMS_MAX_VERSIONS, UserUpdate};
use crate::user::Status;

const ADA: &str = "ada@example.com";

fn new_user(address: &str) -> NewUser {
    NewUser { email: Some(email(address)), roles: vec!["support".into()], ..NewUser::default() }
}

#[test]
fn a_created_user_waits_for_whoever_has_the_email() {
    let test = TestStore::new();
    let made = test.store.create(&new_user(ADA), &Actor::Cli).unwrap();
    assert_eq!((&made.auth0_id, made.email_verified, made.status), (&None, false, Status::Active));
    assert_eq!(test.actions(made.id), ["user.created"]);
    let came = identity("auth0|1", Some(ADA), true);
    let came = test.store.provision(&came, LinkEmail::Never, &Actor::Gate).unwrap().into_user();
    assert_eq!((came.id, came.roles), (made.id, made.roles));
}

#[test]
fn what_is_taken_is_not_created_twice() {
    let test = TestStore::new();
    let ada = test.add_user("auth0|1", ADA);
    let create = |expected: &NewUser| test.store.create(expected, &Actor::Cli);
    test.store.create(&new_user("grace@example.com"), &Actor::Cli).unwrap();
    let taken = NewUser { email_verified: true, ..new_user(ADA) };
    assert!(matches!(create(&taken), Err(StoreError::EmailConflict)));
    assert!(matches!(create(&new_user("grace@example.com")), Err(StoreError::EmailConflict)));
    // It would wait for ever: whoever comes with the email is Ada, or Grace's row.
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

#[test]
fn an_update_changes_what_it_names_and_nothing_else() {
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
fn a_new_email_is_unverified_until_somebody_says_otherwise() {
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
fn a_waiting_row_is_given_no_email_that_leads_to_somebody_else() {
    let test = TestStore::new();
    test.add_user("auth0|1", ADA);
    let waiting = test.store.create(&new_user("grace@example.com"), &Actor::Cli).unwrap();
    let set = |user: &User, address: &str, verified| {
        let update = UserUpdate {
            email: Some(Some(email(address))),
            email_verified: Some(verified),
            ..UserUpdate::default()
        };
        test.store.update(user.id, &update, &Actor::Cli)
    };
    for verified in [false, true] {
        assert!(matches!(set(&waiting, ADA, verified), Err(StoreError::EmailConflict)), "{verified}");
    }
    // Nor is what it waits with given to somebody who would be found by it in its place.
    let other = test.add_user("auth0|2", "other@example.com");
    assert!(matches!(set(&other, "grace@example.com", true), Err(StoreError::EmailConflict)));
    assert!(set(&other, "grace@example.com", false).is_ok(), "unverified, it proves nothing");
    assert!(set(&waiting, "grace@example.com", true).unwrap().email_verified, "its own");
}

#[test]
fn a_row_is_never_left_with_nothing_to_be_found_by() {
    let test = TestStore::new();
    let none = UserUpdate { email: Some(None), ..UserUpdate::default() };
    let waiting = test.store.create(&new_user(ADA), &Actor::Cli).unwrap();
    let outcome = test.store.update(waiting.id, &none, &Actor::Cli);
    assert!(matches!(outcome, Err(StoreError::Invalid(_))), "{outcome:?}");
    let user = test.add_user("auth0|1", "grace@example.com");
    let outcome = UserUpdate { email_verified: Some(true), ..none.clone() };
    let outcome = test.store.update(user.id, &outcome, &Actor::Cli);
    assert!(matches!(outcome, Err(StoreError::Invalid(_))), "{outcome:?}");
    assert_eq!(test.store.update(user.id, &none, &Actor::Cli).unwrap().email, None);
}

#[test]
fn terms_are_accepted_once_and_forgotten_with_their_person() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let store = &test.store;
    for version in ["2026-05", "2026-05", "2026-11"] {
        store.accept_terms(user.id, version, &Actor::User(user.id)).unwrap();
        test.clock.advance(Duration::from_secs(1));
    }
    let accepted = store.accepted_terms(user.id).unwrap();
    let versions: Vec<_> = accepted.iter().map(|terms| terms.version.as_str()).collect();
    assert_eq!(versions, ["2026-05", "2026-11"]);
    assert!(accepted[0].accepted_at < accepted[1].accepted_at);
    assert_eq!(test.actions(user.id), ["user.terms_accepted", "user.terms_accepted", "user.inserted"]);
    for bad in ["", "a b", "\u{7}", "v\u{f6}", ADA, &"x".repeat(33)] {
        let outcome = store.accept_terms(user.id, bad, &Actor::Cli);
        assert!(matches!(outcome, Err(StoreError::Invalid(_))), "{bad:?}");
    }
    for i in 2..TERMS_MAX_VERSIONS {
        store.accept_terms(user.id, &format!("v{i}"), &Actor::User(user.id)).unwrap();
    }
    let outcome = store.accept_terms(user.id, "one-more", &Actor::User(user.id));
    assert!(matches!(outcome, Err(StoreError::Invalid(_))), "{outcome:?}");
    store.accept_terms(user.id, "v2", &Actor::User(user.id)).unwrap();
    assert_eq!(store.accepted_terms(user.id).unwrap().len(), 100);
    store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();
    assert_eq!(store.accepted_terms(user.id).unwrap(), []);
}

#[test]
fn an_export_holds_everything_and_is_itself_in_the_trail() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    test.store.link_identity(user.id, &id("google|1"), &Actor::Cli).unwrap();
    test.store.accept_terms(user.id, "v1", &Actor::User(user.id)).unwrap();
    let export = test.store.export(user.id, &Actor::User(user.id)).unwrap();
    assert_eq!(export["user"]["email"], ADA);
    assert_eq!(export["user"]["name"], "Ada Lovelace");
    assert_eq!(export["user"]["profile"]["nickname"], "countess");
    assert_eq!(export["identities"][1]["auth0Id"], "google|1");
    assert_eq!(export["acceptedTerms"][0]["version"], "v1");
    let actions: Vec<_> = export["audit"].as_array().unwrap().iter().map(|line| &line["action"]).collect();
    assert_eq!(actions, ["user.inserted", "identity.linked", "user.terms_accepted", "user.exported"]);
    assert_eq!(export["audit"][3]["actor"], json!({ "kind": "user", "id": user.id }));
}

#[test]
fn nobody_and_tombstones_are_not_edited() {
    let test = TestStore::new();
    let gone = test.add_user("auth0|1", ADA);
    test.store.set_status(gone.id, Status::Erased, &Actor::Cli).unwrap();
    let nobody = UserId::new(test.clock.now());
    let store = &test.store;
    let update = UserUpdate { name: Some(None), ..UserUpdate::default() };
    let attempts: [&dyn Fn(UserId) -> Result<(), StoreError>; 5] = [
        &|who| store.update(who, &update, &Actor::Cli).map(drop),
        &|who| store.accept_terms(who, "v1", &Actor::Cli).map(drop),
        &|who| store.export(who, &Actor::Cli).map(drop),
        &|who| store.link_identity(who, &id("new|1"), &Actor::Cli).map(drop),
        &|who| store.unlink_identity(who, &id("auth0|1"), &Actor::Cli).map(drop),
    ];
    for attempt in attempts {
        assert!(matches!(attempt(nobody), Err(StoreError::NotFound(who)) if who == nobody));
        assert!(matches!(attempt(gone.id), Err(StoreError::Erased(who)) if who == gone.id));
    }
    assert_eq!(test.actions(gone.id), ["user.status_set", "user.inserted"]);
}
