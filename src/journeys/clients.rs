//! Slow, broken and patient clients at a door's listener, and the drain.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use vestibule::clock::Clock;
use vestibule::pool::PoolError;

use crate::socket::{PROTOCOL, Socket};
use crate::test_server::TestServer;
use crate::waiting::{DEADLINE, wait_until};

/// The time limits of a listener.
const LIMITS: [&str; 4] = ["http.first_byte", "http.header", "http.body", "http.idle"];

/// Opens the doors with one short limit; the others are too long to matter.
fn open_limited(limit: &str, time: &str) -> TestServer {
    let set = LIMITS.map(|key| format!("{key}={}", if key == limit { time } else { "1h" }));
    TestServer::open(&set.each_ref().map(String::as_str))
}

fn connect(server: &TestServer) -> TcpStream {
    let stream = TcpStream::connect(server.doors().public()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Reads until the server closes the connection.
fn until_closed(mut stream: &TcpStream) -> String {
    let mut response = Vec::new();
    if let Err(error) = stream.read_to_end(&mut response) {
        // A reset closes the connection too.
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    String::from_utf8_lossy(&response).into_owned()
}

/// The head of a POST by a machine, up to its body.
fn head(server: &TestServer, length: usize, more: &str) -> String {
    let token = server.public_machine_token();
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n{more}\r\n"
    )
}

#[test]
fn a_connection_without_a_first_byte_is_closed() {
    let clock = Clock::system();
    let server = open_limited("http.first_byte", "300ms");
    assert_eq!(until_closed(&connect(&server)), "");
    assert!(clock.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_connection_with_endless_headers_is_closed() {
    let server = open_limited("http.header", "300ms");
    let mut stream = connect(&server);
    stream.write_all(b"POST /graphql HTTP/1.1\r\nhost: x\r\n").unwrap();
    assert_eq!(until_closed(&stream), "");
}

#[test]
fn an_endless_body_is_answered_408() {
    let server = open_limited("http.body", "300ms");
    let mut stream = connect(&server);
    stream.write_all(format!("{}{{", head(&server, 100, "connection: close\r\n")).as_bytes()).unwrap();
    let response = until_closed(&stream);
    assert!(response.starts_with("HTTP/1.1 408"), "{response}");
}

#[test]
fn a_refusal_does_not_wait_for_the_body() {
    let server = open_limited("", "");
    let mut stream = connect(&server);
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 401");
}

#[test]
fn an_idle_connection_outlives_the_other_limits_and_is_then_closed() {
    let server = TestServer::open(&["http.first_byte=2s", "http.header=2s", "http.body=2s", "http.idle=4s"]);
    let mut stream = connect(&server);
    for _ in 0..2 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut status = [0; 15];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200 OK");
        let mut rest = [0; 4096];
        let _ = stream.read(&mut rest).unwrap();
        // Longer than the limits that do not apply between two requests.
        server.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(2_200)).await });
    }
    assert_eq!(until_closed(&stream), "");
}

