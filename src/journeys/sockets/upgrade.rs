//! The upgrade of a connection to a WebSocket (RFC 6455 §4.2), and messages larger than a connection's buffer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::json;

use super::schema::{machine, open};
use crate::waiting::DEADLINE;

/// The example of RFC 6455 §1.3.
const KEY: &str = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
const CONNECTION: &str = "connection: Upgrade";
const UPGRADE: &str = "upgrade: websocket";
const VERSION: &str = "sec-websocket-version: 13";

/// The head of the answer to a request with these header lines.
fn answer(door: SocketAddr, start: &str, headers: &[&str]) -> String {
    let mut stream = TcpStream::connect(door).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let lines = headers.join("\r\n");
    let protocol = "sec-websocket-protocol: other, graphql-transport-ws";
    write!(stream, "{start}\r\nhost: x\r\n{protocol}\r\n{lines}\r\n\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn an_upgrade_is_answered_as_rfc_6455_says() {
    let (server, _) = open(&[]);
    let get = |headers: &[&str]| answer(server.doors().public(), "GET /graphql HTTP/1.1", headers);
    let head = get(&[CONNECTION, UPGRADE, VERSION, KEY]);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    for line in [
        "connection: upgrade",
        UPGRADE,
        "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "sec-websocket-protocol: graphql-transport-ws",
    ] {
        assert!(head.lines().any(|sent| sent == line), "{line}: {head}");
    }
    for connection in [
        "connection: keep-alive, UPGRADE",
        "connection: upgrade,keep-alive",
        "connection: x\r\nconnection: upgrade",
    ] {
        let head = get(&[connection, "upgrade: WebSocket", VERSION, KEY]);
        assert!(head.starts_with("HTTP/1.1 101 "), "{connection}: {head}");
    }
}

#[test]
fn a_request_without_a_whole_upgrade_is_an_ordinary_one() {
    let (server, _) = open(&[]);
    let status = |start: &str, headers: &[&str]| {
        let head = answer(server.doors().public(), start, headers);
        head.split(' ').nth(1).unwrap().to_owned()
    };
    let get = "GET /graphql HTTP/1.1";
    let ordinary = status(get, &[]);
    for headers in [
        &[UPGRADE, VERSION, KEY][..],
        &["connection: keep-alive", UPGRADE, VERSION, KEY],
        &[CONNECTION, VERSION, KEY],
        &[CONNECTION, "upgrade: h2c", VERSION, KEY],
        &[CONNECTION, UPGRADE, KEY],
        &[CONNECTION, UPGRADE, "sec-websocket-version: 8", KEY],
        &[CONNECTION, UPGRADE, VERSION],
    ] {
        assert_eq!(status(get, headers), ordinary, "{headers:?}");
    }
    let all = [CONNECTION, UPGRADE, VERSION, KEY];
    assert_eq!(status("GET /graphql HTTP/1.0", &all), ordinary);
    assert_eq!(status("POST /graphql HTTP/1.1", &all), status("POST /graphql HTTP/1.1", &[]));
    assert_ne!(ordinary, "101");
}

#[test]
fn messages_larger_than_the_buffer_arrive_whole() {
    let (server, _) = open(&[]);
    let mut client = machine(&server);
    for (id, padding) in [("a", 5_000), ("b", 60_000), ("c", 0), ("d", 4_096)] {
        let query = format!("{{ hello }} {}", " ".repeat(padding));
        client.send(json!({"type": "subscribe", "id": id, "payload": {"query": query}}));
        assert_eq!(client.receive()["payload"]["data"]["hello"], "machine", "{padding}");
        assert_eq!(client.receive()["type"], "complete");
    }
}
