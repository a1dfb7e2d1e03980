//! A server and a restore that are killed with SIGKILL. Every login that was answered is in the database, a restore leaves
//! the old database or the new one, and the database is sound.
//!
//! Twenty kills by default; `VESTIBULE_CRASHES=200 make test ARGS=crashes` is the long version. The times come from a seed
//! that is printed when the test fails; `VESTIBULE_CRASH_SEED` repeats it.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::cli::http_client::HttpClient;
use vestibule::clock::Clock;
use vestibule::store::{Actor, SeedUser, Store, UserFilter};
use vestibule::user::UserId;

use crate::auth0_stub::Auth0Stub;
use crate::executable::{ServerProcess, run_on, store_settings, vestibule_on};
use crate::test_server::PUBLIC;
use crate::tokens;
use crate::waiting::wait_until;

const KILLS: u64 = 20;

/// Concurrent clients, each of which logs in one new user after another.
const CLIENTS: u64 = 6;

/// The server is killed after at least this many milliseconds, and at most this many more.
const LEAST_MILLIS: u64 = 20;
const MORE_MILLIS: u64 = 400;

/// Users of the database that a restore replaces. Enough for a restore to take some time.
const USERS: u64 = 1_000;

/// A subject, and the id that the server answered.
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
        let time = Duration::from_millis(LEAST_MILLIS + mixed(seed.wrapping_add(round)) % MORE_MILLIS);
        answered.extend(killed_after(time, round, &database, &auth0));
        assert_sound(&database, round);
        assert_all_stored(&database, &answered, round);
    }
    println!("{kills} kills, {} logins answered, none lost", answered.len());
    assert!(answered.len() > usize::try_from(kills).unwrap(), "too few logins were answered");
}

/// Starts a server, logs in new users, and kills it after `time`. Returns what it answered.
fn killed_after(time: Duration, round: u64, database: &Path, auth0: &Auth0Stub) -> Vec<Answered> {
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
        pause(time);
        server.kill();
    });
    answered.into_inner().unwrap()
}

#[test]
fn a_killed_restore_leaves_the_old_database_or_the_new_one() {
    let kills = number("VESTIBULE_CRASHES").unwrap_or(KILLS);
    let seed = number("VESTIBULE_CRASH_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("VESTIBULE_CRASH_SEED={seed}");
    let dir = tempfile::tempdir().unwrap();
    let (old, backup) = (dir.path().join("old.db"), dir.path().join("backup.db"));
    add_users(&old, 0..USERS);
    assert_eq!(run_on(&old, &["backup", backup.to_str().unwrap()]).status.code(), Some(0));
    add_users(&old, USERS..USERS + 1);
    let whole = restore_and_kill(&old, &backup, &dir.path().join("whole"), |_| false);
    assert_eq!(whole.users, USERS, "a restore that is not killed");
    let mut restored = 0;
    for round in 0..kills {
        let folder = dir.path().join(round.to_string());
        let killed = match round {
            // As soon as the copy exists, and as soon as the old database is set aside.
            0 => restore_and_kill(&old, &backup, &folder, |names| names.contains(".vestibule-")),
            1 => restore_and_kill(&old, &backup, &folder, |names| names.contains(".replaced-")),
            _ => {
                let share = mixed(seed.wrapping_add(round)) % 1_000;
                let time = whole.time.mul_f64(share as f64 / 1_000.0);
                let clock = Clock::system();
                restore_and_kill(&old, &backup, &folder, |_| clock.elapsed() >= time)
            }
        };
        assert!([USERS, USERS + 1].contains(&killed.users), "round {round}: {} users", killed.users);
        restored += u64::from(killed.users == USERS);
        std::fs::remove_dir_all(folder).unwrap();
    }
    println!("{kills} kills, {restored} of them after the new database was in place");
}

/// What a restore left.
struct Left {
    users: u64,
    /// How long the restore ran.
    time: Duration,
}

/// Restores `backup` over a copy of `old` in a new `folder`, and kills the restore when `is_due` of the names in the folder.
fn restore_and_kill(old: &Path, backup: &Path, folder: &Path, is_due: impl Fn(&str) -> bool) -> Left {
    std::fs::create_dir(folder).unwrap();
    let database = folder.join("vestibule.db");
    std::fs::copy(old, &database).unwrap();
    let clock = Clock::system();
    let mut restore = vestibule_on(&database, None, &["restore", backup.to_str().unwrap()]);
    let mut restore = restore.stdout(Stdio::null()).spawn().unwrap();
    wait_until("the restore ends or is killed", || {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        restore.try_wait().unwrap().is_some() || is_due(&names.join(" "))
    });
    let time = clock.elapsed();
    restore.kill().unwrap();
    restore.wait().unwrap();
    assert_sound(&database, 0);
    let store = Store::open(&store_settings(&database), Clock::system()).unwrap();
    let users = store.count_users(&UserFilter::default()).unwrap();
    store.close().unwrap();
    Left { users, time }
}

fn add_users(database: &Path, numbers: Range<u64>) {
    let store = Store::open(&store_settings(database), Clock::system()).unwrap();
    let seeds: Vec<SeedUser> = numbers
        .map(|i| {
            serde_json::from_value(json!({"auth0Id": format!("auth0|{i}"), "name": "n".repeat(200)})).unwrap()
        })
        .collect();
    store.seed(&seeds, &Actor::Seed).unwrap();
    store.close().unwrap();
}

fn assert_sound(database: &Path, round: u64) {
    let check = run_on(database, &["check", "--json"]);
    let report = String::from_utf8(check.stdout).unwrap();
    assert_eq!(check.status.code(), Some(0), "round {round}: {report}");
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["sound"], true, "round {round}: {report}");
}

#[expect(clippy::disallowed_methods, reason = "the process works meanwhile, at no event to wait for")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

fn assert_all_stored(database: &Path, answered: &[Answered], round: u64) {
    let store = Store::open(&store_settings(database), Clock::system()).unwrap();
    for (sub, id) in answered {
        let user = store.user_by_auth0_id(&sub.parse().unwrap()).unwrap();
        assert_eq!(user.map(|user| user.id), Some(*id), "round {round}: {sub} is lost");
    }
    store.close().unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the environment sets how long the test runs")]
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
