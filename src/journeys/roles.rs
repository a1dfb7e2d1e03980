//! Where roles come from, what changes of them do at once, and how users with roles are linked.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use vestibule::store::{Actor, AuditFilter, PageArgs};
use vestibule::user::Auth0Id;

use crate::auth0_stub::ProfileReply;
use crate::socket::Socket;
use crate::test_server::{INTERNAL, NAMESPACE, TestServer};
use crate::tokens;

const ME: &str = "{ me { roles } viewer { permissions } }";
static SERIAL: AtomicUsize = AtomicUsize::new(0);
const FROM_TOKEN: &str = "claims.roles_from=token";

/// A token of `auth0|ada` for the internal door, issued two seconds ahead: after what was revoked until now.
fn staff_token(server: &TestServer, sub: &str, mut claims: Value) -> String {
    claims["iat"] = json!(tokens::now() + 2);
    // Two tokens of one second would be the same.
    claims["jti"] = json!(SERIAL.fetch_add(1, Ordering::Relaxed).to_string());
    server.token_for(INTERNAL, sub, claims)
}

fn roles(roles: &[&str]) -> Value {
    json!({format!("{NAMESPACE}roles"): roles})
}

fn set_roles(server: &TestServer, name: &str, roles: &[&str]) {
    let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
    server.store().set_roles(server.user(&format!("auth0|{name}")).id, &roles, &Actor::Cli).unwrap();
}

#[test]
fn by_default_the_row_decides_whatever_the_token_claims() {
    let server = TestServer::open(&[]);
    let ada = server.insert_person("ada");
    let with_payload = |roles: &[&str]| json!({format!("{NAMESPACE}user"): {"id": ada.id, "auth0Id": "auth0|ada", "roles": roles}});
    let ask =
        |claims: Value| server.ask_internal(&staff_token(&server, "auth0|ada", claims), ME, Value::Null);
    for claims in [json!({}), roles(&["admin"]), with_payload(&["admin"])] {
        assert_eq!(ask(claims.clone()).code().as_deref(), Some("NOT_PERMITTED"), "{claims}");
    }
    // Promoted: with and without payload. The claim adds nothing.
    set_roles(&server, "ada", &["support"]);
    for claims in [
        json!({}),
        roles(&["admin"]),
        with_payload(&["support"]),
        with_payload(&["admin"]),
        with_payload(&[]),
    ] {
        let answer = ask(claims.clone()).json();
        let expected =
            json!({"me": {"roles": ["support"]}, "viewer": {"permissions": ["audit:read", "users:read"]}});
        assert_eq!(answer["data"], expected, "{claims}: {answer}");
    }
    // A token seen before costs no query, with or without payload.
    for claims in [with_payload(&["support"]), json!({})] {
        let token = staff_token(&server, "auth0|ada", claims);
        assert_eq!(server.ask_internal(&token, "{ viewer { permissions } }", Value::Null).status, 200);
        let before = server.store().queries();
        assert_eq!(server.ask_internal(&token, "{ viewer { permissions } }", Value::Null).status, 200);
        assert_eq!(server.store().queries(), before);
    }
    // Demoted: no later login makes them an admin again.
    let old = staff_token(&server, "auth0|ada", with_payload(&["support"]));
    assert_eq!(server.ask_internal(&old, ME, Value::Null).status, 200);
    set_roles(&server, "ada", &[]);
    assert_eq!(server.ask_internal(&old, ME, Value::Null).code().as_deref(), Some("TOKEN_REVOKED"));
    for claims in [roles(&["admin"]), with_payload(&["support"])] {
        assert_eq!(ask(claims).code().as_deref(), Some("NOT_PERMITTED"));
    }
    // At the public door too, where nothing is needed, a field can require any of the row's permissions.
    set_roles(&server, "ada", &["support"]);
    let token = server.token("auth0|ada", json!({"iat": tokens::now() + 2}));
    let viewer = server.ask_public(token.as_str(), "{ viewer { permissions } }");
    assert_eq!(viewer.at("/data/viewer/permissions"), json!(["audit:read", "users:read"]));
    assert_eq!(
        (server.user_count(), server.auth0.calls("/api/")),
        (1, 0),
        "a refused caller caused no row and no call"
    );
}

