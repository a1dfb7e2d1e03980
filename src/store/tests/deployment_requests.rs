//! Requests for deployments.

use super::*;
use crate::store::{DeploymentRequest, NewDeploymentRequest, RequestOutcome};

fn request(delivery: Option<&str>, commit: &str) -> NewDeploymentRequest {
    NewDeploymentRequest {
        delivery: delivery.map(str::to_owned),
        target: "staging".to_owned(),
        branch: "develop".to_owned(),
        commit: commit.to_owned(),
        forced: false,
        actor: Actor::Webhook(Some("ada".to_owned())),
    }
}

fn enqueue(store: &Store, delivery: Option<&str>, commit: &str) -> usize {
    store.enqueue_deployments(&[request(delivery, commit)]).unwrap()
}

fn waiting(store: &Store) -> Vec<String> {
    store.waiting_deployments("staging").unwrap().into_iter().map(|request| request.commit).collect()
}

#[test]
fn a_request_waits_over_restarts_until_it_has_an_outcome() {
    let test = TestStore::new();
    assert_eq!(enqueue(&test.store, Some("d-1"), "c1"), 1);
    let now = Timestamp::from_millisecond(1_800_000_000_123).unwrap();
    let kept = DeploymentRequest {
        id: 1,
        target: "staging".to_owned(),
        branch: "develop".to_owned(),
        commit: "c1".to_owned(),
        forced: false,
        actor: Actor::Webhook(Some("ada".to_owned())),
        attempts: 0,
        received_at: now,
        due_at: now,
    };
    assert_eq!(test.store.waiting_deployments("staging").unwrap(), std::slice::from_ref(&kept));
    assert_eq!(test.store.waiting_deployments("production").unwrap(), []);
    test.store.begin_deployment_attempt(1).unwrap();
    test.store.postpone_deployment(1, Duration::from_secs(7), true).unwrap();
    let reopened = test.another_process();
    let postponed = DeploymentRequest { attempts: 1, due_at: now + Duration::from_secs(7), ..kept };
    assert_eq!(reopened.waiting_deployments("staging").unwrap(), [postponed]);
    reopened.begin_deployment_attempt(1).unwrap();
    reopened.postpone_deployment(1, Duration::ZERO, false).unwrap();
    assert_eq!(test.store.waiting_deployments("staging").unwrap()[0].attempts, 1, "it was not made");
    for _ in 0..2 {
        reopened.postpone_deployment(1, Duration::ZERO, false).unwrap();
    }
    assert_eq!(test.store.waiting_deployments("staging").unwrap()[0].attempts, 0, "never below none");
    reopened.end_deployment_request(1, RequestOutcome::Failed, "a test failed").unwrap();
    reopened.end_deployment_request(1, RequestOutcome::Deployed, "").unwrap();
    assert_eq!(waiting(&test.store), [""; 0]);
    let state = test.store.deployment_request_state("staging", "c1").unwrap();
    assert_eq!(
        state,
        Some(Some(("failed".to_owned(), "a test failed".to_owned()))),
        "the first outcome stays"
    );
    assert_eq!(test.store.deployment_request_state("staging", "c2").unwrap(), None);
}

#[test]
fn a_delivery_is_taken_once_and_a_waiting_commit_too() {
    let test = TestStore::new();
    assert_eq!(enqueue(&test.store, Some("d-1"), "c1"), 1);
    assert_eq!(enqueue(&test.store, Some("d-1"), "c1"), 0);
    assert_eq!(enqueue(&test.store, Some("d-2"), "c1"), 0, "it waits already");
    assert_eq!(enqueue(&test.store, None, "c1"), 0);
    let forced = NewDeploymentRequest { forced: true, ..request(None, "c1") };
    assert_eq!(test.store.enqueue_deployments(&[forced.clone(), forced]).unwrap(), 1);
    for id in [1, 2] {
        test.store.end_deployment_request(id, RequestOutcome::Deployed, "3 changes").unwrap();
    }
    assert_eq!(enqueue(&test.another_process(), Some("d-1"), "c1"), 0, "after a restart too");
    assert_eq!(enqueue(&test.store, Some("d-3"), "c1"), 1);
    let production = NewDeploymentRequest { target: "production".to_owned(), ..request(Some("d-1"), "c1") };
    assert_eq!(test.store.enqueue_deployments(&[production]).unwrap(), 1, "each target takes it once");
}

#[test]
fn waiting_and_kept_requests_are_bounded() {
    let test = TestStore::new();
    for number in 0..25 {
        assert_eq!(enqueue(&test.store, Some(&format!("d-{number}")), &format!("c{number}")), 1);
    }
    let expected: Vec<String> = (5..25).map(|number| format!("c{number}")).collect();
    assert_eq!(waiting(&test.store), expected);
    let state = |commit| test.store.deployment_request_state("staging", commit).unwrap().unwrap();
    assert_eq!((state("c4").unwrap().0.as_str(), state("c5")), ("superseded", None));
    let sql = "INSERT INTO deployment_requests
                   (target, branch, git_commit, forced, actor_kind, received_at, due_at, ended_at, outcome, message)
               SELECT 'staging', 'develop', 'x', 0, 'webhook', 1, 1, 1, 'deployed', '' FROM generate(1500)";
    let sql = sql.replace(
        "generate(1500)",
        "(WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1500) SELECT i FROM n)",
    );
    test.shell().execute(&sql, []).unwrap();
    assert_eq!(enqueue(&test.store, None, "new"), 1);
    let rows: i64 =
        test.shell().query_row("SELECT count(*) FROM deployment_requests", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1000 + 19, "1,000, and those that wait: the oldest of them made room");
}