/// Whether the server closed a connection without a response.
fn is_closed(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    !matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn silent_clients_do_not_block_others() {
    let server = TestServer::open(&[]);
    let silent: Vec<_> = (0..100).map(|_| connect(&server)).collect();
    for (i, mut stream) in silent.iter().enumerate() {
        // Half of them send an incomplete request.
        stream.write_all(if i % 2 == 0 { b"" } else { b"POST /graphql HTTP/1.1\r\n" }).unwrap();
    }
    for _ in 0..10 {
        assert_eq!(server.me(&server.public_machine_token()).status, 200);
    }
}

#[test]
fn too_long_headers_are_refused_and_too_many_connections_closed() {
    let server = TestServer::open(&["http.connections=3", "http.first_byte=1h"]);
    let mut stream = connect(&server);
    // Exactly as much as the server reads: with unread data it would reset the connection after its response.
    let mut long = "GET /healthz HTTP/1.1\r\nhost: x\r\nx: ".to_owned();
    long.push_str(&"y".repeat(32 * 1024 - long.len()));
    stream.write_all(long.as_bytes()).unwrap();
    assert!(until_closed(&stream).starts_with("HTTP/1.1 431"));
    drop(stream);

    // One connection too many is closed without a response. Which one is open: connections that are made at once are not
    // always accepted in order.
    let open: Vec<_> = (0..4).map(|_| connect(&server)).collect();
    wait_until("a connection is closed", || open.iter().any(is_closed));
    let served = open.iter().filter(|stream| !is_closed(stream)).map(|mut stream| {
        stream.set_nonblocking(false).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
    });
    assert_eq!(served.count(), 3);
}

#[test]
fn a_drain_completes_the_running_request_and_accepts_no_other() {
    let mut server = TestServer::open(&["http.body=1h", "http.drain=1h"]);
    let address = server.doors().public();
    let mut stream = connect(&server);
    let body = json!({"query": "{ __typename }"}).to_string();
    stream.write_all(head(&server, body.len(), "expect: 100-continue\r\n").as_bytes()).unwrap();
    // The request is under way once the server asks for its body.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    let response = std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            wait_until("the door is shut", || TcpStream::connect(address).is_err());
            stream.write_all(body.as_bytes()).unwrap();
            let mut response = String::new();
            stream.read_to_string(&mut response).unwrap();
            response
        });
        server.close();
        client.join().unwrap()
    });
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert!(response.contains("\"__typename\":\"Query\""), "{response}");
}

#[test]
fn stopping_can_be_cut_short_while_a_job_runs() {
    let mut server = TestServer::open(&[]);
    let pool = server.doors().services().pool.clone();
    let (job, release) = server.occupy_thread();
    let doors = server.take_doors();
    let stopped = async {
        let second_signal = async {
            // Comes when the doors are closed and wait for the job.
            while pool.run(|| ()).await != Err(PoolError::Stopped) {}
        };
        tokio::select! {
            () = doors.stop() => panic!("stopped before the job ended"),
            () = second_signal => {}
        }
    };
    server.runtime.block_on(async { tokio::time::timeout(DEADLINE, stopped).await }).unwrap();
    release.send(()).unwrap();
    assert_eq!(server.runtime.block_on(job).unwrap(), Ok(()));
}

/// Whether the door answers on this connection.
fn is_served(server: &TestServer, mut stream: &TcpStream) -> bool {
    let request = format!("{}{{\"query\":\"{{__typename}}\"}}", head(server, 24, ""));
    let mut status = [0; 12];
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_exact(&mut status).is_ok()
        && &status[9..] == b"200"
}

#[test]
fn an_address_has_a_share_of_the_connections_and_sockets_count() {
    let server = TestServer::open(&["http.per_address=3", "http.first_byte=1h", "http.idle=1h"]);
    let address = server.doors().public();
    let socket = Socket::connect(&server.runtime, address, &[PROTOCOL]).ok().unwrap();
    let others = [connect(&server), connect(&server)];
    assert!(others.iter().all(|other| is_served(&server, other)));
    assert!(!is_served(&server, &connect(&server)), "over the share of the address");
    let mut internal = TcpStream::connect(server.doors().internal()).unwrap();
    internal.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut status = [0; 12];
    internal.read_exact(&mut status).unwrap();
    assert_eq!(&status[9..], b"200", "each listener has shares of its own");
    drop(socket);
    wait_until("the socket's place is free", || is_served(&server, &connect(&server)));
}

#[test]
fn a_thousand_silent_connections_to_one_door_leave_the_other_its_places() {
    let server = TestServer::open(&["http.per_address=0", "http.first_byte=1h"]);
    // As many as the door accepts, and more.
    let silent: Vec<_> = (0..1_100).map(|_| connect(&server)).collect();
    let answer = server.ask_internal(&server.machine_token("users:read"), "{ __typename }", json!(null));
    assert_eq!(answer.status, 200, "{}", answer.body);
    drop(silent);
}
