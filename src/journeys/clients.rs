//! Slow, broken and patient clients at a door's listener; and what a drain does to them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use vestibule::pool::PoolError;

use crate::yard::Yard;

/// Short limits, far enough apart to tell which one it was.
const LIMITS: &[&str] =
    &["http.first_byte=300ms", "http.header=600ms", "http.body=900ms", "http.idle=1200ms"];

fn connect(yard: &Yard) -> TcpStream {
    let stream = TcpStream::connect(yard.doors().public()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Reads until the server closes; gives what it said and how long that took.
fn until_closed(yard: &Yard, mut stream: &TcpStream) -> (String, Duration) {
    let clock = yard.clock();
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
    let yard = Yard::open(LIMITS);
    let (said, elapsed) = until_closed(&yard, &connect(&yard));
    assert!(said.is_empty() && took(elapsed, 300), "{said} {elapsed:?}");
}

#[test]
fn headers_that_do_not_end_are_cut_off() {
    let yard = Yard::open(LIMITS);
    let mut stream = connect(&yard);
    stream.write_all(b"POST /graphql HTTP/1.1\r\nhost: x\r\n").unwrap();
    let (said, elapsed) = until_closed(&yard, &stream);
    assert!(said.is_empty() && took(elapsed, 600), "{said} {elapsed:?}");
}

#[test]
fn a_body_that_does_not_end_is_answered_408() {
    let yard = Yard::open(LIMITS);
    let mut stream = connect(&yard);
    let token = yard.machine_at_public();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let (said, elapsed) = until_closed(&yard, &stream);
    assert!(said.starts_with("HTTP/1.1 408") && took(elapsed, 900), "{said} {elapsed:?}");
}

#[test]
fn a_refused_caller_s_body_is_never_waited_for() {
    let yard = Yard::open(LIMITS);
    let mut stream = connect(&yard);
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    let clock = yard.clock();
    let mut said = [0; 12];
    stream.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"HTTP/1.1 401");
    assert!(clock.elapsed() < Duration::from_millis(250), "{:?}", clock.elapsed());
}

#[test]
fn an_idle_connection_serves_until_its_time_is_up() {
    let yard = Yard::open(LIMITS);
    let mut stream = connect(&yard);
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    for _ in 0..2 {
        stream.write_all(request).unwrap();
        let mut said = [0; 15];
        stream.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"HTTP/1.1 200 OK");
        // Longer than the first byte and the headers may take: those limits are not for this phase.
        yard.rest(Duration::from_millis(800));
        let mut rest = [0; 4096];
        let _ = stream.read(&mut rest).unwrap();
    }
    let (_, elapsed) = until_closed(&yard, &stream);
    assert!(elapsed < Duration::from_millis(1_400), "{elapsed:?}");
}

/// Whether the server ended a connection on which it says nothing.
fn is_closed(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    !matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn clients_that_say_nothing_keep_nobody_waiting() {
    let yard = Yard::open(&[]);
    let silent: Vec<_> = (0..100).map(|_| connect(&yard)).collect();
    for (i, mut stream) in silent.iter().enumerate() {
        // Half of them begin and do not go on.
        stream.write_all(if i % 2 == 0 { b"" } else { b"POST /graphql HTTP/1.1\r\n" }).unwrap();
    }
    for _ in 0..10 {
        assert_eq!(yard.me(&yard.machine_at_public()).status, 200);
    }
}

#[test]
fn headers_beyond_measure_are_refused_and_connections_beyond_the_cap_closed() {
    let yard = Yard::open(&["http.connections=3", "http.first_byte=60s"]);
    let mut stream = connect(&yard);
    // Exactly what the server reads before it gives up: more would lie unread, and turn its answer into a reset.
    let mut long = "GET /healthz HTTP/1.1\r\nhost: x\r\nx: ".to_owned();
    long.push_str(&"y".repeat(32 * 1024 - long.len()));
    stream.write_all(long.as_bytes()).unwrap();
    assert!(until_closed(&yard, &stream).0.starts_with("HTTP/1.1 431"));
    drop(stream);

    // Over the cap one is closed without a word. Which one is the machine's to say: connections that come at once are not
    // always accepted in the order of their making.
    let held: Vec<_> = (0..4).map(|_| connect(&yard)).collect();
    let closed = || held.iter().filter(|stream| is_closed(stream)).count();
    for _ in 0..1000 {
        if closed() > 0 {
            break;
        }
        yard.rest(Duration::from_millis(10));
    }
    yard.rest(Duration::from_millis(100));
    assert_eq!(closed(), 1);
}

#[test]
fn a_drain_lets_the_request_under_way_end_and_takes_no_other() {
    let mut yard = Yard::open(&["http.body=5s"]);
    let address = yard.doors().public();
    let token = yard.machine_at_public();
    let mut stream = connect(&yard);
    let body = json!({"query": "{ __typename }"}).to_string();
    let (begin, end) = body.split_at(5);
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{begin}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    yard.rest(Duration::from_millis(200));
    let said = std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let clock = vestibule::clock::Clock::system();
            // Until the door is shut; then the rest of the body.
            while TcpStream::connect(address).is_ok() && clock.elapsed() < Duration::from_secs(5) {
                std::thread::yield_now();
            }
            stream.write_all(end.as_bytes()).unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).unwrap();
            said
        });
        yard.close();
        client.join().unwrap()
    });
    assert!(said.starts_with("HTTP/1.1 200") && said.contains("\"__typename\":\"Query\""), "{said}");
}

#[test]
fn a_stop_that_waits_for_a_job_can_be_cut_short() {
    let mut yard = Yard::open(&[]);
    let pool = yard.doors().services().pool.clone();
    let (running, release) = yard.hold_a_thread();
    let doors = yard.take_doors();
    yard.runtime.block_on(async {
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
    assert_eq!(yard.runtime.block_on(running).unwrap(), Ok(()));
}
