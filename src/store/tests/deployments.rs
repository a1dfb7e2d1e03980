//! Deployments.

use std::time::Duration;

use super::*;
use crate::store::{
    AuditFilter, DEPLOYMENT_TIMEOUT, DeploymentEnd, DeploymentFilter, DeploymentOutcome, PageArgs,
    PlannedDeployment,
};

const ALL: PageArgs<i64> = PageArgs { after: None, before: None, limit: 100, from_end: false };

fn planned(tenant: &str) -> PlannedDeployment {
    let (git_ref, commit) = (Some("staging".to_owned()), Some("c0ffee".to_owned()));
    PlannedDeployment { tenant: tenant.to_owned(), git_ref, commit, changes: 3 }
}

fn begin(test: &TestStore, tenant: &str) -> i64 {
    test.store.begin_deployment(&planned(tenant), &Actor::Webhook).unwrap()
}

fn outcome(test: &TestStore, id: i64) -> DeploymentOutcome {
    test.store.deployment(id).unwrap().unwrap().outcome
}

fn listed(test: &TestStore, tenant: Option<&str>, outcome: Option<DeploymentOutcome>) -> Vec<i64> {
    let filter = DeploymentFilter { tenant: tenant.map(str::to_owned), outcome };
    let part = test.store.list_deployments(&filter, &ALL).unwrap();
    assert_eq!(test.store.count_deployments(&filter).unwrap(), part.items.len() as u64);
    part.items.iter().map(|deployment| deployment.id).collect()
}

#[test]
fn the_beginning_and_the_end_of_a_deployment_are_audited() {
    let test = TestStore::new();
    let id = begin(&test, "a.example");
    let running = test.store.deployment(id).unwrap().unwrap();
    assert_eq!(
        (&running.planned, running.outcome, running.ended_at),
        (&planned("a.example"), DeploymentOutcome::Running, None)
    );
    test.clock.advance(Duration::from_secs(5));
    let why = "the client `spa` was refused: 403";
    let ended = test.store.end_deployment(id, DeploymentEnd::Failed(why), &Actor::Webhook).unwrap();
    assert_eq!((ended.outcome, ended.failure.as_deref()), (DeploymentOutcome::Failed, Some(why)));
    assert_eq!(ended.ended_at.unwrap().duration_since(ended.begun_at).as_secs(), 5);
    assert_eq!(test.store.deployment(id).unwrap(), Some(ended));

    let lines = test.store.list_audit(&AuditFilter::default(), &PageArgs::first(10)).unwrap().items;
    let lines_of: Vec<_> =
        lines.iter().map(|line| (line.action.as_str(), line.actor_kind.as_str(), line.target)).collect();
    assert_eq!(lines_of, [("deployment.ended", "webhook", None), ("deployment.begun", "webhook", None)]);
    assert_eq!(lines[1].changes["commit"]["new"], "c0ffee");
    assert_eq!(lines[0].changes["outcome"]["new"], "failed");
    assert!(!lines[0].changes.to_string().contains("spa"), "without the reason: the log is never erased");
    assert!(test.store.verify_audit(None).unwrap().is_intact());
}

#[test]
fn a_deployment_without_a_sign_of_life_is_interrupted_and_does_not_block_the_next() {
    let test = TestStore::new();
    let killed = begin(&test, "a.example");
    test.clock.advance(DEPLOYMENT_TIMEOUT / 2);
    test.store.keep_deployment_alive(killed).unwrap();
    test.clock.advance(DEPLOYMENT_TIMEOUT / 2);
    assert_eq!(outcome(&test, killed), DeploymentOutcome::Running);
    let refused = test.store.begin_deployment(&planned("a.example"), &Actor::Cli);
    assert!(matches!(refused, Err(StoreError::DeploymentRunning(id)) if id == killed), "{refused:?}");
    begin(&test, "b.example");

    test.clock.advance(DEPLOYMENT_TIMEOUT / 2);
    let store = test.another_process();
    assert_eq!(store.deployment(killed).unwrap().unwrap().outcome, DeploymentOutcome::Interrupted);
    let next = begin(&test, "a.example");
    assert!(
        matches!(test.store.keep_deployment_alive(killed), Err(StoreError::Invalid(_))),
        "the process must stop"
    );
    // The process reports after all.
    test.store.end_deployment(killed, DeploymentEnd::RolledBack, &Actor::Cli).unwrap();
    assert_eq!(
        (outcome(&test, killed), outcome(&test, next)),
        (DeploymentOutcome::RolledBack, DeploymentOutcome::Running)
    );
}

#[test]
fn a_deployment_ends_once_and_its_failure_is_one_line() {
    let test = TestStore::new();
    let id = begin(&test, "a.example");
    for why in ["", "two\nlines", &"x".repeat(1001)] {
        let refused = test.store.end_deployment(id, DeploymentEnd::Failed(why), &Actor::Cli);
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{why}");
    }
    test.store.end_deployment(id, DeploymentEnd::Applied, &Actor::Cli).unwrap();
    for id in [id, id + 1] {
        let again = test.store.end_deployment(id, DeploymentEnd::Applied, &Actor::Cli);
        assert!(matches!(again, Err(StoreError::Invalid(_))), "{again:?}");
        assert!(test.store.keep_deployment_alive(id).is_err());
    }
    assert_eq!(test.store.deployment(id + 1).unwrap(), None);
    assert_eq!(test.store.list_audit(&AuditFilter::default(), &PageArgs::first(10)).unwrap().items.len(), 2);
}

#[test]
fn deployments_are_listed_by_tenant_and_outcome_the_newest_first() {
    let test = TestStore::new();
    let ids = ["a", "a", "b", "a", "b"].map(|tenant| {
        let id = begin(&test, tenant);
        test.store.end_deployment(id, DeploymentEnd::Applied, &Actor::Cli).unwrap();
        id
    });
    let silent = begin(&test, "a");
    test.clock.advance(DEPLOYMENT_TIMEOUT);
    let running = begin(&test, "a");
    let reversed = [running, silent, ids[4], ids[3], ids[2], ids[1], ids[0]];
    assert_eq!(listed(&test, None, None), reversed);
    assert_eq!(listed(&test, Some("b"), None), [ids[4], ids[2]]);
    assert_eq!(listed(&test, None, Some(DeploymentOutcome::Running)), [running]);
    assert_eq!(listed(&test, Some("a"), Some(DeploymentOutcome::Interrupted)), [silent]);
    assert_eq!(listed(&test, Some("a"), Some(DeploymentOutcome::Applied)), [ids[3], ids[1], ids[0]]);
    assert_eq!(listed(&test, None, Some(DeploymentOutcome::Failed)), [0; 0]);

    let page = |slice: PageArgs<i64>| {
        let part = test.store.list_deployments(&DeploymentFilter::default(), &slice).unwrap();
        (part.items.iter().map(|deployment| deployment.id).collect::<Vec<_>>(), part.more)
    };
    assert_eq!(page(PageArgs { after: Some(silent), limit: 2, ..ALL }), (vec![ids[4], ids[3]], true));
    assert_eq!(
        page(PageArgs { before: Some(ids[3]), limit: 2, from_end: true, ..ALL }),
        (vec![silent, ids[4]], true)
    );
}
