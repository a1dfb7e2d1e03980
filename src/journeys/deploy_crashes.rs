//! Deployments that are killed half-way: the next one ends in the newest bundle, each action deployed once.

use serde_json::json;

use vestibule::store::{DeploymentFilter, DeploymentOutcome, PageArgs};

use crate::executable::{Process, output, vestibule};
use crate::target::{Target, bundle, code, write_action, write_bindings};
use crate::waiting::wait_until;

/// How many deployments are killed, each after one more part of the calls that a whole one makes.
const KILLS: usize = 20;

#[test]
fn a_killed_deployment_goes_on_and_deploys_everything_once() {
    let (target, bundle) = (Target::open(), bundle());
    let folder = bundle.path().to_str().unwrap().to_owned();
    let calls = || target.tenant.tenant().exchanges().len();
    target.apply(bundle.path()).unwrap();
    let before = calls();
    write_action(bundle.path(), "first", &code("round 0"), json!([]));
    write_bindings(bundle.path(), &["second", "first"]);
    target.apply(bundle.path()).unwrap();
    let whole = calls() - before;
    assert!(whole > KILLS, "{whole} calls");
    // So that the deployment does not run ahead of this test.
    target.fault(json!({"path": "/api/v2/*", "delay_ms": 10}));
    let (mut versions, mut interrupted) = (2, 0);
    for round in 1..=KILLS {
        let order = if round % 2 == 0 { ["second", "first"] } else { ["first", "second"] };
        write_action(bundle.path(), "first", &code(&format!("round {round}")), json!([]));
        write_bindings(bundle.path(), &order);
        let (start, part) = (calls(), 1 + round * (whole - 1) / KILLS);
        let mut process =
            Process::start(&format!("tenant apply --to staging --yes {folder}"), &target.settings());
        wait_until("the deployment gets that far", || calls() >= start + part || process.has_ended());
        if !process.has_ended() {
            process.signal("-KILL");
        }
        process.wait();
        let filter = DeploymentFilter::default();
        let last = target.store.list_deployments(&filter, &PageArgs::first(1)).unwrap().items.remove(0);
        interrupted += usize::from(last.outcome != DeploymentOutcome::Applied);

        let words = ["--profile", "development", "tenant", "apply", "--to", "staging", "--yes", &folder];
        let next = output(vestibule(&words, &target.settings()), "");
        assert!(next.status.success(), "round {round}: {}", String::from_utf8_lossy(&next.stderr));
        versions += 1;
        let action = target.action("first").unwrap();
        assert_eq!(action["deployed_version"]["code"], code(&format!("round {round}")), "round {round}");
        assert_eq!(action["numbers"].as_array().unwrap().len(), versions, "round {round}: deployed once");
        assert_eq!(target.bound(), order, "round {round}");
    }
    assert!(interrupted > KILLS / 2, "only {interrupted} were interrupted");
    let filter =
        DeploymentFilter { outcome: Some(DeploymentOutcome::Running), ..DeploymentFilter::default() };
    assert_eq!(
        target.store.count_deployments(&filter).unwrap(),
        0,
        "interrupted ones do not count as running"
    );
    assert_eq!(target.action("second").unwrap()["numbers"], json!([1]));
}
