//! Deployments: begun, alive, ended, or never heard of again.

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

fn begin(house: &House, tenant: &str) -> i64 {
    house.store.begin_deployment(&planned(tenant), &Actor::Webhook).unwrap()
}

fn outcome(house: &House, id: i64) -> DeploymentOutcome {
    house.store.deployment(id).unwrap().unwrap().outcome
}

fn listed(house: &House, tenant: Option<&str>, outcome: Option<DeploymentOutcome>) -> Vec<i64> {
    let filter = DeploymentFilter { tenant: tenant.map(str::to_owned), outcome };
    let part = house.store.list_deployments(&filter, &ALL).unwrap();
    assert_eq!(house.store.count_deployments(&filter).unwrap(), part.items.len() as u64);
    part.items.iter().map(|deployment| deployment.id).collect()
}

#[test]
fn a_deployment_is_told_from_its_beginning_to_its_end_and_both_are_audited() {
    let house = House::new();
    let id = begin(&house, "a.example");
    let running = house.store.deployment(id).unwrap().unwrap();
    assert_eq!(
        (&running.planned, running.outcome, running.ended_at),
        (&planned("a.example"), DeploymentOutcome::Running, None)
    );
    house.clock.advance(Duration::from_secs(5));
    let why = "the client `spa` was refused: 403";
    let ended = house.store.end_deployment(id, DeploymentEnd::Failed(why), &Actor::Webhook).unwrap();
    assert_eq!((ended.outcome, ended.failure.as_deref()), (DeploymentOutcome::Failed, Some(why)));
    assert_eq!(ended.ended_at.unwrap().duration_since(ended.begun_at).as_secs(), 5);
    assert_eq!(house.store.deployment(id).unwrap(), Some(ended));

    let lines = house.store.audit(&AuditFilter::default(), 10, None).unwrap().lines;
    let told: Vec<_> =
        lines.iter().map(|line| (line.action.as_str(), line.actor_kind.as_str(), line.target)).collect();
    assert_eq!(told, [("deployment.ended", "webhook", None), ("deployment.begun", "webhook", None)]);
    assert_eq!(lines[1].changes["commit"]["new"], "c0ffee");
    assert_eq!(lines[0].changes["outcome"]["new"], "failed");
    assert!(!lines[0].changes.to_string().contains("spa"), "not why: the trail can not be erased");
    assert!(house.store.verify_audit(None).unwrap().is_intact());
}

#[test]
fn one_that_gives_no_sign_any_more_is_interrupted_and_keeps_nobody_from_the_next() {
    let house = House::new();
    let killed = begin(&house, "a.example");
    house.clock.advance(DEPLOYMENT_TIMEOUT / 2);
    house.store.keep_deployment_alive(killed).unwrap();
    house.clock.advance(DEPLOYMENT_TIMEOUT / 2);
    assert_eq!(outcome(&house, killed), DeploymentOutcome::Running);
    let refused = house.store.begin_deployment(&planned("a.example"), &Actor::Cli);
    assert!(matches!(refused, Err(StoreError::DeploymentRunning(id)) if id == killed), "{refused:?}");
    begin(&house, "b.example");

    house.clock.advance(DEPLOYMENT_TIMEOUT / 2);
    let store = house.another_process();
    assert_eq!(store.deployment(killed).unwrap().unwrap().outcome, DeploymentOutcome::Interrupted);
    let next = begin(&house, "a.example");
    assert!(
        matches!(house.store.keep_deployment_alive(killed), Err(StoreError::Invalid(_))),
        "it is told to stop"
    );
    // Not dead after all: its end is what it says.
    house.store.end_deployment(killed, DeploymentEnd::RolledBack, &Actor::Cli).unwrap();
    assert_eq!(
        (outcome(&house, killed), outcome(&house, next)),
        (DeploymentOutcome::RolledBack, DeploymentOutcome::Running)
    );
}

#[test]
fn an_end_is_told_once_and_a_failure_in_a_line() {
    let house = House::new();
    let id = begin(&house, "a.example");
    for why in ["", "two\nlines", &"x".repeat(1001)] {
        let refused = house.store.end_deployment(id, DeploymentEnd::Failed(why), &Actor::Cli);
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{why}");
    }
    house.store.end_deployment(id, DeploymentEnd::Applied, &Actor::Cli).unwrap();
    for id in [id, id + 1] {
        let again = house.store.end_deployment(id, DeploymentEnd::Applied, &Actor::Cli);
        assert!(matches!(again, Err(StoreError::Invalid(_))), "{again:?}");
        assert!(house.store.keep_deployment_alive(id).is_err());
    }
    assert_eq!(house.store.deployment(id + 1).unwrap(), None);
    assert_eq!(house.store.audit(&AuditFilter::default(), 10, None).unwrap().lines.len(), 2);
}

#[test]
fn deployments_are_listed_by_tenant_and_outcome_the_newest_first() {
    let house = House::new();
    let ids = ["a", "a", "b", "a", "b"].map(|tenant| {
        let id = begin(&house, tenant);
        house.store.end_deployment(id, DeploymentEnd::Applied, &Actor::Cli).unwrap();
        id
    });
    let silent = begin(&house, "a");
    house.clock.advance(DEPLOYMENT_TIMEOUT);
    let running = begin(&house, "a");
    let reversed = [running, silent, ids[4], ids[3], ids[2], ids[1], ids[0]];
    assert_eq!(listed(&house, None, None), reversed);
    assert_eq!(listed(&house, Some("b"), None), [ids[4], ids[2]]);
    assert_eq!(listed(&house, None, Some(DeploymentOutcome::Running)), [running]);
    assert_eq!(listed(&house, Some("a"), Some(DeploymentOutcome::Interrupted)), [silent]);
    assert_eq!(listed(&house, Some("a"), Some(DeploymentOutcome::Applied)), [ids[3], ids[1], ids[0]]);
    assert_eq!(listed(&house, None, Some(DeploymentOutcome::Failed)), [0; 0]);

    let page = |slice: PageArgs<i64>| {
        let part = house.store.list_deployments(&DeploymentFilter::default(), &slice).unwrap();
        (part.items.iter().map(|deployment| deployment.id).collect::<Vec<_>>(), part.more)
    };
    assert_eq!(page(PageArgs { after: Some(silent), limit: 2, ..ALL }), (vec![ids[4], ids[3]], true));
    assert_eq!(
        page(PageArgs { before: Some(ids[3]), limit: 2, from_end: true, ..ALL }),
        (vec![silent, ids[4]], true)
    );
}
