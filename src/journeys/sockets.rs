//! WebSockets at a door: the protocol and the limits.

mod closing;
mod schema;
mod upgrade;

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::socket::{PROTOCOL, Socket};
use crate::test_server::{TestServer, manual_clock};
use crate::tokens::now;
use crate::waiting::{DEADLINE, wait_until};
use schema::{Probe, connect_with_token, machine, open, open_with_clock, uninitialized};

#[test]
fn a_socket_runs_queries_mutations_and_subscriptions() {
    let (server, _) = open(&[]);
    let mut client = machine(&server);
    client.subscribe("1", "{ hello }");
    assert_eq!(
        client.receive(),
        json!({"type": "next", "id": "1", "payload": {"data": {"hello": "machine"}}})
    );
    assert_eq!(client.receive(), json!({"type": "complete", "id": "1"}));
    let payload = json!({"query": "mutation ($n: Int!) { double(number: $n) }", "variables": {"n": 21}});
    client.send(json!({"type": "subscribe", "id": "2", "payload": payload}));
    assert_eq!(client.receive()["payload"]["data"]["double"], 42);
    assert_eq!(client.receive()["type"], "complete");
    client.subscribe("3", "subscription { n: count(to: 3) }");
    for n in 0..3 {
        assert_eq!(client.receive(), json!({"type": "next", "id": "3", "payload": {"data": {"n": n}}}));
    }
    assert_eq!(client.receive(), json!({"type": "complete", "id": "3"}));
    client.send(json!({"type": "ping", "payload": {"any": 1}}));
    assert_eq!(client.receive(), json!({"type": "pong"}));
    // The client completes an operation, and can use its id again.
    client.subscribe("3", "subscription { silence }");
    client.send(json!({"type": "complete", "id": "3"}));
    client.subscribe("3", "{ hello }");
    assert_eq!(client.receive()["id"], "3");
}

