//! The gate and the doors under load: `make load` runs these one by one, in about six minutes, and prints measurements.
//! `keys` and `hostile` test the same behaviour with small numbers and without time limits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use vestibule::cli::http_client::HttpClient;
use vestibule::clock::Clock;
use vestibule::store::{Actor, UserUpdate};

use crate::auth0_stub::KeysReply;
use crate::fairness;
use crate::hostile;
use crate::keys::{publish, refresh, token};
use crate::test_server::{PUBLIC, TestServer};
use crate::tokens::{self, jwk, now};
use crate::waiting::wait_until;

/// Sends the tokens of `next` to the public door, at most one every 10 ms, while `on` is true. Returns the response times.
fn traffic(
    server: &TestServer,
    on: impl Fn(&Clock) -> bool,
    mut next: impl FnMut(usize) -> String,
) -> Vec<Duration> {
    let (clock, wire) = (Clock::system(), HttpClient::new());
    let mut times = Vec::new();
    while on(&clock) {
        let token = next(times.len());
        let asked = clock.elapsed();
        let answer = wire.graphql(&server.public(), Some(&token), "{ __typename }", json!(null)).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        let took = clock.elapsed() - asked;
        times.push(took);
        pause(Duration::from_millis(10).saturating_sub(took));
    }
    times
}

#[expect(clippy::disallowed_methods, reason = "the rate of the traffic")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

/// The resident memory of this process in bytes, including the stub and the clients.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
#[ignore = "takes two minutes: make load"]
fn ten_thousand_unknown_keys_in_a_minute_do_not_slow_valid_traffic() {
    const FLOODS: usize = 4;
    let server = TestServer::open(&[]);
    let claims = server.auth0.claims("auth0|1", PUBLIC);
    let valid = |serial: usize| {
        let claims = json!({"gty": "client-credentials", "azp": "m1", "jti": serial.to_string()});
        server.token("m1@clients", claims)
    };
    let alone = || traffic(&server, |clock| clock.elapsed() < Duration::from_secs(30), valid);
    let mut baseline = alone();

    let (over, before) = (AtomicBool::new(false), server.doors().services().gate.keys().fetches());
    let (mut beside, took) = std::thread::scope(|scope| {
        let beside = scope.spawn(|| traffic(&server, |_| !over.load(Ordering::Relaxed), valid));
        let floods: Vec<_> = (0..FLOODS)
            .map(|flood| {
                let (server, claims) = (&server, &claims);
                scope.spawn(move || {
                    let (clock, wire) = (Clock::system(), HttpClient::new());
                    // The same signature for all: that of an unknown key is not checked.
                    let (_, signature) = {
                        let token = tokens::sign(claims);
                        let (message, signature) = token.rsplit_once('.').unwrap();
                        (message.to_owned(), signature.to_owned())
                    };
                    for i in 0..10_000 / FLOODS {
                        let header = json!({"alg": "RS256", "kid": format!("unknown-{flood}-{i}")});
                        let token = format!(
                            "{}.{signature}",
                            tokens::signing_input(&header.to_string(), &claims.to_string())
                        );
                        let answer = wire
                            .graphql(&server.public(), Some(&token), "{ __typename }", json!(null))
                            .unwrap();
                        assert_eq!(answer.code().as_deref(), Some("UNKNOWN_KEY"));
                        let due = Duration::from_secs(60) * (i as u32 + 1) / (10_000 / FLOODS as u32);
                        pause(due.saturating_sub(clock.elapsed()));
                    }
                    clock.elapsed()
                })
            })
            .collect();
        let took = floods.into_iter().map(|flood| flood.join().unwrap()).max().unwrap();
        over.store(true, Ordering::Relaxed);
        (beside.join().unwrap(), took)
    });
    let fetches = server.doors().services().gate.keys().fetches() - before;
    // The baseline is measured before and after, because the machine may do other work.
    baseline.extend(alone());

    let (calm, flooded) = (percentile(&mut baseline, 99), percentile(&mut beside, 99));
    println!("10000 unknown keys in {took:.1?}: {fetches} fetches");
    println!(
        "valid traffic: p50 {:.2?} alone, {:.2?} beside the flood; p99 {calm:.2?} alone, {flooded:.2?} beside it",
        percentile(&mut baseline, 50),
        percentile(&mut beside, 50)
    );
    // Three in a minute, and one more for each half minute that a busy machine takes longer.
    assert!(fetches <= 1 + took.as_secs().div_ceil(30), "{fetches} in {took:?}");
    assert!(flooded <= calm * 2, "p99 {flooded:?} beside the flood, {calm:?} alone");
}