#[test]
fn from_the_token_roles_are_mirrored_by_the_row_and_set_at_auth0_only() {
    let server = TestServer::open(&[FROM_TOKEN]);
    server.insert_person("ada");
    set_roles(&server, "ada", &["admin"]);
    let ask =
        |claims: Value| server.ask_internal(&staff_token(&server, "auth0|ada", claims), ME, Value::Null);
    assert_eq!(ask(json!({})).code().as_deref(), Some("NOT_PERMITTED"), "the row grants nothing");
    assert_eq!(server.user("auth0|ada").roles, ["admin"], "a token without the claim changes nothing");
    let first = staff_token(&server, "auth0|ada", roles(&["support", "support", "custom"]));
    for _ in 0..2 {
        let answer = server.ask_internal(&first, ME, Value::Null).json();
        assert_eq!(answer["data"]["me"]["roles"], json!(["custom", "support"]), "{answer}");
    }
    assert_eq!(server.newest_audit_lines(server.user("auth0|ada").id, 1)[0].action, "user.roles_set");
    // Another login changes them again, and revokes no token.
    let admin = staff_token(&server, "auth0|ada", roles(&["admin"]));
    assert_eq!(server.ask_internal(&admin, ME, Value::Null).at("/data/me/roles"), json!(["admin"]));
    assert_eq!(server.ask_internal(&first, ME, Value::Null).status, 200);
    assert_eq!(server.user("auth0|ada").roles, ["admin"], "a token writes once");
    let id = server.user("auth0|ada").id;
    for mutation in [
        format!("mutation {{ setRoles(input: {{id: \"{id}\", roles: [\"support\"]}}) {{ user {{ id }} }} }}"),
        "mutation { createUser(input: {email: \"n@example.com\", roles: [\"admin\"]}) { user { id } } }"
            .to_owned(),
    ] {
        let answer = server.ask_internal(&admin, &mutation, Value::Null);
        assert_eq!(answer.code().as_deref(), Some("BAD_INPUT"), "{}", answer.body);
        assert!(
            answer.body.contains("claims.roles_from") && answer.body.contains("Auth0"),
            "{}",
            answer.body
        );
    }
    let none = "mutation { createUser(input: {email: \"n@example.com\"}) { user { roles } } }";
    assert_eq!(server.ask_internal(&admin, none, Value::Null).at("/data/createUser/user/roles"), json!([]));
}

#[test]
fn merging_users_needs_both_permissions() {
    let server = TestServer::open(&[]);
    let (kept, gone) = (server.insert_person("ada").id, server.insert_person("bob").id);
    let merge = format!(
        "mutation {{ mergeUsers(input: {{keptId: \"{kept}\", goneId: \"{gone}\"}}) {{ user {{ id }} }} }}"
    );
    for (scope, missing) in
        [("users:read users:write", "users:erase"), ("users:read users:erase", "users:write")]
    {
        let answer = server.ask_internal(&server.machine_token(scope), &merge, Value::Null);
        assert_eq!(answer.at("/errors/0/extensions/missing"), json!([missing]), "{}", answer.body);
    }
    assert_eq!(server.user_count(), 2);
    let both = server.machine_token("users:read users:write users:erase");
    assert_eq!(server.ask_internal(&both, &merge, Value::Null).at("/data/mergeUsers/user/id"), json!(kept));
}

/// A name, and what happens to the user of that name.
type Change<'a> = (&'a str, &'a dyn Fn(&Auth0Id));

#[test]
fn a_socket_gets_no_event_after_its_caller_was_blocked_or_demoted() {
    let server = TestServer::open(&[]);
    let bob = server.insert_person("bob").id;
    let changes: [Change<'_>; 3] = [
        ("blocked", &|id| {
            let user = server.user(id.as_str()).id;
            drop(server.store().set_status(user, vestibule::user::Status::Blocked, &Actor::Cli).unwrap());
        }),
        ("demoted", &|id| {
            drop(server.store().set_roles(server.user(id.as_str()).id, &[], &Actor::Cli).unwrap())
        }),
        ("by-hand", &|id| {
            let shell = rusqlite::Connection::open(&server.config.store.path).unwrap();
            let sql = "UPDATE users SET roles = '[]' WHERE auth0_id = ?1";
            assert_eq!(shell.execute(sql, [id.as_str()]).unwrap(), 1);
        }),
    ];
    for (name, change) in changes {
        server.insert_person(name);
        set_roles(&server, name, &["support"]);
        let sub = format!("auth0|{name}");
        let token = staff_token(&server, &sub, json!({}));
        let mut client = Socket::connect_with_token(&server.runtime, server.doors().internal(), &token);
        client.subscribe("1", "subscription { userChanged { id nickname } }");
        let rename = |nickname: String| {
            let update =
                vestibule::store::UserUpdate { nickname: Some(Some(nickname)), ..Default::default() };
            server.store().update(bob, &update, &Actor::Cli).unwrap();
        };
        client.first_event(|turn| rename(format!("before {turn}")));
        change(&sub.parse().unwrap());
        for turn in 0..20 {
            rename(format!("after {turn}"));
        }
        let (code, events) = client.until_closed_with_events();
        assert_eq!(code, 4403, "{name}");
        assert!(!events.iter().any(|event| event.to_string().contains("after")), "{name}: {events:?}");
    }
}

