//! Changing: status, roles, sign-out, erasure, and the trail they leave.

use serde_json::json;

use super::*;
use crate::telemetry::RequestId;
use crate::user::Status;

const ADA: &str = "ada@example.com";

#[test]
fn taking_something_away_withdraws_the_tokens() {
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
    // Coming back gives no old token back.
    let revoked = test.clock.now();
    test.clock.advance(Duration::from_secs(1));
    let back = store.set_status(user.id, Status::Active, &Actor::Cli).unwrap();
    assert_eq!((back.status, back.tokens_valid_from), (Status::Active, Some(revoked)));
}

#[test]
fn what_is_so_already_changes_nothing() {
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
fn a_clock_set_back_gives_no_token_back() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let later = test.clock.now().as_millisecond() + 60_000;
    test.shell().execute("UPDATE users SET tokens_valid_from = ?1", [later]).unwrap();
    let after = test.store.sign_out_everywhere(user.id, &Actor::Cli).unwrap();
    assert_eq!(after.tokens_valid_from.unwrap().as_millisecond(), later);
}

#[test]
fn nobody_can_be_changed() {
    let test = TestStore::new();
    let nobody = UserId::new(test.clock.now());
    let store = &test.store;
    assert!(
        matches!(store.set_status(nobody, Status::Blocked, &Actor::Cli), Err(StoreError::NotFound(id)) if id == nobody)
    );
    assert!(matches!(store.set_roles(nobody, &[], &Actor::Cli), Err(StoreError::NotFound(_))));
    assert!(matches!(store.sign_out_everywhere(nobody, &Actor::Cli), Err(StoreError::NotFound(_))));
}

#[test]
fn an_erased_person_is_a_tombstone_for_good() {
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
        assert_eq!(store.revocation(&id(auth0_id)).unwrap().status, Status::Erased);
        let again = store.provision(&identity(auth0_id, Some(ADA), true), LinkEmail::Verified, &Actor::Gate);
        assert_eq!(again.unwrap(), Provisioned::Known(gone.clone()));
    }
    assert!(matches!(store.set_status(user.id, Status::Active, &Actor::Cli), Err(StoreError::Erased(_))));
    assert!(matches!(store.set_roles(user.id, &[], &Actor::Cli), Err(StoreError::Erased(_))));
    assert!(matches!(store.sign_out_everywhere(user.id, &Actor::Cli), Err(StoreError::Erased(_))));
    assert_eq!(store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap(), gone);

    // The address is free: whoever has it now is somebody new.
    assert_eq!(store.user_by_email(&email(ADA)).unwrap(), None);
    assert_ne!(test.add_user("auth0|2", ADA).id, user.id);
}

#[test]
fn nothing_of_an_erased_person_stays_in_the_files() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", "erase.me@example.com");
    test.add_user("auth0|2", "keep.me@example.com");
    test.store.set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
    let holds = |word: &str| {
        ["vestibule.db", "vestibule.db-wal"].iter().any(|name| {
            // A copy of the bytes by another process: reading here would drop SQLite's locks.
            let copy = std::process::Command::new("cat").arg(test.file(name)).output().unwrap();
            copy.stdout.windows(word.len()).any(|bytes| bytes == word.as_bytes())
        })
    };
    assert!(holds("erase.me@example.com") && holds("+441234"));
    test.store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();
    assert!(!holds("erase.me@example.com"));
    assert!(holds("keep.me@example.com"));
}

#[test]
fn a_line_tells_who_changed_what_and_no_personal_data() {
    let test = TestStore::new();
    let staff = test.add_user("auth0|staff", "staff@example.com");
    let user = test.add_user("waad|ada@example.com", ADA);
    let request = RequestId::fresh();
    let store = test.store.for_request(request);
    store.set_status(user.id, Status::Blocked, &Actor::User(staff.id)).unwrap();
    store.set_roles(user.id, &["admin".into()], &Actor::Machine("client".into())).unwrap();
    test.store.set_status(user.id, Status::Erased, &Actor::Cli).unwrap();

    let lines = lines_about(&test.store, user.id, 100);
    let now = test.clock.now();
    let who: Vec<_> = lines.iter().map(|line| (line.actor_kind.as_str(), line.actor_id.as_deref())).collect();
    let staff_id = staff.id.to_string();
    assert_eq!(
        who,
        [("cli", None), ("machine", Some("client")), ("user", Some(staff_id.as_str())), ("gate", None)]
    );
    assert_eq!(lines[2].action, "user.status_set");
    assert_eq!(
        lines[2].changes,
        json!({
            "status": { "old": "active", "new": "blocked" },
            "tokensValidFrom": { "old": null, "new": now.to_string() },
        })
    );
    assert_eq!(lines[1].changes["roles"], json!({ "old": [], "new": ["admin"] }));
    assert_eq!(lines[2].request_id, Some(request.to_string()));
    assert_eq!(lines[0].request_id, None);
    assert!(lines.iter().all(|line| line.target == Some(user.id) && line.at == now));
    assert_eq!(lines[0].changes["email"], "redacted");
    assert_eq!(lines[3].changes["phone"], "redacted");
    for line in &lines {
        let text = line.changes.to_string();
        for personal in ["ada@example.com", "Lovelace", "+44", "countess"] {
            assert!(!text.contains(personal), "{text}");
        }
    }
}

#[test]
fn the_trail_is_append_only_even_by_hand() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let shell = test.shell();
    for attempt in [
        "UPDATE audit SET actor_kind = 'cli'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT id, at, 'cli', actor_id, action, target, changes, request_id, hash FROM audit",
    ] {
        let error = shell.execute(attempt, []).unwrap_err();
        assert!(error.to_string().contains("append-only"), "{attempt}: {error}");
    }
    assert_eq!(test.actions(user.id), ["user.inserted"]);
}

#[test]
fn roles_that_two_change_at_once_are_what_both_made_of_them() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", "ada@example.com");
    std::thread::scope(|scope| {
        for role in ["a", "b", "c", "d"] {
            let store = test.another_process();
            scope.spawn(move || {
                let add = |roles: &[String]| roles.iter().cloned().chain([role.to_owned()]).collect();
                store.change_roles(user.id, add, &Actor::Cli).unwrap();
            });
        }
    });
    assert_eq!(test.store.user(user.id).unwrap().unwrap().roles, ["a", "b", "c", "d"]);
}
