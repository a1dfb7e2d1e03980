//! Subscriptions of both schemas over WebSockets: events reach the callers who may see them.

use serde_json::json;
use vestibule::store::{Actor, NewDeployment, UserUpdate};
use vestibule::user::{Status, UserId};

use crate::socket::Socket;
use crate::test_server::TestServer;

/// Connects with `token` and subscribes.
fn subscribed(server: &TestServer, internal: bool, token: &str, query: &str) -> Socket {
    let address = if internal { server.doors().internal() } else { server.doors().public() };
    let mut client = Socket::connect_with_token(&server.runtime, address, token);
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
    let event = client.first_event(|turn| {
        rename(&server, bob, format!("bob {turn}"));
        rename(&server, ada, format!("ada {turn}"));
    });
    let me = &event["data"]["meChanged"];
    assert_eq!(me["id"], json!(ada), "{event}");
    assert!(me["nickname"].as_str().unwrap().starts_with("ada "), "{event}");
}

#[test]
fn staff_receive_events_for_users_and_audit_events() {
    let server = TestServer::open(&[]);
    let (ada, bob) = (server.insert_person("ada").id, server.insert_person("bob").id);
    let token = server.machine_token("users:read audit:read");
    let one =
        format!("subscription {{ userChanged(id: \"{ada}\") {{ id nickname identities {{ auth0Id }} }} }}");
    let event = subscribed(&server, true, &token, &one).first_event(|turn| {
        rename(&server, bob, format!("bob {turn}"));
        rename(&server, ada, format!("ada {turn}"));
    });
    assert_eq!(event["data"]["userChanged"]["id"], json!(ada), "{event}");
    assert_eq!(event["data"]["userChanged"]["identities"][0]["auth0Id"], "auth0|ada");

    let all = "subscription { userChanged { id status } }";
    let event = subscribed(&server, true, &token, all).first_event(|turn| {
        let status = if turn % 2 == 0 { Status::Blocked } else { Status::Active };
        server.store().set_status(bob, status, &Actor::Cli).unwrap();
    });
    assert_eq!(event["data"]["userChanged"]["id"], json!(bob), "{event}");

    let lines = "subscription { auditEventAdded(filter: {action: \"user.roles_set\"}) { action user { id } actor { kind } } }";
    let event = subscribed(&server, true, &token, lines).first_event(|turn| {
        rename(&server, ada, format!("again {turn}"));
        server.store().set_roles(ada, &[format!("role-{turn}")], &Actor::Cli).unwrap();
    });
    let line = json!({"action": "user.roles_set", "user": {"id": ada}, "actor": {"kind": "CLI"}});
    assert_eq!(event["data"]["auditEventAdded"], line, "{event}");
}

#[test]
fn staff_receive_events_for_deployments() {
    let server = TestServer::open(&[]);
    let deploy = |tenant: &str| {
        let new = NewDeployment {
            tenant: tenant.to_owned(),
            target: "staging".to_owned(),
            git_ref: Some("develop".to_owned()),
            commit: None,
            actor: Actor::Webhook(Some("ada".to_owned())),
            untested: false,
            undoes: None,
        };
        let id = server.store().begin_deployment(&new).unwrap();
        server.store().end_deployment(id, &new.actor, Err("a test failed")).unwrap();
    };
    let token = server.machine_token("users:read deploy:read");
    let changes =
        "subscription { deploymentChanged(tenant: \"b.example\") { tenant outcome failure actor { kind } } }";
    let mut client = subscribed(&server, true, &token, changes);
    let event = client.first_event(|_| {
        deploy("a.example");
        deploy("b.example");
    });
    let change = &event["data"]["deploymentChanged"];
    assert_eq!(
        (&change["tenant"], &change["actor"]["kind"]),
        (&json!("b.example"), &json!("WEBHOOK")),
        "{event}"
    );
    let reader = server.machine_token("users:read audit:read");
    let refused = subscribed(&server, true, &reader, changes).receive().to_string();
    assert!(refused.contains("NOT_PERMITTED") && refused.contains("deploy:read"), "{refused}");
}

#[test]
fn a_subscription_needs_its_permission() {
    let server = TestServer::open(&[]);
    let lines = "subscription { auditEventAdded { action } }";
    let reader = server.machine_token("users:read");
    let refused = subscribed(&server, true, &reader, lines).receive();
    let text = refused.to_string();
    assert!(text.contains("NOT_PERMITTED") && text.contains("audit:read"), "{text}");
    let machine = server.public_machine_token();
    let mine = "subscription { meChanged { id } }";
    let refused = subscribed(&server, false, &machine, mine).receive();
    assert!(refused.to_string().contains("NOT_PERMITTED"), "{refused}");
}

#[test]
fn a_sign_out_is_answered_before_its_socket_closes() {
    let server = TestServer::open(&[]);
    server.insert_person("ada");
    let token = server.token("auth0|ada", json!({}));
    let mut client = subscribed(&server, false, &token, "subscription { meChanged { id } }");
    client.send(json!({"type": "subscribe", "id": "2", "payload":
        {"query": "mutation { signOutEverywhere(input: {}) { tokensValidFrom } }"}}));
    let (code, messages) = client.until_closed_with_events();
    assert_eq!(code, 4403);
    let answer = json!({"type": "complete", "id": "2"});
    assert!(messages.contains(&answer), "{messages:?}");
    assert!(messages.iter().all(|message| message["id"] == "2"), "no event: {messages:?}");
}
