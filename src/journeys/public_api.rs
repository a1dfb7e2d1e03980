//! Mutations of the Public API over HTTP, and the number of queries that `me` costs.

use serde_json::{Value, json};
use vestibule::store::{Actor, UserUpdate};
use vestibule::user::{Status, User};

use crate::auth0_stub::ProfileReply;
use crate::test_server::{NAMESPACE, TestServer, error_code};
use crate::waiting::wait_until;

/// A token with the user in its payload.
fn with_payload(server: &TestServer, user: &User) -> String {
    let claim = format!("{NAMESPACE}user");
    let payload = json!({"id": user.id, "auth0Id": "auth0|ada", "email": "ada@example.com", "emailVerified": true,
        "name": "ada", "picture": user.person.picture, "roles": []});
    server.token("auth0|ada", json!({claim: payload}))
}

#[test]
fn fields_cost_no_query_but_the_accepted_terms() {
    let server = TestServer::open(&[]);
    let picture = Some(Some("https://pics.example/ada.png".to_owned()));
    let update = UserUpdate { picture, ..UserUpdate::default() };
    let user = server.store().update(server.insert_person("ada").id, &update, &Actor::Cli).unwrap();
    let token = with_payload(&server, &user);
    let before = server.store().queries();
    assert_eq!(server.me(&token).status, 200);
    assert_eq!(server.store().queries() - before, 1, "the row is read at the token's first sight");
    for (queries, fields) in [
        (0, "id auth0Id email emailVerified name picture roles"),
        (0, "id email givenName familyName nickname phone createdAt updatedAt"),
        (2, "acceptedTerms { version } nickname createdAt"),
    ] {
        let document = format!(
            "{{ me {{ {fields} }} again: viewer {{ kind user {{ {fields} }} }} node(id: \"{}\") {{ id }} }}",
            user.id
        );
        let before = server.store().queries();
        let answer = server.ask_public(token.as_str(), &document).json();
        assert_eq!(server.store().queries() - before, queries, "{fields}");
        assert!(answer.get("errors").is_none(), "{answer}");
        assert_eq!(answer["data"]["me"], answer["data"]["again"]["user"]);
        assert_eq!(answer["data"]["node"]["id"], json!(user.id));
    }
    let row = server.token("auth0|ada", json!({}));
    for queries in [1, 0] {
        let before = server.store().queries();
        server.ask_public(row.as_str(), "{ me { givenName createdAt } }").json();
        assert_eq!(server.store().queries() - before, queries, "only the gate's query, once");
    }
}

#[test]
fn machines_and_anonymous_callers_have_no_user_and_change_nothing() {
    let server = TestServer::open(&["public.anonymous=true"]);
    let machine = server.public_machine_token();
    for (token, kind, refusal) in
        [(Some(machine.as_str()), "MACHINE", "NOT_PERMITTED"), (None, "ANONYMOUS", "NO_TOKEN")]
    {
        let answer = server
            .ask_public(token, "{ me { id } viewer { kind user { id } permissions } node(id: \"x\") { id } }")
            .json();
        assert_eq!(
            answer,
            json!({"data": {"me": null, "viewer": {"kind": kind, "user": null, "permissions": []}, "node": null}})
        );
        for mutation in [
            "updateMe(input: {}) { me { id } }",
            "refreshMe(input: {}) { me { id } }",
            "acceptTerms(input: {version: \"v1\"}) { me { id } }",
            "signOutEverywhere(input: {}) { tokensValidFrom }",
            "exportMe(input: {}) { data }",
            "eraseMe(input: {confirmId: \"x\"}) { erasedId }",
        ] {
            let answer = server.ask_public(token, &format!("mutation {{ {mutation} }}")).json();
            assert_eq!(error_code(&answer), Some(refusal), "{mutation}: {answer}");
        }
    }
    assert_eq!(server.user_count(), 0);
}

