//! Reads that time out or lose their client are interrupted.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use juniper::{EmptyMutation, EmptySubscription, RootNode, graphql_object};
use serde_json::{Value, json};
use vestibule::api::{ApiError, Context, internal};
use vestibule::app::Vestibule;
use vestibule::clock::Clock;
use vestibule::sqlite::{DatabaseError, DatabaseSchema};

use crate::test_server::{TestServer, manual_clock};
use crate::waiting::{DEADLINE, wait_until};

struct Query;

/// Reports that a read began, and how it ended.
type Events = Sender<&'static str>;

#[graphql_object]
#[graphql(context = Context)]
impl Query {
    fn hello() -> &'static str {
        "hello"
    }

    /// Counts until it is interrupted.
    async fn counted(context: &Context) -> Result<Option<i32>, ApiError> {
        let events = context.state::<Mutex<Events>>()?.lock().unwrap().clone();
        let count = context.read(move |db| {
            events.send("begun").unwrap();
            let endless =
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
            let counted = db.query_row(endless, [], |row| row.get(0)).map_err(ApiError::from);
            let interrupted = ApiError::from(DatabaseError::Interrupted).to_string();
            let ended = counted.as_ref().is_err_and(|error| error.to_string() == interrupted);
            events.send(if ended { "ended" } else { "failed" }).unwrap();
            counted
        });
        count.await.map(Some)
    }
}

static SCHEMA: DatabaseSchema =
    DatabaseSchema::new(&[("V1__counts", "CREATE TABLE counts (n INTEGER) STRICT;")]);

fn open(clock: Clock, set: &[&str]) -> (TestServer, Receiver<&'static str>) {
    let (sender, events) = channel();
    let schema = RootNode::new(Query, EmptyMutation::new(), EmptySubscription::new());
    let vestibule = Vestibule::new(schema, internal::schema());
    let vestibule = vestibule.database("counts.db", &SCHEMA).state(|_| Ok(Mutex::new(sender)));
    (TestServer::open_with(vestibule, clock, set), events)
}

fn next(events: &Receiver<&'static str>) -> &'static str {
    events.recv_timeout(DEADLINE).expect("no event came")
}

#[test]
fn a_read_that_times_out_fails_its_field_only() {
    let clock = Clock::manual(Clock::system().now());
    let (server, events) = open(clock.clone(), &["public.limits.time=1h"]);
    let token = server.public_machine_token();
    let answer = std::thread::scope(|scope| {
        let ask =
            || server.http.graphql(&server.public(), Some(&token), "{ hello counted }", Value::Null).unwrap();
        let asking = scope.spawn(ask);
        // Advances only now, because the token and the keys are checked by the same clock.
        assert_eq!(next(&events), "begun");
        wait_until("the read times out", || {
            // Longer than a read may take, so that the count that runs now times out.
            clock.advance(Duration::from_secs(3600));
            asking.is_finished()
        });
        asking.join().unwrap()
    });
    assert_eq!(next(&events), "ended");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["data"], json!({"hello": "hello", "counted": null}));
    let error = answer.json()["errors"][0].clone();
    assert_eq!((&error["path"], &error["extensions"]["code"]), (&json!(["counted"]), &json!("OUT_OF_TIME")));
    assert!(error["message"].as_str().unwrap().contains("limits.time"), "{error}");
}

#[test]
fn a_timed_out_operation_interrupts_its_read() {
    let (server, events) = open(Clock::system(), &["public.limits.time=200ms"]);
    let token = server.public_machine_token();
    let answer = server.http.graphql(&server.public(), Some(&token), "{ counted }", Value::Null).unwrap();
    assert_eq!(answer.code().as_deref(), Some("OUT_OF_TIME"), "{}", answer.body);
    assert_eq!((next(&events), next(&events)), ("begun", "ended"));
}

#[test]
fn a_disconnected_client_interrupts_its_read() {
    let (server, events) = open(Clock::system(), &["public.limits.time=1h"]);
    let body = json!({"query": "{ counted }"}).to_string();
    let mut stream = TcpStream::connect(server.doors().public()).unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        server.public_machine_token(),
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(next(&events), "begun");
    drop(stream);
    assert_eq!(next(&events), "ended");
}

#[test]
fn a_page_is_read_inline_unless_the_read_is_slow() {
    let clock = manual_clock();
    let server = TestServer::open_with_clock(clock.clone(), &["internal.limits.time=1h", "pool.threads=1"]);
    (0..100).for_each(|i| drop(server.insert_user(&format!("auth0|{i:02}"))));
    let token = server.machine_token("users:read");
    let (mut reads, query) = (server.store().queries(), "{ users(first: 100) { nodes { auth0Id } } }");
    let mut reads_of_a_page = || {
        let answer = server.ask_internal(&token, query, Value::Null);
        let nodes = answer.at("/data/users/nodes");
        assert_eq!((nodes.as_array().map(Vec::len), &nodes[99]["auth0Id"]), (Some(100), &json!("auth0|99")));
        let before = std::mem::replace(&mut reads, server.store().queries());
        server.store().queries() - before
    };
    let (held, release) = server.occupy_thread();
    let inline = reads_of_a_page();
    drop(release);
    server.runtime.block_on(held).unwrap().unwrap();
    wait_until("a read takes too long, and moves to the pool", || {
        let is_answered = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // At most a minute: the token and the read on the pool have an hour.
            scope.spawn(|| {
                for _ in (0..6_000).take_while(|_| !is_answered.load(Ordering::Relaxed)) {
                    clock.advance(Duration::from_millis(10));
                    std::thread::yield_now();
                }
            });
            let reads = reads_of_a_page();
            is_answered.store(true, Ordering::Relaxed);
            reads == inline + 1
        })
    });
}
