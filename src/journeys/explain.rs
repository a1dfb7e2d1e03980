//! The command `vestibule explain`, for accepted and refused tokens.

use serde_json::{Value, json};
use vestibule::clock::Clock;
use vestibule::store::{Actor, Store};
use vestibule::user::Auth0Id;

use crate::auth0_stub::{Auth0Stub, ProfileReply};
use crate::executable::{output, vestibule_on};
use crate::test_server::{INTERNAL, NAMESPACE, PUBLIC, TestServer};
use crate::tokens::{self, now};

/// Explains `token` with the server's database and tenant. Returns the exit code and the JSON.
fn explain(server: &TestServer, door: &str, token: &str) -> (i32, Value) {
    let (code, text) = run(server, &["--door", door, "--json", "-"], token);
    (code, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
}

fn run(server: &TestServer, args: &[&str], input: &str) -> (i32, String) {
    let command =
        vestibule_on(&server.config.store.path, Some(&server.auth0), &[&["explain"], args].concat());
    let output = output(command, input);
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// The failed step: its code, the value found and the fix.
fn failed(explanation: &Value) -> (String, String, String) {
    let step =
        explanation["steps"].as_array().unwrap().iter().find(|step| step["passed"] == false).unwrap().clone();
    let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
    (text("code"), text("found"), text("fix"))
}

#[test]
fn an_accepted_token_is_explained_up_to_its_user_without_inserting_one() {
    let server = TestServer::open(&[]);
    server.auth0.set_profile(
        "auth0|1",
        ProfileReply::Json(json!({"user_id": "auth0|1", "email": "ada@example.com"})),
    );
    let found = |claims: Value| {
        let (code, explanation) = explain(&server, "public", &server.token("auth0|1", claims));
        assert_eq!((code, &explanation["admitted"]), (0, &json!(true)), "{explanation}");
        explanation["steps"].as_array().unwrap().last().unwrap()["found"].as_str().unwrap().to_owned()
    };
    assert!(found(json!({})).starts_with("at Auth0: the profile would be stored"));
    assert_eq!(server.user_count(), 0, "an explanation inserted a user");
    assert_eq!(server.me(&server.token("auth0|1", json!({}))).status, 200);
    let payload = json!({"id": server.user("auth0|1").id, "auth0Id": "auth0|1"});
    assert!(found(json!({format!("{NAMESPACE}user"): payload})).starts_with("in the payload"));
    assert!(found(json!({})).starts_with("in the database, by Auth0 id"));
}

#[test]
fn an_identity_that_staff_unlinked_is_refused_as_at_the_door() {
    let server = TestServer::open(&[]);
    let ada = server.insert_person("ada");
    let google: Auth0Id = "google-oauth2|ada".parse().unwrap();
    server.store().link_identity(ada.id, &google, &Actor::Cli).unwrap();
    server.store().unlink_identity(ada.id, &google, &Actor::Cli).unwrap();
    // Issued after the unlinking revoked the identity's tokens.
    let claims = json!({
        "iat": now() + 2,
        format!("{NAMESPACE}email"): "ada@example.com",
        format!("{NAMESPACE}email_verified"): true,
    });
    let token = server.token(google.as_str(), claims);
    let (code, explanation) = explain(&server, "public", &token);
    assert_eq!((code, failed(&explanation).0.as_str()), (1, "EMAIL_CONFLICT"), "{explanation}");
    assert_eq!(server.me(&token).code().as_deref(), Some("EMAIL_CONFLICT"));
}

#[test]
fn empty_input_is_wrong_usage() {
    let server = TestServer::open(&[]);
    for nothing in ["", "\n", " \"\" "] {
        assert_eq!(run(&server, &["-"], nothing), (2, String::new()), "{nothing:?}");
    }
}

#[test]
fn a_refused_token_is_explained_with_its_value_and_the_fix() {
    let server = TestServer::open(&[]);
    let refused = |door: &str, token: &str| {
        let (code, explanation) = explain(&server, door, token);
        assert_eq!(code, 1, "{explanation}");
        failed(&explanation)
    };
    let (code, found, fix) = refused("public", &server.token_for(INTERNAL, "auth0|1", json!({})));
    assert_eq!((code.as_str(), found), ("WRONG_AUDIENCE", format!("\"{INTERNAL}\"")));
    assert!(fix.contains("the other door") && fix.contains(PUBLIC), "{fix}");

    let (code, found, _) = refused("public", &server.token("auth0|1", json!({"exp": now() - 3600})));
    assert!(code == "EXPIRED" && found.contains("ago"), "{found}");

    let (code, _, fix) =
        refused("internal", &server.token_for(INTERNAL, "auth0|1", json!({"scope": "users:read"})));
    assert!(code == "NOT_PERMITTED" && fix.contains("scope grants nothing"), "{fix}");

    let (code, _, fix) = refused("public", "opaque-token");
    assert!(code == "MALFORMED_TOKEN" && fix.contains("`audience`"), "{fix}");

    let slashless = server.auth0.issuer.trim_end_matches('/').to_owned();
    let (code, found, fix) = refused("public", &server.token("auth0|1", json!({"iss": slashless})));
    assert!(code == "WRONG_ISSUER" && found == slashless && fix.contains("slash"), "{fix}");
}

#[test]
fn all_failed_checks_are_listed_and_the_signature_is_not_printed() {
    let server = TestServer::open(&[]);
    let token = server.token_for(INTERNAL, "auth0|1", json!({"exp": now() - 60, "nonce": "n"}));
    let (code, text) = run(&server, &["-"], &format!("Authorization: Bearer {token}\n"));
    assert_eq!(code, 1);
    for part in [
        "Token at the public door",
        "ID token",
        "WRONG_AUDIENCE",
        "EXPIRED",
        "· not reached",
        "\"sub\": \"auth0|1\"",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains(token.rsplit('.').next().unwrap()));
    let (_, explanation) =
        explain(&server, "public", &tokens::sign_with_header(&json!({"alg": "none"}), &json!({}), true));
    assert_eq!(failed(&explanation).0, "BAD_ALGORITHM");
    assert!(failed(&explanation).2.contains("RS256"));
    let claims = server.auth0.claims("auth0|1", PUBLIC);
    let typed =
        tokens::sign_with_header(&json!({"alg": "RS256", "kid": "stub", "typ": "logout+jwt"}), &claims, true);
    let (_, explanation) = explain(&server, "public", &typed);
    let (code, _, fix) = failed(&explanation);
    assert!(code == "MALFORMED_TOKEN" && fix.contains("(typ)") && !fix.contains("RS256"), "{fix}");
    let (_, explanation) =
        explain(&server, "public", &server.token("auth0|1", json!({"iss": [server.auth0.issuer]})));
    let (code, found, _) = failed(&explanation);
    assert!(code == "WRONG_ISSUER" && found.starts_with('['), "{found}");
}

#[test]
fn rfc9068_tokens_of_another_trusted_issuer_are_explained() {
    let (server, other) = (TestServer::open(&[]), Auth0Stub::start());
    let mut claims = other.claims("auth0|1", PUBLIC);
    claims.as_object_mut().unwrap().remove("azp");
    (claims["client_id"], claims["jti"]) = (json!("spa"), json!("1"));
    let id = server.insert_user("auth0|1").id;
    claims[format!("{NAMESPACE}user")] = json!({"id": id, "auth0Id": "auth0|1"});
    let token =
        tokens::sign_with_header(&json!({"alg": "RS256", "typ": "at+jwt", "kid": "stub"}), &claims, true);
    let also = format!("auth0.also=[{{issuer=\"{}\",same_users=true}}]", other.issuer);
    let explain_with = |set: &[&str]| {
        let (code, text) = run(&server, &[set, &["--json", "-"]].concat(), &token);
        (code, serde_json::from_str::<Value>(&text).unwrap())
    };
    let (code, explanation) = explain_with(&["--set", &also, "--set", "claims.profile=rfc9068"]);
    assert_eq!(code, 0, "{explanation}");
    let (code, explanation) = explain_with(&[]);
    let (refusal, found, fix) = failed(&explanation);
    assert_eq!((code, refusal.as_str(), found), (1, "WRONG_ISSUER", other.issuer.clone()));
    assert!(fix.contains(&server.auth0.issuer), "{fix}");
}

#[test]
fn a_key_that_cannot_be_used_is_explained() {
    let server = TestServer::open(&[]);
    let mut weak = tokens::jwk("stub", true);
    weak["alg"] = json!("RS384");
    let token = server.token("auth0|1", json!({}));
    let fix = |keys: Value| {
        // With a database of its own, which has no saved keys.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vestibule.db");
        let settings = vestibule::store::Settings { path: path.clone(), ..server.config.store.clone() };
        Store::open(&settings, Clock::system()).unwrap().close().unwrap();
        server.auth0.publish_keys(&json!({ "keys": keys }).to_string());
        let command = vestibule_on(&path, Some(&server.auth0), &["explain", "--json", "-"]);
        let output = output(command, &token);
        let (code, _, fix) = failed(&serde_json::from_slice(&output.stdout).unwrap());
        (code, fix)
    };
    let reason = "the algorithm `RS384` is not in `claims.algorithms`";
    let (code, none) = fix(json!([weak]));
    assert!(code == "KEYS_UNAVAILABLE" && none.contains("key `stub`") && none.contains(reason), "{none}");
    let (code, one) = fix(json!([weak, tokens::jwk("next", false)]));
    assert!(code == "UNKNOWN_KEY" && one.contains(reason), "{one}");
}

#[test]
fn a_user_of_another_issuer_is_referred_to_same_users() {
    let (server, other) = (TestServer::open(&[]), Auth0Stub::start());
    let token = tokens::sign(&other.claims("auth0|1", PUBLIC));
    let also = format!("auth0.also=[{{issuer = \"{}\"}}]", other.issuer);
    let (code, text) = run(&server, &["--set", &also, "--door", "public", "--json", "-"], &token);
    let (refusal, _, fix) = failed(&serde_json::from_str(&text).unwrap());
    assert_eq!((code, refusal.as_str()), (1, "NOT_PERMITTED"), "{text}");
    assert!(fix.contains("same_users") && fix.contains(&other.issuer), "{fix}");
}
