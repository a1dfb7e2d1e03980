//! The subscriptions of both schemas, over a socket: what changes is told, and only to whom may know.

use serde_json::json;
use vestibule::store::{Actor, UserUpdate};
use vestibule::user::{Status, UserId};

use crate::socket::Socket;
use crate::test_server::TestServer;

/// A client that was let in with `token`, and subscribed.
fn subscribed(server: &TestServer, internal: bool, token: &str, query: &str) -> Socket {
    let address = if internal { server.doors().internal() } else { server.doors().public() };
    let mut client = Socket::with(&server.runtime, address, token);
    client.subscribe("1", query);
    client
}

fn rename(server: &TestServer, user: UserId, name: String) {
    let update = UserUpdate { nickname: Some(Some(name)), ..UserUpdate::default() };
    server.store().update(user, &update, &Actor::Cli).unwrap();
}

#[test]
fn people_receive_events_for_their_own_changes_only() {
    let server = TestServer::open(&[]);
    let (ada, bob) = (server.insert_person("ada").id, server.insert_person("bob").id);
    let token = server.token("auth0|ada", json!({}));
    let mut client = subscribed(&server, false, &token, "subscription { meChanged { id nickname } }");
    let heard = client.first(|turn| {
        rename(&server, bob, format!("bob {turn}"));
        rename(&server, ada, format!("ada {turn}"));
    });
    let me = &heard["data"]["meChanged"];
    assert_eq!(me["id"], json!(ada), "{heard}");
    assert!(me["nickname"].as_str().unwrap().starts_with("ada "), "{heard}");
}

#[test]
fn staff_receive_events_for_users_and_audit_events() {
    let server = TestServer::open(&[]);
    let (ada, bob) = (server.insert_person("ada").id, server.insert_person("bob").id);
    let token = server.machine_token("users:read audit:read");
    let one =
        format!("subscription {{ userChanged(id: \"{ada}\") {{ id nickname identities {{ auth0Id }} }} }}");
    let heard = subscribed(&server, true, &token, &one).first(|turn| {
        rename(&server, bob, format!("bob {turn}"));
        rename(&server, ada, format!("ada {turn}"));
    });
    assert_eq!(heard["data"]["userChanged"]["id"], json!(ada), "{heard}");
    assert_eq!(heard["data"]["userChanged"]["identities"][0]["auth0Id"], "auth0|ada");

    let all = "subscription { userChanged { id status } }";
    let heard = subscribed(&server, true, &token, all).first(|turn| {
        let status = if turn % 2 == 0 { Status::Blocked } else { Status::Active };
        server.store().set_status(bob, status, &Actor::Cli).unwrap();
    });
    assert_eq!(heard["data"]["userChanged"]["id"], json!(bob), "{heard}");

    let lines = "subscription { auditEventAdded(filter: {action: \"user.roles_set\"}) { action user { id } actor { kind } } }";
    let heard = subscribed(&server, true, &token, lines).first(|turn| {
        rename(&server, ada, format!("again {turn}"));
        server.store().set_roles(ada, &[format!("role-{turn}")], &Actor::Cli).unwrap();
    });
    let line = json!({"action": "user.roles_set", "user": {"id": ada}, "actor": {"kind": "CLI"}});
    assert_eq!(heard["data"]["auditEventAdded"], line, "{heard}");
}

#[test]
fn a_subscription_needs_its_permission() {
    let server = TestServer::open(&[]);
    let lines = "subscription { auditEventAdded { action } }";
    let reader = server.machine_token("users:read");
    let refused = subscribed(&server, true, &reader, lines).hear();
    let text = refused.to_string();
    assert!(text.contains("NOT_PERMITTED") && text.contains("audit:read"), "{text}");
    let machine = server.public_machine_token();
    let mine = "subscription { meChanged { id } }";
    let refused = subscribed(&server, false, &machine, mine).hear();
    assert!(refused.to_string().contains("NOT_PERMITTED"), "{refused}");
}