#[test]
#[ignore = "takes two minutes: make load"]
fn a_rotation_every_ten_seconds_refuses_no_valid_token_twice() {
    let server = TestServer::open(&[]);
    let (mut refused, mut asked, mut slowest) = (0, 0, Duration::ZERO);
    let mut previous = jwk("stub", true);
    for rotation in 0..12 {
        let (kid, first) = (format!("rotated-{rotation}"), rotation % 2 == 1);
        let next = jwk(&kid, first);
        publish(&server, &[next.clone(), previous]);
        previous = next;
        let clock = Clock::system();
        let mut taken = None;
        while clock.elapsed() < Duration::from_secs(10) {
            let token = token(&server, &kid, first);
            asked += 1;
            if server.me(&token).status != 200 {
                refused += 1;
                assert_eq!(server.me(&token).status, 200, "refused twice, rotation {rotation}");
            }
            taken.get_or_insert(clock.elapsed());
            pause(Duration::from_millis(20));
        }
        slowest = slowest.max(taken.unwrap());
    }
    println!(
        "12 rotations, {asked} tokens: {refused} refused once, none twice; a new key was taken within {slowest:.1?}"
    );
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}

#[test]
#[ignore = "takes a minute: make load"]
fn bad_key_endpoints_cost_neither_keys_nor_memory() {
    let server = TestServer::open(&[]);
    let good = token(&server, "stub", true);
    let mut private = jwk("leak", false);
    private["d"] = json!("AQAB");
    let private = json!({"keys": [private, jwk("stub", true)]}).to_string();
    let ask = |times: usize| (0..times).for_each(|_| assert_eq!(server.me(&good).status, 200));
    for _ in 0..20 {
        refresh(&server);
        ask(50);
    }
    let before = resident();
    for (what, published, times) in [
        ("a redirect", KeysReply::Redirect, 20),
        ("HTML", KeysReply::Text("<html>Down for maintenance</html>".to_owned()), 20),
        ("a private key", KeysReply::Text(private), 20),
        ("100 MB", KeysReply::Endless, 20),
        ("nothing, hanging", KeysReply::Hangs, 4),
    ] {
        server.auth0.answer_keys_with(published);
        for _ in 0..times {
            refresh(&server);
            ask(50);
        }
        let grown = resident().saturating_sub(before);
        println!("{what}, {times} times: the old set serves on, memory grew by {} KiB", grown / 1024);
        assert!(grown < 5 * 1024 * 1024, "{what}: {grown} bytes");
    }
}