#[test]
fn people_can_change_their_own_data_and_each_change_is_audited() {
    let server = TestServer::open(&[]);
    let user = server.insert_person("ada");
    let token = with_payload(&server, &user);
    let newest = || server.newest_audit_lines(user.id, 1).remove(0);
    let update = "mutation { updateMe(input: {nickname: \"countess\", name: \"\", clientMutationId: \"1\"}) {
        clientMutationId me { id name nickname email } } }";
    let answer = server.ask_public(token.as_str(), update).json();
    let me = json!({"id": user.id, "name": null, "nickname": "countess", "email": "ada@example.com"});
    assert_eq!(answer, json!({"data": {"updateMe": {"clientMutationId": "1", "me": me}}}));
    let line = newest();
    assert_eq!((line.action.as_str(), line.actor_id), ("user.updated", Some(user.id.to_string())));
    assert_eq!(server.ask_public(token.as_str(), update).json(), answer, "repeated");
    assert_eq!(newest().id, line.id, "without another audit event");

    let accept =
        "mutation { acceptTerms(input: {version: \"2026-05\"}) { me { acceptedTerms { version } } } }";
    let answer = server.ask_public(token.as_str(), accept).json();
    let terms = json!([{"version": "2026-05"}]);
    assert_eq!(answer["data"]["acceptTerms"]["me"]["acceptedTerms"], terms, "{answer}");
    assert_eq!(newest().action, "user.terms_accepted");

    let answer = server.ask_public(token.as_str(), "mutation { exportMe(input: {}) { data } }").json();
    let data = &answer["data"]["exportMe"]["data"];
    assert_eq!(
        (&data["user"]["email"], &data["acceptedTerms"][0]["version"]),
        (&json!("ada@example.com"), &json!("2026-05"))
    );
    assert_eq!(newest().action, "user.exported");
    for bad in ["picture: \"javascript:alert(1)\"", "name: \"A\\u202Eda\"", "nickname: \"Ada\\u200B\""] {
        let update = format!("mutation {{ updateMe(input: {{{bad}}}) {{ me {{ id }} }} }}");
        assert_eq!(
            error_code(&server.ask_public(token.as_str(), &update).json()),
            Some("BAD_INPUT"),
            "{bad}"
        );
    }
}

#[test]
fn sign_out_everywhere_revokes_the_token_that_called_it() {
    let server = TestServer::open(&[]);
    let user = server.insert_person("ada");
    let token = with_payload(&server, &user);
    let answer = server
        .ask_public(token.as_str(), "mutation { signOutEverywhere(input: {}) { tokensValidFrom } }")
        .json();
    assert!(answer["data"]["signOutEverywhere"]["tokensValidFrom"].is_string(), "{answer}");
    assert_eq!(error_code(&server.ask_public(token.as_str(), "{ me { id } }").json()), Some("TOKEN_REVOKED"));
}

#[test]
fn erase_me_requires_the_own_id_and_leaves_a_tombstone() {
    let server = TestServer::open(&[]);
    let user = server.insert_person("ada");
    let token = with_payload(&server, &user);
    let erase = |id: &str| format!("mutation {{ eraseMe(input: {{confirmId: \"{id}\"}}) {{ erasedId }} }}");
    let other = "0198c0de-0000-7000-8000-000000000001";
    assert_eq!(error_code(&server.ask_public(token.as_str(), &erase(other)).json()), Some("BAD_INPUT"));
    assert_eq!(server.store().user(user.id).unwrap().unwrap().status, Status::Active);
    let answer = server.ask_public(token.as_str(), &erase(&user.id.to_string())).json();
    assert_eq!(answer["data"]["eraseMe"]["erasedId"], json!(user.id), "{answer}");
    let row = server.store().user(user.id).unwrap().unwrap();
    assert_eq!((row.status, row.email), (Status::Erased, None));
    assert_eq!(error_code(&server.ask_public(token.as_str(), "{ me { id } }").json()), Some("ERASED"));
}

