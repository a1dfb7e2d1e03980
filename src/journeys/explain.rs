//! The command `vestibule explain`, for accepted and refused tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use vestibule::clock::Clock;
use vestibule::store::{Actor, Store};
use vestibule::user::{Auth0Id, Status};

use crate::auth0_stub::{Auth0Stub, ProfileReply};
use crate::executable::{output, vestibule_on};
use crate::test_server::{INTERNAL, NAMESPACE, PUBLIC, TestServer};
use crate::tokens::{self, now};
use crate::waiting::wait_until;

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
    assert!(code == "NOT_PERMITTED" && fix.contains("scope of a user grants nothing"), "{fix}");

    let (code, _, fix) = refused("public", "opaque-token");
    assert!(code == "MALFORMED_TOKEN" && fix.contains("`audience`"), "{fix}");

    let slashless = server.auth0.issuer.trim_end_matches('/').to_owned();
    let (code, found, fix) = refused("public", &server.token("auth0|1", json!({"iss": slashless})));
    assert!(code == "WRONG_ISSUER" && found == slashless && fix.contains("slash"), "{fix}");
}

#[test]
fn texts_that_are_no_token_are_named() {
    let server = TestServer::open(&[]);
    let token = server.token("auth0|1", json!({}));
    let encrypted = format!("{}.a.b.c.d", URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#));
    let (cut, two, joined) =
        (token.rsplit_once('.').unwrap().0, format!("{token}\n{token}"), format!("{token}{token}"));
    for (text, code, advice) in [
        ("undefined", "MALFORMED_TOKEN", "JavaScript's undefined"),
        ("null", "MALFORMED_TOKEN", "JavaScript's null"),
        ("[object Object]", "MALFORMED_TOKEN", "JavaScript's [object Object]"),
        ("k5t9", "MALFORMED_TOKEN", "opaque"),
        (r#"{"access_token":"a.b.c"}"#, "MALFORMED_TOKEN", "access_token only"),
        (cut, "MALFORMED_TOKEN", "end is missing"),
        (&encrypted, "MALFORMED_TOKEN", "encrypted"),
        (&joined, "MALFORMED_TOKEN", "Several tokens"),
        (&two, "MALFORMED_REQUEST", "Several tokens"),
        ("tökén", "MALFORMED_REQUEST", "opaque"),
    ] {
        let (_, explanation) = explain(&server, "public", text);
        let (found, _, fix) = failed(&explanation);
        assert!(found == code && fix.contains(advice), "{text:.30}: {found} {fix}");
        assert_eq!(explanation["code"], code);
    }
}

#[test]
fn an_id_token_is_never_advised_into_the_settings() {
    let server = TestServer::open(&[]);
    let fix = |claims: Value| {
        let mut all = server.auth0.claims("auth0|1", PUBLIC);
        for (claim, value) in claims.as_object().unwrap() {
            all[claim] = value.clone();
        }
        all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        failed(&explain(&server, "public", &tokens::sign(&all)).1).2
    };
    for id_token in [
        json!({"aud": "spa", "azp": null, "sid": "1", "name": "Ada"}),
        json!({"aud": "spa", "azp": null}),
        json!({"aud": "spa", "azp": "spa"}),
        json!({"aud": ["spa"], "sid": "1"}),
    ] {
        let fix = fix(id_token.clone());
        assert!(
            fix.contains("ID token") && fix.contains(PUBLIC) && !fix.contains("public.audience"),
            "{id_token}: {fix}"
        );
    }
    let issuer = &server.auth0.issuer;
    for (aud, sets) in [
        (json!("https://api.team.example/"), true),
        (json!(format!("{issuer}userinfo")), false),
        (json!(format!("{issuer}api/v2/")), false),
        (json!(null), false),
    ] {
        let fix = fix(json!({ "aud": aud }));
        assert!(
            fix.contains("Request the audience") && fix.contains("public.audience") == sets,
            "{aud}: {fix}"
        );
    }
    assert!(fix(json!({"aud": PUBLIC.trim_end_matches('/')})).contains("byte for byte"));
}

#[test]
fn a_missing_permission_is_explained_with_what_was_read_and_the_role_that_gives_it() {
    let server = TestServer::open(&[]);
    server.insert_user("auth0|1");
    server.seed(json!({"auth0Id": "auth0|2", "roles": ["tester"]}));
    let explain_with = |set: &[&str], sub: &str, claims: Value| {
        let token = server.token_for(INTERNAL, sub, claims);
        let (code, text) = run(&server, &[set, &["--door", "internal", "--json", "-"]].concat(), &token);
        assert_eq!(code, 1, "{text}");
        failed(&serde_json::from_str(&text).unwrap())
    };
    let roles = format!("{NAMESPACE}roles");
    let (code, found, fix) = explain_with(&[], "auth0|1", json!({ &roles: ["admin"] }));
    assert_eq!(
        (code.as_str(), found.as_str()),
        ("NOT_PERMITTED", "roles of the row: [], permissions: absent")
    );
    assert!(
        fix.contains("give users:read: admin, support.") && fix.contains("users roles 'auth0|1' --add admin"),
        "{fix}"
    );
    assert!(explain_with(&[], "auth0|2", json!({})).1.starts_with("roles of the row: [\"tester\"]"));
    assert!(explain_with(&[], "auth0|3", json!({})).1.starts_with("no row here"));
    let token_decides = ["--set", "claims.roles_from=token"];
    let (_, found, fix) =
        explain_with(&token_decides, "auth0|1", json!({ &roles: ["tester"], "permissions": ["a:b"] }));
    assert_eq!(found, format!("{roles}: [\"tester\"], permissions: [\"a:b\"]"));
    assert!(fix.contains(&roles) && fix.contains("at Auth0"), "{fix}");
    let need = ["--set", "internal.need=[\"none:such\"]"];
    assert!(explain_with(&need, "auth0|1", json!({})).2.starts_with("No role in [roles] gives none:such"));
    let machine = json!({"gty": "client-credentials", "azp": "m1", "scope": "x:y"});
    let (_, found, fix) = explain_with(&[], "m1@clients", machine);
    assert!(found.starts_with("scope: \"x:y\"") && fix.contains("the scope users:read"), "{found} {fix}");
    for (sub, claims, advice) in [
        ("agt_1", json!({}), "agent"),
        ("anon@1", json!({}), "anonymous"),
        ("m2@clients", json!({"azp": "m1"}), "another client"),
        ("someone", json!({}), "neither"),
    ] {
        let (code, found, fix) = explain_with(&[], sub, claims);
        assert!(code == "NOT_PERMITTED" && fix.contains(advice) && !fix.contains("scope"), "{sub}: {fix}");
        assert!(found.starts_with(&format!("sub: \"{sub}\"")), "{found}");
    }
    let (code, _, fix) = explain_with(&[], "auth0|1", json!({"act": {"sub": "agt_1"}}));
    assert!(code == "AGENT_REFUSED" && fix.contains("claims.agents"), "{fix}");
}

#[test]
fn a_refused_user_is_explained_with_advice() {
    let server = TestServer::open(&[]);
    let insert = |sub: &str| server.insert_user(sub).id;
    let (blocked, erased) = (insert("auth0|b"), insert("auth0|e"));
    server.store().set_status(blocked, Status::Blocked, &Actor::Cli).unwrap();
    server.store().set_status(erased, Status::Erased, &Actor::Cli).unwrap();
    let id = insert("auth0|1");
    let payload = |user: Value| json!({format!("{NAMESPACE}user"): user});
    for (sub, claims, code, advice) in [
        ("auth0|b", json!({}), "BLOCKED", "users unblock 'auth0|b'"),
        ("auth0|e", json!({}), "ERASED", "sign up"),
        ("auth0|nobody", json!({}), "NO_SUCH_USER", "Log in as a user who exists"),
        ("auth0|1", payload(json!({"id": id})), "BAD_CLAIMS", "missing field `auth0Id`"),
        (
            "auth0|1",
            payload(json!({"id": id, "auth0Id": "auth0|1", "roles": "x"})),
            "BAD_CLAIMS",
            "a sequence",
        ),
        ("auth0|1", payload(json!({"id": id, "auth0Id": "auth0|2"})), "BAD_CLAIMS", "auth0Id"),
    ] {
        let (exit, explanation) = explain(&server, "public", &server.token(sub, claims));
        let (found, _, fix) = failed(&explanation);
        assert_eq!((exit, found.as_str()), (1, code), "{explanation}");
        assert!(fix.contains(advice), "{code}: {fix}");
    }
}

#[test]
fn a_user_whom_auth0_unblocked_is_explained_as_the_door_decides() {
    let server = TestServer::open(&[]);
    let profile = |blocked: bool| {
        let profile = json!({"user_id": "auth0|1", "email": "ada@example.com", "blocked": blocked});
        server.auth0.set_profile("auth0|1", ProfileReply::Json(profile));
    };
    profile(false);
    assert_eq!(server.me(&server.token("auth0|1", json!({}))).status, 200);
    profile(true);
    server.age_profiles();
    let token = |jti: &str| server.token("auth0|1", json!({"iat": now() + 2, "jti": jti}));
    let first = token("1");
    wait_until("the door knows of the block", || server.me(&first).code().as_deref() == Some("BLOCKED"));
    // Issued after the profile was fetched.
    let next = token("2");
    let explained = || explain(&server, "public", &next).1["code"].clone();
    assert_eq!(explained(), "BLOCKED");
    profile(false);
    assert_eq!(explained(), Value::Null);
    assert_eq!(server.user("auth0|1").status, Status::Blocked, "the explanation changed the row");
    assert_eq!(server.me(&next).status, 200);
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