#[test]
#[ignore = "takes half a minute: make load"]
fn a_start_without_auth0_serves_with_saved_keys_and_recovers_without() {
    let mut server = TestServer::open(&[]);
    let good = token(&server, "stub", true);
    wait_until("the keys are saved", || server.store().load_keys(&server.auth0.issuer).unwrap().is_some());
    server.auth0.stop();
    let clock = Clock::system();
    server.reopen();
    assert_eq!(server.me(&good).status, 200);
    println!("cold start, tenant away, keys of the last run: serves after {:.1?}", clock.elapsed());

    let mut server = TestServer::open_without_waiting(&[], |auth0| auth0.answer_keys_with(KeysReply::Hangs));
    server.auth0.stop();
    let ready = server.public().replace("/graphql", "/readyz");
    let began = now();
    while now() < began + 12 {
        let answer = server.me(&token(&server, "stub", true));
        assert_eq!((answer.status, answer.code().as_deref()), (503, Some("KEYS_UNAVAILABLE")));
        assert_eq!(server.http.get(&ready, &[]).unwrap().status, 503);
        pause(Duration::from_millis(100));
    }
    server.auth0.answer_keys_with(KeysReply::Good);
    server.auth0.restart();
    let clock = Clock::system();
    while server.http.get(&ready, &[]).unwrap().status != 200 {
        assert!(clock.elapsed() < Duration::from_secs(5), "not healed within 5 s");
        pause(Duration::from_millis(20));
    }
    println!(
        "cold start, tenant away, no keys: 503 for 12 s; healed {:.1?} after its return",
        clock.elapsed()
    );
    assert_eq!(server.me(&token(&server, "stub", true)).status, 200);
}

/// The peak of this process's resident memory in bytes since [`reset_peak`].
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

#[test]
#[ignore = "measures: make load"]
fn three_hundred_newcomers_at_once_are_admitted_within_three_seconds() {
    for delay in [0, 100] {
        let server = TestServer::open(&[]);
        server.auth0.delay_replies(Duration::from_millis(delay));
        let took = fairness::admit_at_once(&server, 300);
        println!("300 newcomers at once, a tenant that answers after {delay} ms: {took:.1?}");
        assert!(took <= Duration::from_secs(3), "{took:?}");
    }
}

#[test]
#[ignore = "takes a minute: make load"]
fn documents_made_to_hurt_slow_no_other_caller_and_take_little_memory() {
    let server = fairness::server(&[]);
    let documents = fairness::documents(&server);
    let neighbour = server.token("auth0|7", json!({}));
    let ask = || asked(&server, &neighbour);
    let usual = usually(&ask);
    let bound = Duration::from_millis(50) + usual * 2;
    let (mut slowest, mut longest, mut largest) = ((Duration::ZERO, 0), Duration::ZERO, 0);
    for (i, (url, token, document)) in documents.iter().enumerate() {
        let Burden { took, waited, grown } = burden(ask, || {
            let answer = HttpClient::new().graphql(url, Some(token), document, json!({"n": "Node"})).unwrap();
            assert!([200, 400].contains(&answer.status), "{} {document:.200}", answer.status);
        });
        if waited > bound || grown > MOST_GROWTH {
            println!("{took:.1?}, neighbour {waited:.1?}, {} MiB: {document:.120}", grown >> 20);
        }
        slowest = slowest.max((waited, i));
        (longest, largest) = (longest.max(took), largest.max(grown));
    }
    println!(
        "{} documents: the longest runs {longest:.1?}; a neighbour's `me`, usually {usual:.1?}, takes {:.1?} at most ({:.80}); memory \
         grows by {} MiB at most",
        documents.len(),
        slowest.0,
        documents[slowest.1].2,
        largest >> 20
    );
    assert!(slowest.0 <= bound && largest <= MOST_GROWTH);
}

