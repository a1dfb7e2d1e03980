//! Deployments of pushes whose server is killed: the next start ends in the newest commit, deployed once.

use std::path::Path;
use std::time::Duration;

use vestibule::clock::Clock;

use crate::auth0_stub::Auth0Stub;
use crate::executable::Process;
use crate::forge_stub::ForgeStub;
use crate::forge_target::{Target, commit, hook, saying, settings, wait_for};
use crate::waiting::wait_until;

/// How many deployments are killed.
const KILLS: u32 = 20;
/// How many of them before they are reported as running: while the request is stored, and the history read.
const EARLY: u32 = 6;

/// How a commit's request ended, if it did.
fn outcome(database: &Path, commit: &str) -> Option<String> {
    let database = rusqlite::Connection::open(database).unwrap();
    let sql = "SELECT outcome FROM deployment_requests WHERE git_commit = ?1";
    database.query_row(sql, [commit], |row| row.get(0)).unwrap()
}

#[test]
fn a_killed_deployment_is_finished_by_the_next_start_and_made_once() {
    let (forge, staging, auth0) = (ForgeStub::start(), Target::start(), Auth0Stub::start());
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("kept.db");
    let mut set = settings(&forge, &[("staging", &staging)]);
    set.push(format!("auth0.issuer={}", auth0.issuer));
    set.push(format!("store.path={}", database.display()));
    let start = || {
        let mut process = Process::start("serve", &set);
        let internal = process.line("Internal").trim_end_matches("/graphql").to_owned();
        (process, internal)
    };
    let (mut process, mut internal) = start();
    let mut interrupted = 0;
    for point in 0..KILLS {
        let word = format!("word {point}.");
        let newest = commit(&forge, &saying(&word));
        forge.push("staging");
        // The tenant limits, fails and cuts off answers meanwhile.
        let answers = [None, Some("429"), None, Some("503"), None, Some("truncated")];
        if let Some(answer) = answers[point as usize % answers.len()] {
            staging.fail("/api/v2/actions/actions/*", answer, "1");
        }
        hook(&internal, &format!("d-{point}"), "staging", &newest);
        let steps = if point < EARLY {
            point
        } else {
            let is_running = || forge.states(&newest).contains(&"running".to_owned());
            wait_until("the deployment begins", is_running);
            point - EARLY
        };
        let clock = Clock::system();
        wait_until("the moment has come", || clock.elapsed() >= Duration::from_millis(50) * steps);
        process.stop("-KILL");
        interrupted += u32::from(outcome(&database, &newest).is_none());
        (process, internal) = start();
        wait_until("the request ends", || outcome(&database, &newest).is_some());
        let outcome = outcome(&database, &newest).unwrap();
        assert!(["deployed", "unchanged"].contains(&outcome.as_str()), "point {point}: {outcome}");
        wait_for(&forge, &newest, "success");
        assert_eq!(staging.says(), Some(word.clone()), "killed at point {point}");
        let actions = staging.actions();
        assert_eq!(actions.len(), 1, "killed at point {point}");
        let versions = staging.get(&format!("actions/{}/versions", actions[0]["id"].as_str().unwrap()));
        let versions = versions["versions"].as_array().unwrap();
        let made = versions.iter().filter(|version| version["code"].as_str().unwrap().contains(&word));
        assert_eq!(made.count(), 1, "killed at point {point}: {versions:?}");
    }
    assert!(interrupted >= KILLS / 2, "only {interrupted} were interrupted");
}
