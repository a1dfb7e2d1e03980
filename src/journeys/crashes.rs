//! The server killed with SIGKILL while it writes: what it answered for is there afterwards, and the database is sound.
//!
//! Twenty kills by default; `VESTIBULE_CRASHES=200 make test ARGS=crashes` is the long version. The moments come from
//! a seed that is printed when the test fails, and that `VESTIBULE_CRASH_SEED` gives back.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use vestibule::cli::http_client::HttpClient;
use vestibule::clock::Clock;
use vestibule::store::Store;
use vestibule::user::UserId;

use crate::auth0_stub::Auth0Stub;
use crate::executable::{ServerProcess, run_on, store_settings};
use crate::test_server::PUBLIC;
use crate::tokens;
use crate::waiting::wait_until;

const KILLS: u64 = 20;

/// People who log in for the first time at once.
const CLIENTS: u64 = 6;

/// The server works at least so long, and at most this much longer, before it is killed.
const WORKS: (u64, u64) = (20, 400);

/// A user the server told of, and who it said it was.
type Answered = (String, UserId);

#[test]
fn no_answered_login_is_lost_when_the_server_is_killed() {
    let kills = number("VESTIBULE_CRASHES").unwrap_or(KILLS);
    let seed = number("VESTIBULE_CRASH_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("VESTIBULE_CRASH_SEED={seed}");
    let (auth0, dir) = (Auth0Stub::start(), tempfile::tempdir().unwrap());
    let database = dir.path().join("vestibule.db");
    let mut answered: Vec<Answered> = Vec::new();
    for round in 0..kills {
        let (least, spread) = WORKS;
        let works = Duration::from_millis(least + mixed(seed.wrapping_add(round)) % spread);
        answered.extend(killed_after(works, round, &database, &auth0));
        let check = run_on(&database, &["check", "--json"]);
        let found = String::from_utf8(check.stdout).unwrap();
        assert_eq!(check.status.code(), Some(0), "round {round}: {found}");
        let sound: Value = serde_json::from_str(&found).unwrap();
        assert_eq!(sound["sound"], true, "round {round}: {found}");
        lost_nobody(&database, &answered, round);
    }
    println!("{kills} kills, {} logins answered, none lost", answered.len());
    assert!(answered.len() > usize::try_from(kills).unwrap(), "there was hardly anything to lose");
}

/// One life of a server under first logins. Gives whom it answered for.
fn killed_after(works: Duration, round: u64, database: &Path, auth0: &Auth0Stub) -> Vec<Answered> {
    let server = ServerProcess::start(database, auth0);
    let answered = Mutex::new(Vec::new());
    let public = server.public.clone();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (answered, public) = (&answered, &public);
            scope.spawn(move || {
                let wire = HttpClient::new();
                for i in 0.. {
                    let sub = format!("auth0|{round}-{client}-{i}");
                    let email = format!("{round}-{client}-{i}@example.com");
                    auth0.add_user(&sub, &email, true);
                    let token = tokens::sign(&auth0.claims(&sub, PUBLIC));
                    let id = match wire.graphql(public, Some(&token), "{ me { id } }", Value::Null) {
                        Ok(answer) if answer.status == 200 => answer.at("/data/me/id"),
                        Ok(answer) => panic!("{} {}", answer.status, answer.body),
                        // The server was killed.
                        Err(_) => break,
                    };
                    answered.lock().unwrap().push((sub, id.as_str().unwrap().parse().unwrap()));
                }
            });
        }
        wait_until("a first login", || !answered.lock().unwrap().is_empty());
        pause(works);
        server.kill();
    });
    answered.into_inner().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the server works meanwhile, at no event to wait for")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

fn lost_nobody(database: &Path, answered: &[Answered], round: u64) {
    let store = Store::open(&store_settings(database), Clock::system()).unwrap();
    for (sub, id) in answered {
        let user = store.user_by_auth0_id(&sub.parse().unwrap()).unwrap();
        assert_eq!(user.map(|user| user.id), Some(*id), "round {round}: {sub} is lost");
    }
    store.close().unwrap();
}

#[expect(clippy::disallowed_methods, reason = "how long the test takes is for whoever runs it to say")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// SplitMix64.
fn mixed(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