#[test]
fn a_failed_operation_does_not_close_the_socket() {
    let (server, _) = open(&["public.limits.cost=100", "public.limits.response=400"]);
    let mut client = machine(&server);
    for (query, code) in [
        ("{ nothing }", None),
        ("{", None),
        ("{ many(first: 300) }", None),
        ("subscription { count(to: 1) silence }", Some("BAD_REQUEST")),
        ("subscription { __typename }", Some("BAD_REQUEST")),
        ("{ panics }", Some("INTERNAL")),
        ("subscription { panics }", Some("INTERNAL")),
    ] {
        client.subscribe("1", query);
        let message = client.receive();
        if message["type"] == "next" {
            // Cheap, but its response is too long.
            assert_eq!(message["payload"]["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED", "{message}");
            assert_eq!(client.receive()["type"], "complete");
            continue;
        }
        assert_eq!(
            (message["type"].as_str(), message["id"].as_str()),
            (Some("error"), Some("1")),
            "{query}: {message}"
        );
        assert_eq!(message["payload"][0]["extensions"]["code"].as_str(), code, "{query}: {message}");
    }
    client.subscribe("1", "subscription { refused }");
    let refused = client.receive();
    assert_eq!(refused["payload"]["errors"][0]["extensions"]["code"], "NOT_PERMITTED", "{refused}");
    assert_eq!(client.receive()["type"], "complete");
    client.subscribe("1", "{ hello }");
    assert_eq!(client.receive()["type"], "next", "the connection stays open");
}

#[test]
fn a_client_that_breaks_the_protocol_is_closed_with_its_code() {
    assert_eq!(uninitialized(&open(&["public.socket.init=300ms"]).0).until_closed().0, 4408);
    let (server, _) = open(&["public.socket.message=1000"]);
    let init = |payload: Value| json!({"type": "connection_init", "payload": payload});
    let close_code = |messages: &[Value]| {
        let mut client = uninitialized(&server);
        messages.iter().for_each(|message| client.send(message.clone()));
        client.until_closed()
    };
    let good = init(json!({"token": server.public_machine_token()}));
    let silence =
        |id: &str| json!({"type": "subscribe", "id": id, "payload": {"query": "subscription { silence }"}});
    assert_eq!(close_code(&[good.clone(), good.clone()]).0, 4429);
    assert_eq!(close_code(&[silence("1")]).0, 4401);
    assert_eq!(close_code(&[good.clone(), silence("1"), silence("1")]).0, 4409);
    for nonsense in [json!(7), json!({"type": "start"}), json!({"type": "subscribe", "id": 1, "payload": {}})]
    {
        assert_eq!(close_code(&[good.clone(), nonsense.clone()]).0, 4400, "{nonsense}");
    }
    let no_request = json!({"type": "subscribe", "id": "1", "payload": {"query": 7}});
    assert_eq!(close_code(&[good.clone(), no_request]).0, 4400);
    assert_eq!(close_code(&[init(json!({"x": "y".repeat(1_100)}))]).0, 1009);
    assert_eq!(close_code(&[json!({"type": "connection_init", "payload": "opaque"})]).0, 4400);
    let (code, _) = close_code(&[init(json!({"x": "y".repeat(1_000_000)}))]);
    assert!([1009, 1006].contains(&code), "{code}: cut off while it arrives");
    // Masked frames: one with a reserved bit, a text that is not UTF-8, and one whose announced length is over the limit.
    for (frame, code) in [
        (&[0xc1, 0x80, 0, 0, 0, 0][..], 1002),
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        (&[0x81, 0xfe, 0xff, 0xff, 0, 0, 0, 0], 1009),
    ] {
        let mut client = uninitialized(&server);
        client.send_bytes(frame);
        assert_eq!(client.until_closed().0, code, "{frame:?}");
    }
    assert_eq!(uninitialized(&server).close().0, 1000, "a client's close frame is answered");

    let expired = server.token("auth0|1", json!({"exp": now() - 60}));
    for (payload, reason) in [
        (Value::Null, "NO_TOKEN: "),
        (json!({"Authorization": format!("Bearer {expired}")}), "EXPIRED: "),
        (json!({"token": server.machine_token("users:read")}), "WRONG_AUDIENCE: "),
    ] {
        let (code, reason_sent) = close_code(&[init(payload)]);
        assert!(code == 4403 && reason_sent.starts_with(reason), "{code} {reason_sent}");
    }
}

#[test]
fn only_a_socket_without_a_credential_is_anonymous() {
    let (server, _) = open(&["public.anonymous=true"]);
    let token = server.public_machine_token();
    let expired = server.token("auth0|1", json!({"exp": now() - 60}));
    let bearer = |token: &str| format!("Bearer {token}");
    for credential in
        [bearer(&token), bearer(&expired), bearer("opaque"), token.clone(), "Basic dTpw".to_owned()]
    {
        let headers = [PROTOCOL, ("authorization", credential.as_str())];
        let refused = Socket::connect(&server.runtime, server.doors().public(), &headers).err();
        assert!(matches!(refused, Some(400 | 401)), "{refused:?}");
    }
    let address = server.doors().public();
    assert_eq!(
        Socket::connect_to(&server.runtime, address, "?access_token=a.b.c", &[PROTOCOL]).err(),
        Some(400)
    );

    let first = |payload: Value| {
        let mut client = uninitialized(&server);
        client.send(json!({"type": "connection_init", "payload": payload}));
        client.next()
    };
    for payload in [
        json!({"Authorization": bearer(&expired)}),
        json!({"Authorization": token}),
        json!({"token": expired}),
        json!({"headers": {"Authorization": bearer(&expired)}}),
        json!({"jwt": token}),
        json!({"Authorization": "Basic dTpw"}),
    ] {
        let answer = first(payload.clone());
        assert!(
            matches!(&answer, Message::Close(Some(close)) if u16::from(close.code) == 4403),
            "{payload}: {answer}"
        );
    }
    for payload in [Value::Null, json!({}), json!({"headers": {"Authorization": bearer(&token)}})] {
        let answer = first(payload.clone());
        assert!(
            matches!(&answer, Message::Text(text) if text.contains("connection_ack")),
            "{payload}: {answer}"
        );
    }
}

#[test]
fn a_token_within_its_leeway_is_accepted_over_http_and_websockets() {
    let clock = manual_clock();
    let (server, _) = open_with_clock(clock.clone(), &["claims.leeway=30s"]);
    let lapsed = clock.now().as_second() - 10;
    let token = server.token("m1@clients", json!({"gty": "client-credentials", "azp": "m1", "exp": lapsed}));
    assert_eq!(server.ask_public(token.as_str(), "{ hello }").status, 200);
    let mut client = connect_with_token(&server, &token);
    // Longer than the interval of the checks.
    server.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1_200)).await });
    client.subscribe("1", "{ hello }");
    assert_eq!(client.receive()["type"], "next");
    clock.advance(Duration::from_secs(21));
    assert_eq!(server.ask_public(token.as_str(), "{ hello }").code().as_deref(), Some("EXPIRED"));
    let (code, reason) = client.until_closed();
    assert!(code == 4403 && reason.starts_with("EXPIRED: "), "{code} {reason}");
}