#[test]
fn a_user_with_roles_is_linked_by_hand_unless_privileged_links_are_on() {
    let verified =
        |email: &str| json!({format!("{NAMESPACE}email"): email, format!("{NAMESPACE}email_verified"): true});
    for (privileged, status) in [(false, 403), (true, 200)] {
        let server = TestServer::open(&[&format!("link.privileged={privileged}")]);
        server.seed(json!({"email": "waiting@example.com", "roles": ["admin"]}));
        server.seed(json!({"auth0Id": "auth0|has", "email": "has@example.com", "emailVerified": true, "roles": ["support"]}));
        server.seed(json!({"email": "plain@example.com"}));
        for (sub, email, by_profile) in [
            ("google-oauth2|w", "waiting@example.com", false),
            ("google-oauth2|x", "waiting@example.com", true),
            ("google-oauth2|h", "has@example.com", false),
            ("google-oauth2|i", "has@example.com", true),
        ] {
            server.auth0.add_user(sub, email, true);
            let claims = if by_profile { json!({}) } else { verified(email) };
            let user = server.store().user_by_email(&email.parse().unwrap()).unwrap().unwrap();
            for door in ["public", "internal", "public"] {
                let answer = match door {
                    "public" => server.me(&server.token(sub, claims.clone())),
                    _ if by_profile => continue,
                    _ => server.ask_internal(&staff_token(&server, sub, claims.clone()), ME, Value::Null),
                };
                let code = if privileged { None } else { Some("EMAIL_CONFLICT") };
                assert_eq!(
                    (answer.status, answer.code().as_deref()),
                    (status, code),
                    "{sub} {door}: {}",
                    answer.body
                );
                assert!(privileged || answer.body.contains("vestibule users link"), "{}", answer.body);
            }
            let identities = server.store().identities(user.id).unwrap();
            assert_eq!(
                identities.iter().any(|identity| identity.auth0_id.as_str() == sub),
                privileged,
                "{sub}"
            );
            if !privileged {
                // Written once however many requests are refused, in the background for tokens with an email.
                let filter =
                    AuditFilter { action: Some("identity.link_refused".into()), ..AuditFilter::of(user.id) };
                let noted = || server.store().list_audit(&filter, &PageArgs::first(10)).unwrap().items.len();
                crate::waiting::wait_until("the refusal is in the audit log", || noted() > 0);
                assert_eq!(noted(), 1, "{sub}");
            }
        }
        let plain = server.me(&server.token("google-oauth2|p", verified("plain@example.com")));
        assert_eq!(plain.status, 200, "no roles: {}", plain.body);
        // Linked by hand, the login works at once.
        let waiting = server.store().user_by_email(&"waiting@example.com".parse().unwrap()).unwrap().unwrap();
        if !privileged {
            server
                .store()
                .link_identity(waiting.id, &"google-oauth2|w".parse().unwrap(), &Actor::Cli)
                .unwrap();
        }
        let answer =
            server.ask_internal(&staff_token(&server, "google-oauth2|w", json!({})), ME, Value::Null);
        assert_eq!(answer.at("/data/me/roles"), json!(["admin"]), "{}", answer.body);
    }
}

#[test]
fn only_trusted_connections_verify_an_email() {
    let server = TestServer::open(&[r#"link.connections=["google-oauth2", "contoso"]"#]);
    let ada = server.insert_person("ada").id;
    let profile = |sub: &str, connection: &str| {
        let (provider, id) = sub.split_once('|').unwrap();
        let other = json!({"provider": "auth0", "user_id": "other", "connection": "google-oauth2"});
        server.auth0.set_profile(
            sub,
            ProfileReply::Json(json!({"user_id": sub, "email": "ada@example.com", "email_verified": true,
            "identities": [other, {"provider": provider, "user_id": id, "connection": connection}]})),
        );
    };
    let claims =
        json!({format!("{NAMESPACE}email"): "ada@example.com", format!("{NAMESPACE}email_verified"): true});
    for (sub, connection, linked) in [
        ("google-oauth2|1", "google-oauth2", true),
        ("waad|1", "contoso", true),
        ("waad|2", "fabrikam", false),
        ("auth0|signup", "Username-Password-Authentication", false),
    ] {
        profile(sub, connection);
        let me = server.me(&server.token(sub, claims.clone())).at("/data/me/id");
        assert_eq!(me == json!(ada), linked, "{sub} of {connection}: {me}");
        assert_eq!(server.user(sub).email_verified, linked, "{sub}");
    }
}
