//! The export of a user.

use serde_json::json;

use super::*;
use crate::sqlite::{DatabaseError, Interrupt};
use crate::store::audit::Changes;
use crate::store::{ActingUser, Action, Export};

#[test]
fn an_export_has_all_data_and_is_itself_audited() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    test.store.link_identity(user.id, &id("google|1"), &Actor::Cli).unwrap();
    test.store.accept_terms(user.id, "v1", &Actor::User(user.id)).unwrap();
    let Export { data: export, next } = test.store.export(user.id, None, &Actor::User(user.id)).unwrap();
    assert_eq!(next, None);
    assert_eq!(export["user"]["email"], ADA);
    assert_eq!(export["user"]["name"], "Ada Lovelace");
    assert_eq!(export["user"]["profile"]["nickname"], "countess");
    assert_eq!(export["identities"][1]["auth0Id"], "google|1");
    assert_eq!(export["acceptedTerms"][0]["version"], "v1");
    let actions: Vec<_> = export["audit"].as_array().unwrap().iter().map(|line| &line["action"]).collect();
    assert_eq!(actions, ["user.inserted", "identity.linked", "user.terms_accepted"]);
    let line = &lines_about(&test.store, user.id, 1)[0];
    assert_eq!((line.action.as_str(), line.actor_id.clone()), ("user.exported", Some(user.id.to_string())));
    assert_eq!(export["exportedAt"], json!(line.at));
}

#[test]
fn a_failed_export_is_not_audited() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let revoked = test.store.as_user(ActingUser { user: user.id, issued_at: None });
    test.store.sign_out_everywhere(user.id, &Actor::Cli).unwrap();
    assert!(matches!(revoked.export(user.id, None, &Actor::User(user.id)), Err(StoreError::Revoked)));
    let ended = test.store.interruptible(&Interrupt::after(Duration::MAX, test.clock.clone()));
    let ended = ended.export(user.id, None, &Actor::Cli);
    assert!(matches!(ended, Err(StoreError::Database(DatabaseError::Interrupted))), "{ended:?}");
    assert_eq!(test.actions(user.id), ["user.signed_out", "user.inserted"]);
}

#[test]
fn a_long_audit_log_is_exported_in_parts_while_others_write() {
    let test = TestStore::new();
    let user = test.add_user("auth0|1", ADA);
    let lines: usize = 2_500;
    test.store
        .write(|write| {
            (1..lines).try_for_each(|_| {
                let changes = Changes::default().redacted("name");
                write.audit(&Actor::Cli, Action::Updated, user.id, changes)
            })
        })
        .unwrap();
    let (mut exported, mut after, mut parts) = (Vec::new(), None, 0);
    loop {
        let part = test.store.export(user.id, after, &Actor::Cli).unwrap();
        assert_eq!(
            part.data.get("user").is_some(),
            after.is_none(),
            "what is not the log is in the first part"
        );
        let audit = part.data["audit"].as_array().unwrap();
        assert!(audit.len() <= 1000);
        exported.extend(audit.iter().map(|line| line["id"].as_i64().unwrap()));
        (after, parts) = (part.next, parts + 1);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(parts, 3);
    // Each part but the last is in the log that the next one reads.
    assert_eq!(exported, (1..=lines as i64 + 2).collect::<Vec<_>>());
    // Large lines make shorter parts.
    let roles: Vec<String> = (0..64).map(|i| format!("{i:0>60}")).collect();
    for round in 0..100 {
        let changed = if round % 2 == 0 { &roles[..] } else { &[] };
        test.store.set_roles(user.id, changed, &Actor::Cli).unwrap();
        test.clock.advance(Duration::from_millis(1));
    }
    let part = test.store.export(user.id, Some(lines as i64 + 3), &Actor::Cli).unwrap();
    assert!(
        part.next.is_some() && serde_json::to_string(&part.data).unwrap().len() < 400_000,
        "{}",
        serde_json::to_string(&part.data).unwrap().len()
    );
}
