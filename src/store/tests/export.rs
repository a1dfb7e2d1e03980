//! The export of a user.

use serde_json::json;

use super::*;

#[test]
fn an_export_has_all_data_and_is_itself_audited() {
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
