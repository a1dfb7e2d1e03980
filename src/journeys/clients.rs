//! Slow, broken and patient clients at a door's listener; and what a drain does to them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use vestibule::clock::Clock;
use vestibule::pool::PoolError;

use crate::test_server::TestServer;

/// Short limits, far enough apart to tell which one it was.
const LIMITS: &[&str] =
    &["http.first_byte=300ms", "http.header=600ms", "http.body=900ms", "http.idle=1200ms"];

fn connect(server: &TestServer) -> TcpStream {
    let stream = TcpStream::connect(server.doors().public()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Reads until the server closes; gives what it said and how long that took.
fn until_closed(mut stream: &TcpStream) -> (String, Duration) {
    let clock = Clock::system();
    let mut said = Vec::new();
    // A reset is a close too.
    drop(stream.read_to_end(&mut said));
    (String::from_utf8_lossy(&said).into_owned(), clock.elapsed())
}

fn took(elapsed: Duration, limit: u64) -> bool {
    (limit..limit + 1_000).contains(&(elapsed.as_millis() as u64 + 50))
}

#[test]
fn a_silent_connection_is_closed() {
    let server = TestServer::open(LIMITS);
    let (said, elapsed) = until_closed(&connect(&server));
    assert!(said.is_empty() && took(elapsed, 300), "{said} {elapsed:?}");
}

#[test]
fn headers_that_do_not_end_are_cut_off() {
    let server = TestServer::open(LIMITS);
    let mut stream = connect(&server);
    stream.write_all(b"POST /graphql HTTP/1.1\r\nhost: x\r\n").unwrap();
    let (said, elapsed) = until_closed(&stream);
    assert!(said.is_empty() && took(elapsed, 600), "{said} {elapsed:?}");
}

#[test]
fn a_body_that_does_not_end_is_answered_408() {
    let server = TestServer::open(LIMITS);
    let mut stream = connect(&server);
    let token = server.public_machine_token();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let (said, elapsed) = until_closed(&stream);
    assert!(said.starts_with("HTTP/1.1 408") && took(elapsed, 900), "{said} {elapsed:?}");
}

#[test]
fn a_refused_caller_s_body_is_never_waited_for() {
    let server = TestServer::open(LIMITS);
    let mut stream = connect(&server);
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    let clock = Clock::system();
    let mut said = [0; 12];
    stream.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"HTTP/1.1 401");
    assert!(clock.elapsed() < Duration::from_millis(250), "{:?}", clock.elapsed());
}

#[test]
fn an_idle_connection_serves_until_its_time_is_up() {
    let server = TestServer::open(LIMITS);
    let mut stream = connect(&server);
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    for _ in 0..2 {
        stream.write_all(request).unwrap();
        let mut said = [0; 15];
        stream.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"HTTP/1.1 200 OK");
        // Longer than the first byte and the headers may take: those limits are not for this phase.
        server.sleep(Duration::from_millis(800));
        let mut rest = [0; 4096];
        let _ = stream.read(&mut rest).unwrap();
    }
    let (_, elapsed) = until_closed(&stream);
    assert!(elapsed < Duration::from_millis(1_400), "{elapsed:?}");
}

/// Whether the server ended a connection on which it says nothing.
fn is_closed(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    !matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn clients_that_say_nothing_keep_nobody_waiting() {
    let server = TestServer::open(&[]);
    let silent: Vec<_> = (0..100).map(|_| connect(&server)).collect();
    for (i, mut stream) in silent.iter().enumerate() {
        // Half of them begin and do not go on.
        stream.write_all(if i % 2 == 0 { b"" } else { b"POST /graphql HTTP/1.1\r\n" }).unwrap();
    }
    for _ in 0..10 {
        assert_eq!(server.me(&server.public_machine_token()).status, 200);
    }
}

#[test]
fn headers_beyond_measure_are_refused_and_connections_beyond_the_cap_closed() {
    let server = TestServer::open(&["http.connections=3", "http.first_byte=60s"]);
    let mut stream = connect(&server);
    // Exactly what the server reads before it gives up: more would lie unread, and turn its answer into a reset.
    let mut long = "GET /healthz HTTP/1.1\r\nhost: x\r\nx: ".to_owned();
    long.push_str(&"y".repeat(32 * 1024 - long.len()));
    stream.write_all(long.as_bytes()).unwrap();
    assert!(until_closed(&stream).0.starts_with("HTTP/1.1 431"));
    drop(stream);

    // Over the cap one is closed without a word. Which one is the machine's to say: connections that come at once are not
    // always accepted in the order of their making.
    let held: Vec<_> = (0..4).map(|_| connect(&server)).collect();
    let closed = || held.iter().filter(|stream| is_closed(stream)).count();
    for _ in 0..1000 {
        if closed() > 0 {
            break;
        }
        server.sleep(Duration::from_millis(10));
    }
    server.sleep(Duration::from_millis(100));
    assert_eq!(closed(), 1);
}

#[test]
fn a_drain_lets_the_request_under_way_end_and_takes_no_other() {
    let mut server = TestServer::open(&["http.body=5s"]);
    let address = server.doors().public();
    let token = server.public_machine_token();
    let mut stream = connect(&server);
    let body = json!({"query": "{ __typename }"}).to_string();
    let (begin, end) = body.split_at(5);
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{begin}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    server.sleep(Duration::from_millis(200));
    let said = std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let clock = Clock::system();
            // Until the door is shut; then the rest of the body.
            while TcpStream::connect(address).is_ok() && clock.elapsed() < Duration::from_secs(5) {
                std::thread::yield_now();
            }
            stream.write_all(end.as_bytes()).unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).unwrap();
            said
        });
        server.close();
        client.join().unwrap()
    });
    assert!(said.starts_with("HTTP/1.1 200") && said.contains("\"__typename\":\"Query\""), "{said}");
}

#[test]
fn a_stop_that_waits_for_a_job_can_be_cut_short() {
    let mut server = TestServer::open(&[]);
    let pool = server.doors().services().pool.clone();
    let (running, release) = server.occupy_thread();
    let doors = server.take_doors();
    server.runtime.block_on(async {
        let second_signal = async {
            // Comes when the doors are closed, and what runs is waited for.
            while pool.run(|| ()).await != Err(PoolError::Stopped) {}
        };
        tokio::select! {
            () = doors.stop() => panic!("the job has not ended"),
            () = second_signal => {}
        }
    });
    release.send(()).unwrap();
    assert_eq!(server.runtime.block_on(running).unwrap(), Ok(()));
}
