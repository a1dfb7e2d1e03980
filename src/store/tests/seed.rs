//! Seeds.

use super::*;
use crate::user::Status;

fn seeds(json: &str) -> Vec<SeedUser> {
    serde_json::from_str(json).unwrap()
}

#[test]
fn a_file_is_seeded_once() {
    let test = TestStore::new();
    let users = seeds(
        r#"[{"auth0Id": "auth0|staff", "email": "Staff@Example.com", "emailVerified": true, "name": "Sam",
             "givenName": "S", "roles": ["support"]},
            {"email": "grace@example.com", "name": "Grace"},
            {"auth0Id": "auth0|bad", "email": "bad@example.com", "status": "blocked"}]"#,
    );
    assert_eq!(test.store.seed(&users, &Actor::Seed).unwrap(), 3);
    assert_eq!(test.store.seed(&users, &Actor::Seed).unwrap(), 0);
    assert_eq!(test.user_count(), 3);
    let staff = test.store.user_by_auth0_id(&id("auth0|staff")).unwrap().unwrap();
    assert_eq!(
        (staff.roles.as_slice(), staff.person.given_name.as_deref()),
        (&["support".to_owned()][..], Some("S"))
    );
    assert_eq!(staff.email, Some(email("staff@example.com")));
    assert_eq!(test.actions(staff.id), ["user.seeded"]);
    assert_eq!(revocation(&test.store, "auth0|bad").unwrap().status, Status::Blocked);
}

#[test]
fn changes_survive_the_next_seeding() {
    let test = TestStore::new();
    let users = seeds(
        r#"[{"email": "grace@example.com"}, {"auth0Id": "auth0|1", "email": "ada@example.com", "emailVerified": true}]"#,
    );
    test.store.seed(&users, &Actor::Seed).unwrap();
    test.store
        .provision(&identity("auth0|7", Some("grace@example.com"), true), LinkEmail::Never, &Actor::Gate)
        .unwrap();
    let ada = test.store.user_by_auth0_id(&id("auth0|1")).unwrap().unwrap();
    test.store.set_status(ada.id, Status::Erased, &Actor::Cli).unwrap();
    assert_eq!(test.store.seed(&users, &Actor::Seed).unwrap(), 0);
    assert_eq!(test.user_count(), 2);
    assert_eq!(test.store.user(ada.id).unwrap().unwrap().status, Status::Erased);
}

#[test]
fn an_invalid_seed_is_named_and_none_is_added() {
    let test = TestStore::new();
    test.add_user("auth0|1", "ada@example.com");
    for (wrong, why) in [
        (r#"{"name": "Nobody"}"#, "needs an Auth0 id or an email"),
        (r#"{"auth0Id": "auth0|5", "emailVerified": true}"#, "cannot be verified where there is none"),
        (r#"{"auth0Id": "auth0|5", "status": "erased"}"#, "erased"),
        (r#"{"auth0Id": "auth0|5", "email": "ada@example.com", "emailVerified": true}"#, "another user"),
    ] {
        let users = seeds(&format!(r#"[{{"email": "fine@example.com"}}, {wrong}]"#));
        let error = test.store.seed(&users, &Actor::Seed).unwrap_err();
        assert!(matches!(error, StoreError::Seed { position: 2, .. }), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(test.user_count(), 1);
    }
    assert!(serde_json::from_str::<SeedUser>(r#"{"emial": "a@example.com"}"#).is_err());
}