#[test]
#[ignore = "takes a minute: make load"]
fn exports_of_a_long_audit_log_slow_no_other_caller_and_take_little_memory() {
    const LINES: usize = 30_000;
    let server = TestServer::open(&[]);
    let (greedy, neighbour) =
        (server.token("auth0|greedy", json!({})), server.token("auth0|neighbour", json!({})));
    let user = server.insert_user("auth0|greedy");
    server.insert_user("auth0|neighbour");
    for i in 0..LINES {
        let change = UserUpdate { name: Some(Some(format!("n{i}"))), ..UserUpdate::default() };
        server.store().update(user.id, &change, &Actor::User(user.id)).unwrap();
    }
    let ask = || asked(&server, &neighbour);
    let usual = usually(&ask);
    let aliases: Vec<_> = (0..20).map(|i| format!("a{i}: exportMe(input: {{}}) {{ data }}")).collect();
    let document = format!("mutation {{ {} }}", aliases.join(" "));
    let Burden { took, waited, grown } = burden(ask, || {
        let answer = server.ask_public(greedy.as_str(), &document);
        // The first part of one export; a request has no second one.
        assert!(answer.at("/data/a0/data").is_object(), "{} {:.300}", answer.status, answer.body);
        assert!(answer.at("/data/a1").is_null());
    });
    println!(
        "20 exports of {LINES} audit lines in one request: {took:.1?}; a neighbour's `me`, usually {usual:.1?}, takes {waited:.1?} at \
         most; memory grows by {} MiB",
        grown >> 20
    );
    assert!(waited <= Duration::from_millis(50) + usual * 2 && grown <= MOST_GROWTH);
}

/// How much a server's memory may grow by the work of one request.
const MOST_GROWTH: u64 = 64 << 20;

/// How long `me` takes for a caller.
fn asked(server: &TestServer, token: &str) -> Duration {
    let clock = Clock::system();
    assert_eq!(server.me(token).status, 200);
    clock.elapsed()
}

/// The median of `ask`, once caches and buffers have their size.
fn usually(ask: &impl Fn() -> Duration) -> Duration {
    let mut usual: Vec<_> = (0..300).map(|_| ask()).collect();
    percentile(&mut usual, 50)
}

/// What `work` cost.
struct Burden {
    /// How long it took.
    took: Duration,
    /// The slowest answer to a neighbour who asked meanwhile.
    waited: Duration,
    /// By how many bytes memory grew at its peak.
    grown: u64,
}

fn burden(ask: impl Fn() -> Duration + Sync, work: impl FnOnce()) -> Burden {
    let (clock, over) = (Clock::system(), AtomicBool::new(false));
    let before = resident();
    reset_peak();
    let (took, waited) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut waited = ask();
            while !over.load(Ordering::Relaxed) {
                waited = waited.max(ask());
            }
            waited
        });
        let begun = clock.elapsed();
        work();
        let took = clock.elapsed() - begun;
        over.store(true, Ordering::Relaxed);
        (took, asking.join().unwrap())
    });
    Burden { took, waited, grown: peak().saturating_sub(before) }
}

#[test]
#[ignore = "measures: make load"]
fn a_hostile_input_takes_fifty_milliseconds_at_most_and_leaks_no_memory() {
    const ROUNDS: usize = 5;
    let server = TestServer::open(&["internal.introspection=true"]);
    let (inputs, clock) = (hostile::inputs(), Clock::system());
    for (door, token) in &hostile::doors(&server) {
        let round = || -> Vec<Duration> {
            let ask = |input: &Vec<u8>| {
                let asked = clock.elapsed();
                assert!([400, 413].contains(&hostile::post(*door, token, input.len(), input)));
                clock.elapsed() - asked
            };
            inputs.iter().map(ask).collect()
        };
        // Caches and buffers reach their size in the first round.
        let mut quickest = round();
        let before = resident();
        for _ in 1..ROUNDS {
            quickest = std::iter::zip(quickest, round()).map(|(one, other)| one.min(other)).collect();
        }
        let grown = resident().saturating_sub(before);
        let (at, slowest) = quickest.iter().enumerate().max_by_key(|(_, took)| **took).unwrap();
        println!(
            "{} inputs: the slowest takes {slowest:?} ({:.80}); {} more rounds grew memory by {} KiB",
            inputs.len(),
            String::from_utf8_lossy(&inputs[at]),
            ROUNDS - 1,
            grown / 1024
        );
        // The fastest round of each input, because the machine may do other work.
        assert!(*slowest <= Duration::from_millis(50));
        assert!(grown <= 4 * 1024 * 1024, "{grown} bytes");
    }
}