#[test]
fn refresh_me_fetches_the_profile_once_however_often_it_is_called() {
    let server = TestServer::open(&[]);
    // A seeded user has no fetched profile.
    server.seed(json!({"auth0Id": "auth0|ada", "email": "ada@example.com", "emailVerified": true}));
    let user = server.user("auth0|ada");
    let token = with_payload(&server, &user);
    let profile = json!({"user_id": "auth0|ada", "email": "ada@example.com", "email_verified": true,
        "name": "Ada Lovelace", "nickname": "countess"});
    server.auth0.set_profile("auth0|ada", ProfileReply::Json(profile));
    let refresh =
        "mutation { refreshMe(input: {clientMutationId: \"1\"}) { clientMutationId me { nickname } } }";
    let answer = server.ask_public(token.as_str(), refresh).json();
    assert_eq!(answer["data"]["refreshMe"]["me"]["nickname"], "countess", "{answer}");
    let calls = server.auth0.calls("/api/v2/users/");
    assert_eq!(calls, 1);
    let line = server.newest_audit_lines(user.id, 1).remove(0);
    assert_eq!((line.action.as_str(), line.actor_id), ("user.refreshed", Some(user.id.to_string())));
    assert!(line.request_id.is_some());
    for _ in 0..5 {
        assert_eq!(server.ask_public(token.as_str(), refresh).json(), answer);
    }
    assert_eq!(server.auth0.calls("/api/v2/users/"), calls, "a caller can use up the rate limit of Auth0");
}

#[test]
fn a_refresh_changes_nothing_if_the_user_is_blocked_meanwhile() {
    let server = TestServer::open(&["auth0.timeout=1min", "public.limits.time=1min"]);
    let user = server.insert_person("ada");
    let token = with_payload(&server, &user);
    let database = rusqlite::Connection::open(&server.config.store.path).unwrap();
    database.execute("UPDATE users SET profile_fetched_at = NULL", []).unwrap();
    let profile = json!({"user_id": user.auth0_id.as_ref().unwrap(), "nickname": "countess"});
    server.auth0.set_profile(user.auth0_id.as_ref().unwrap().as_str(), ProfileReply::Json(profile));
    server.auth0.delay_replies(std::time::Duration::from_secs(1));
    let answer = std::thread::scope(|scope| {
        let refresh = || {
            server.ask_public(token.as_str(), "mutation { refreshMe(input: {}) { me { nickname } } }").json()
        };
        let asking = scope.spawn(refresh);
        wait_until("the refresh calls Auth0", || server.auth0.calls("/oauth/token") > 0);
        server.store().set_status(user.id, Status::Blocked, &Actor::Cli).unwrap();
        asking.join().unwrap()
    });
    assert_eq!(error_code(&answer), Some("TOKEN_REVOKED"), "{answer}");
    assert_eq!(server.store().user(user.id).unwrap().unwrap().person, user.person);
}

#[test]
fn a_person_makes_so_many_changes_a_minute_and_exports_once_a_request() {
    let server = TestServer::open(&["public.mutations.per_minute=5"]);
    let [ada, bob] = ["ada", "bob"].map(|name| {
        server.insert_person(name);
        server.token(&format!("auth0|{name}"), json!({}))
    });
    let export = "mutation { a: exportMe(input: {}) { next data } b: exportMe(input: {}) { data } }";
    let answer = server.ask_public(ada.as_str(), export).json();
    assert_eq!(answer["data"]["a"]["next"], Value::Null, "{answer}");
    assert_eq!((&answer["data"]["b"], error_code(&answer)), (&Value::Null, Some("BAD_INPUT")), "{answer}");
    let wrong = "mutation { exportMe(input: {after: \"user:1\"}) { data } }";
    assert_eq!(error_code(&server.ask_public(ada.as_str(), wrong).json()), Some("BAD_INPUT"));

    let updates: String =
        (0..6).map(|i| format!("u{i}: updateMe(input: {{name: \"{i}\"}}) {{ me {{ name }} }} ")).collect();
    let answer = server.ask_public(ada.as_str(), &format!("mutation {{ {updates} }}")).json();
    // The export was the first of five.
    assert_eq!(answer["data"]["u3"]["me"]["name"], "3", "{answer}");
    for (error, field) in answer["errors"].as_array().unwrap().iter().zip(["u4", "u5"]) {
        assert_eq!((&error["path"], &error["extensions"]["code"]), (&json!([field]), &json!("RATE_LIMITED")));
        let wait = error["extensions"]["retryAfter"].as_u64().unwrap();
        assert!((1..=60).contains(&wait), "{error}");
    }
    let update = "mutation { updateMe(input: {name: \"Bob\"}) { me { name } } }";
    let answer = server.ask_public(bob.as_str(), update).json();
    assert_eq!(answer["data"]["updateMe"]["me"]["name"], "Bob", "{answer}");
    assert_eq!(server.me(&ada).status, 200, "reading is not limited");
}
