//! What ends a socket: its token, its user, its key, the server.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use vestibule::store::Actor;
use vestibule::user::Status;

use super::world::{machine, open, with};
use crate::keys::{publish, refresh, token};
use crate::stub::{Profile, jwk, now};

#[test]
fn a_token_that_ends_closes_its_socket() {
    let (yard, _) = open(&[]);
    let token = yard.token("m1@clients", json!({"gty": "client-credentials", "azp": "m1", "exp": now() + 2}));
    let mut client = with(&yard, &token);
    client.subscribe("1", "subscription { silence }");
    let (code, reason) = client.closed();
    assert!(code == 4403 && reason.starts_with("EXPIRED: "), "{code} {reason}");
}

#[test]
fn a_user_who_is_blocked_or_signed_out_is_put_out_while_subscribed() {
    let (yard, _) = open(&[]);
    let mut clients: Vec<_> = ["auth0|1", "auth0|2"]
        .map(|sub| {
            let profile = json!({"user_id": sub, "email": format!("{}@example.com", &sub[6..]), "email_verified": true});
            yard.stub.profile(sub, Profile::Is(profile));
            let mut client = with(&yard, &yard.token(sub, json!({"iat": now() - 5})));
            client.subscribe("1", "subscription { silence }");
            client.subscribe("2", "{ hello }");
            let id = client.hear()["payload"]["data"]["hello"].as_str().unwrap().parse().unwrap();
            assert_eq!(client.hear()["type"], "complete");
            (client, id)
        })
        .into();
    yard.store().set_status(clients[0].1, Status::Blocked, &Actor::Cli).unwrap();
    yard.store().sign_out_everywhere(clients[1].1, &Actor::Cli).unwrap();
    for ((client, _), reason) in clients.iter_mut().zip(["BLOCKED: ", "TOKEN_REVOKED: "]) {
        let (code, said) = client.closed();
        assert!(code == 4403 && said.starts_with(reason), "{code} {said}");
    }
}

#[test]
fn a_key_that_leaves_its_set_closes_the_sockets_it_let_in_and_no_other() {
    let (yard, _) = open(&[]);
    publish(&yard, &[jwk("stub", true), jwk("next", false)]);
    refresh(&yard);
    let mut old = with(&yard, &token(&yard, "stub", true));
    let mut new = with(&yard, &token(&yard, "next", false));
    old.subscribe("1", "subscription { silence }");
    publish(&yard, &[jwk("next", false)]);
    refresh(&yard);
    let (code, said) = old.closed();
    assert!(code == 4403 && said.starts_with("UNKNOWN_KEY: "), "{code} {said}");
    new.subscribe("1", "{ hello }");
    assert_eq!(new.hear()["type"], "next");
    assert_eq!(new.hear()["type"], "complete");

    // A key of the same name is another key.
    publish(&yard, &[jwk("next", true)]);
    refresh(&yard);
    let (code, said) = new.closed();
    assert!(code == 4403 && said.starts_with("UNKNOWN_KEY: "), "{code} {said}");
}

#[test]
fn a_drain_lets_operations_end_but_no_subscription_and_begins_nothing() {
    let (mut yard, world) = open(&[]);
    let (mut busy, mut idle) = (machine(&yard), machine(&yard));
    busy.subscribe("1", "mutation { waits }");
    busy.subscribe("2", "subscription { silence }");
    world.begun(&yard);
    world.begun(&yard);
    let runtime = yard.runtime.handle().clone();
    std::thread::scope(|scope| {
        let client = scope.spawn(move || {
            assert_eq!(idle.closed().0, 1001, "the drain has begun");
            runtime.block_on(world.ended());
            busy.subscribe("3", "{ hello }");
            world.free();
            let data = json!({"data": {"waits": true}});
            assert_eq!(busy.hear(), json!({"type": "next", "id": "1", "payload": data}));
            assert_eq!(busy.hear(), json!({"type": "complete", "id": "1"}));
            match busy.next() {
                Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 1001),
                other => panic!("{other:?}"),
            }
        });
        yard.close();
        client.join().unwrap();
    });
}

#[test]
fn a_drain_does_not_wait_for_an_operation_longer_than_it_may() {
    let (mut yard, world) = open(&["http.drain=300ms"]);
    let mut busy = machine(&yard);
    busy.subscribe("1", "mutation { waits }");
    world.begun(&yard);
    std::thread::scope(|scope| {
        let client = scope.spawn(move || busy.closed());
        yard.close();
        assert_eq!(client.join().unwrap().0, 1001);
    });
}
