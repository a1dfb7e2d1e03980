//! A socket is closed when its token expires, its user is blocked, its key is removed or the server stops.

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use vestibule::store::Actor;
use vestibule::user::Status;

use super::schema::{connect_with_token, machine, open, open_with_clock};
use crate::keys::{publish, refresh, token};
use crate::test_server::manual_clock;
use crate::tokens::{jwk, now};

#[test]
fn an_expired_token_closes_its_socket() {
    let clock = manual_clock();
    let (server, _) = open_with_clock(clock.clone(), &[]);
    let mut client = machine(&server);
    client.subscribe("1", "subscription { silence }");
    clock.advance(Duration::from_secs(2 * 3600));
    let (code, reason) = client.until_closed();
    assert!(code == 4403 && reason.starts_with("EXPIRED: "), "{code} {reason}");
}

#[test]
fn blocking_or_signing_out_a_user_closes_their_sockets() {
    let (server, _) = open(&[]);
    let mut clients: Vec<_> = ["auth0|1", "auth0|2"]
        .map(|sub| {
            server.auth0.add_user(sub, &format!("{}@example.com", &sub[6..]), true);
            let mut client = connect_with_token(&server, &server.token(sub, json!({"iat": now() - 5})));
            client.subscribe("1", "subscription { silence }");
            client.subscribe("2", "{ hello }");
            let id = client.receive()["payload"]["data"]["hello"].as_str().unwrap().parse().unwrap();
            assert_eq!(client.receive()["type"], "complete");
            (client, id)
        })
        .into();
    server.store().set_status(clients[0].1, Status::Blocked, &Actor::Cli).unwrap();
    server.store().sign_out_everywhere(clients[1].1, &Actor::Cli).unwrap();
    for ((client, _), reason) in clients.iter_mut().zip(["BLOCKED: ", "TOKEN_REVOKED: "]) {
        let (code, text) = client.until_closed();
        assert!(code == 4403 && text.starts_with(reason), "{code} {text}");
    }
}

#[test]
fn a_removed_key_closes_its_sockets_only() {
    let (server, _) = open(&[]);
    publish(&server, &[jwk("stub", true), jwk("next", false)]);
    refresh(&server);
    let mut old = connect_with_token(&server, &token(&server, "stub", true));
    let mut new = connect_with_token(&server, &token(&server, "next", false));
    old.subscribe("1", "subscription { silence }");
    publish(&server, &[jwk("next", false)]);
    refresh(&server);
    let (code, text) = old.until_closed();
    assert!(code == 4403 && text.starts_with("UNKNOWN_KEY: "), "{code} {text}");
    new.subscribe("1", "{ hello }");
    assert_eq!(new.receive()["type"], "next");
    assert_eq!(new.receive()["type"], "complete");

    // Another key under the same `kid`.
    publish(&server, &[jwk("next", true)]);
    refresh(&server);
    let (code, text) = new.until_closed();
    assert!(code == 4403 && text.starts_with("UNKNOWN_KEY: "), "{code} {text}");
}

#[test]
fn a_drain_completes_operations_ends_subscriptions_and_starts_nothing() {
    let (mut server, probe) = open(&[]);
    let (mut busy, mut idle) = (machine(&server), machine(&server));
    busy.subscribe("1", "mutation { waits }");
    busy.subscribe("2", "subscription { silence }");
    probe.wait_until_started(&server);
    probe.wait_until_started(&server);
    let runtime = server.runtime.handle().clone();
    std::thread::scope(|scope| {
        let client = scope.spawn(move || {
            assert_eq!(idle.until_closed().0, 1001, "the drain closes idle sockets");
            runtime.block_on(probe.wait_until_dropped());
            busy.subscribe("3", "{ hello }");
            probe.release();
            let data = json!({"data": {"waits": true}});
            assert_eq!(busy.receive(), json!({"type": "next", "id": "1", "payload": data}));
            assert_eq!(busy.receive(), json!({"type": "complete", "id": "1"}));
            match busy.next() {
                Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 1001),
                other => panic!("{other:?}"),
            }
        });
        server.close();
        client.join().unwrap();
    });
}

#[test]
fn a_drain_waits_for_operations_up_to_its_limit() {
    let (mut server, probe) = open(&["http.drain=300ms"]);
    let mut busy = machine(&server);
    busy.subscribe("1", "mutation { waits }");
    probe.wait_until_started(&server);
    std::thread::scope(|scope| {
        let client = scope.spawn(move || busy.until_closed());
        server.close();
        assert_eq!(client.join().unwrap().0, 1001);
    });
}