#[test]
fn a_socket_needs_the_protocol_an_allowed_origin_and_a_free_place() {
    let (server, _) = open(&["public.origins=[\"https://app.example\"]", "public.socket.connections=2"]);
    let own = format!("http://{}", server.doors().public());
    let connect =
        |headers: &[(&'static str, &str)]| Socket::connect(&server.runtime, server.doors().public(), headers);
    let refused = |headers: &[(&'static str, &str)]| connect(headers).err();
    assert_eq!(refused(&[]), Some(400));
    assert_eq!(refused(&[("sec-websocket-protocol", "graphql-ws")]), Some(400));
    assert_eq!(refused(&[PROTOCOL, ("origin", "https://evil.example")]), Some(403));
    let init = json!({"type": "connection_init", "payload": {"token": server.public_machine_token()}});
    let open = |origin: &str| {
        let mut client = connect(&[PROTOCOL, ("origin", origin)]).ok().unwrap();
        client.send(init.clone());
        assert_eq!(client.receive()["type"], "connection_ack");
        client
    };
    let (_known, _own) = (open("https://app.example"), open(&own));
    assert_eq!(refused(&[PROTOCOL]), Some(503), "over the limit of connections");
}

#[test]
fn sockets_without_an_accepted_init_have_a_tenth_of_the_places() {
    let (server, _) = open(&["public.socket.connections=20"]);
    let connect = || Socket::connect(&server.runtime, server.doors().public(), &[PROTOCOL]);
    let mut silent: Vec<_> = (0..2).map(|_| connect().ok().unwrap()).collect();
    assert_eq!(connect().err(), Some(503), "a third without an init");
    silent[0].send(json!({"type": "connection_init", "payload": {"token": server.public_machine_token()}}));
    assert_eq!(silent[0].receive()["type"], "connection_ack");
    let _third = connect().ok().unwrap();
    assert_eq!(connect().err(), Some(503));
    silent.pop();
    wait_until("the place of a closed socket is free", || connect().is_ok());
}

#[test]
fn a_caller_has_a_share_of_the_sockets() {
    let (server, _) = open(&["public.socket.per_caller=2", "public.anonymous=true"]);
    let tokens = [
        server.public_machine_token(),
        server.token("m2@clients", json!({"gty": "client-credentials", "azp": "m2"})),
        server.token("auth0|1", json!({})),
    ];
    server.auth0.add_user("auth0|1", "a@example.com", true);
    let mut open: Vec<_> =
        tokens.iter().flat_map(|token| [token; 2].map(|token| connect_with_token(&server, token))).collect();
    for token in &tokens {
        let mut third = uninitialized(&server);
        third.send(json!({"type": "connection_init", "payload": {"token": token}}));
        let (code, reason) = third.until_closed();
        assert!(code == 1013 && reason.contains("socket.per_caller"), "{code} {reason}");
    }
    for _ in 0..4 {
        let mut anonymous = uninitialized(&server);
        anonymous.send(json!({"type": "connection_init"}));
        assert_eq!(anonymous.receive()["type"], "connection_ack", "anonymous callers have no share");
        open.push(anonymous);
    }
    assert_eq!(open[0].close().0, 1000);
    wait_until("the place of the closed socket is free", || {
        let mut next = uninitialized(&server);
        next.send(json!({"type": "connection_init", "payload": {"token": tokens[0]}}));
        matches!(next.next(), Message::Text(_))
    });
}

#[test]
fn the_twenty_first_concurrent_operation_is_refused() {
    let (server, _) = open(&[]);
    let mut client = machine(&server);
    for id in 1..=21 {
        client.subscribe(&id.to_string(), "subscription { silence }");
    }
    let refused = client.receive();
    assert_eq!((refused["type"].as_str(), refused["id"].as_str()), (Some("error"), Some("21")), "{refused}");
    assert!(refused["payload"][0]["message"].as_str().unwrap().contains("socket.operations"), "{refused}");
    client.send(json!({"type": "complete", "id": "7"}));
    client.subscribe("22", "{ hello }");
    assert_eq!(client.receive()["id"], "22");
}

#[test]
fn a_completed_subscription_ends_and_frees_its_place() {
    let (server, probe) = open(&["public.socket.operations=2"]);
    let mut client = machine(&server);
    for round in 0..3 {
        for id in ["a", "b"] {
            client.subscribe(id, "subscription { silence }");
            probe.wait_until_started(&server);
        }
        for id in ["a", "b"] {
            client.send(json!({"type": "complete", "id": id}));
            server.runtime.block_on(async {
                tokio::time::timeout(DEADLINE, probe.wait_until_dropped())
                    .await
                    .unwrap_or_else(|_| panic!("round {round}: the completed subscription {id} runs on"));
            });
        }
    }
}

/// Waits until the buffers of both sockets are full and no more events are made. Returns how many were made.
fn made_until_paused(server: &TestServer, probe: &Probe) -> usize {
    let mut before = 0;
    wait_until("no more events are made", || {
        server.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(300)).await });
        let so_far = probe.made.load(Ordering::SeqCst);
        assert!(so_far < 1_000, "events are made without limit");
        so_far > 0 && so_far == std::mem::replace(&mut before, so_far)
    });
    before
}

#[test]
fn no_event_of_an_old_subscription_reaches_its_successor() {
    let (server, probe) = open(&[]);
    let mut client = machine(&server);
    client.subscribe("1", "subscription { flood }");
    // The client does not read, so that events of the first subscription wait when the second one begins.
    made_until_paused(&server, &probe);
    client.send(json!({"type": "complete", "id": "1"}));
    client.send(json!({"type": "ping"}));
    client.subscribe("1", "subscription { silence }");
    client.subscribe("2", "{ hello }");
    while client.receive()["type"] != "pong" {}
    let after: Vec<_> = std::iter::repeat_with(|| client.receive())
        .take_while(|message| message["id"] != "2")
        .filter(|message| message["type"] == "next")
        .collect();
    assert!(after.is_empty(), "{} events of the first subscription came after its end", after.len());
}

#[test]
fn a_client_that_does_not_read_pauses_its_events() {
    let (server, probe) = open(&[]);
    let mut client = machine(&server);
    client.subscribe("1", "subscription { flood }");
    let before = made_until_paused(&server, &probe);
    for _ in 0..before {
        assert_eq!(client.receive()["type"], "next");
    }
    assert!(probe.made.load(Ordering::SeqCst) > before, "events continue once the client reads");
}

#[test]
fn a_panicking_resolver_fails_one_request_only() {
    let (server, _) = open(&[]);
    let token = server.public_machine_token();
    let ask = |query: &str| server.ask_public(token.as_str(), query);
    let failed = ask("{ panics }");
    assert_eq!((failed.status, failed.code().as_deref()), (500, Some("INTERNAL")), "{}", failed.body);
    assert_eq!(failed.at("/errors/0/extensions/requestId").as_str(), failed.header("x-request-id"));
    assert!(!failed.body.contains("the test's panic"), "{}", failed.body);
    assert_eq!(ask("{ hello }").status, 200);
    let one = ask("subscription { silence }");
    assert_eq!((one.status, one.code().as_deref()), (400, Some("BAD_REQUEST")), "{}", one.body);
}
