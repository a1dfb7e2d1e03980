//! The same over WebSockets: equal messages, and where the stock filter deviates.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::stock::Stock;
use crate::socket::{PROTOCOL, Socket};
use crate::test_server::TestServer;

/// A connection that sent `connection_init` with `token` and was acknowledged.
fn connected(server: &TestServer, address: SocketAddr, token: &str) -> Socket {
    let mut socket = Socket::uninitialized(&server.runtime, address);
    socket.send(json!({"type": "connection_init", "payload": {"token": token}}));
    assert_eq!(next(&mut socket), json!({"type": "connection_ack"}));
    socket
}

/// The next message, but for the pongs that the stock filter sends unasked.
fn next(socket: &mut Socket) -> Value {
    loop {
        let message = socket.receive();
        if message["type"] != "pong" {
            return message;
        }
    }
}

/// The messages of one operation until it ends with `complete` or `error`.
fn run(socket: &mut Socket, query: &str) -> Vec<Value> {
    socket.subscribe("1", query);
    let mut messages = vec![next(socket)];
    while !["complete", "error"].contains(&messages[messages.len() - 1]["type"].as_str().unwrap()) {
        messages.push(next(socket));
    }
    messages
}

#[test]
fn queries_and_mutations_get_the_messages_of_the_stock_filter() {
    let server = TestServer::open(&[]);
    let stock = Stock::start(&server);
    server.insert_person("ada");
    let token = server.token("auth0|ada", json!({}));
    let mut ours = connected(&server, server.doors().public(), &token);
    let mut theirs = connected(&server, stock.public, &token);
    for query in [
        "{ me { id name email } viewer { kind permissions } }",
        "mutation { updateMe(input: {name: \"Žofie 🐙\"}) { me { name } } }",
        "mutation { acceptTerms(input: {version: \"no good\"}) { me { id } } }",
    ] {
        assert_eq!(run(&mut ours, query), run(&mut theirs, query), "{query}");
    }
}

#[test]
fn an_invalid_operation_ends_with_error_alone() {
    let server = TestServer::open(&[]);
    let stock = Stock::start(&server);
    let token = server.public_machine_token();
    let mut ours = connected(&server, server.doors().public(), &token);
    let mut theirs = connected(&server, stock.public, &token);
    for query in ["{ nothing }", "{", "subscription { nothing }"] {
        assert_eq!(run(&mut ours, query), run(&mut theirs, query), "{query}");
        // The protocol lets `error` end the operation: the client may use the id again before this arrives.
        assert_eq!(next(&mut theirs), json!({"type": "complete", "id": "1"}), "{query}");
    }
    assert_eq!(run(&mut ours, "{ __typename }")[0]["type"], "next");
}

#[test]
fn the_stock_filter_waits_for_connection_init_without_end_and_takes_it_twice() {
    let server = TestServer::open(&["public.socket.init=300ms"]);
    let stock = Stock::start(&server);
    let token = server.public_machine_token();
    let silent = |address| Socket::uninitialized(&server.runtime, address);
    let (mut theirs, mut ours) = (silent(stock.public), silent(server.doors().public()));
    // Connection initialisation timeout.
    assert_eq!(ours.until_closed().0, 4408);
    let init = json!({"type": "connection_init", "payload": {"token": token}});
    theirs.send(init.clone());
    assert_eq!(next(&mut theirs), json!({"type": "connection_ack"}));
    // Too many initialisation requests.
    let mut ours = connected(&server, server.doors().public(), &token);
    for socket in [&mut ours, &mut theirs] {
        socket.send(init.clone());
    }
    assert_eq!(ours.until_closed().0, 4429);
    assert_eq!(run(&mut theirs, "{ __typename }")[0]["payload"], json!({"data": {"__typename": "Query"}}));
}

#[test]
fn the_stock_filter_s_sockets_have_no_limits_and_no_trusted_documents() {
    let documents = tempfile::tempdir().unwrap();
    let server = TestServer::open(&[
        &format!("public.documents.dir={}", documents.path().display()),
        "public.documents.only=true",
        "internal.limits.cost=100",
        "internal.socket.operations=1",
    ]);
    let stock = Stock::start(&server);
    let expensive = "{ users(first: 100) { nodes { id email name } } }";
    for (door, stock, token, query, code) in [
        (
            server.doors().public(),
            stock.public,
            server.public_machine_token(),
            "{ __typename }",
            "DOCUMENT_NOT_TRUSTED",
        ),
        (
            server.doors().internal(),
            stock.internal,
            server.machine_token("users:read"),
            expensive,
            "LIMIT_EXCEEDED",
        ),
    ] {
        let ours = run(&mut connected(&server, door, &token), query);
        assert_eq!(ours[0]["payload"][0]["extensions"]["code"], code);
        let theirs = run(&mut connected(&server, stock, &token), query);
        assert_eq!(theirs[0]["type"], "next", "{theirs:?}");
    }
    // Operations of one connection.
    let many = |mut socket: Socket| {
        for id in ["1", "2"] {
            socket.subscribe(id, "subscription { userChanged { id } }");
        }
        socket.subscribe("3", "{ __typename }");
        next(&mut socket)["type"].clone()
    };
    let token = server.machine_token("users:read");
    assert_eq!(many(connected(&server, server.doors().internal(), &token)), "error");
    assert_eq!(many(connected(&server, stock.internal, &token)), "next");
}

/// And names its own in the answer, whichever the client asked for, so that clients break off.
#[test]
fn the_stock_filter_accepts_any_subprotocol() {
    let server = TestServer::open(&[]);
    let stock = Stock::start(&server);
    let connect = |address: SocketAddr| {
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        request.headers_mut().insert(PROTOCOL.0, "soap".parse().unwrap());
        server.runtime.block_on(async {
            let stream = TcpStream::connect(address).await.unwrap();
            tokio_tungstenite::client_async(request, stream).await.map(drop).unwrap_err()
        })
    };
    let theirs = connect(stock.public);
    assert!(theirs.to_string().contains("Server sent an invalid subprotocol"), "{theirs}");
    let ours = connect(server.doors().public());
    assert!(matches!(&ours, Error::Http(answer) if answer.status() == 400), "{ours}");
}
