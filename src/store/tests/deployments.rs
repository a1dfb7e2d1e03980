//! Deployments, as rows that a deployment wrote.

use super::*;
use crate::store::{DeploymentFilter, DeploymentOutcome, PageArgs};

const ALL: PageArgs<i64> = PageArgs { after: None, before: None, limit: 100, from_end: false };

/// The rows of six deployments: to a, a, b, a, b, a. The last two have no outcome: one is silent, one gives signs of life.
fn deployed() -> TestStore {
    let test = TestStore::new();
    let now = test.clock.now().as_millisecond();
    let sql = format!(
        "INSERT INTO deployments
             (id, tenant, git_ref, git_commit, actor_kind, changes, begun_at, alive_until, ended_at, outcome, message)
         VALUES (1, 'a', 'main', 'c0ffee', 'cli', 3, {now}, {now}, {now} + 5000, 'applied', NULL),
                (2, 'a', NULL, NULL, 'cli', 0, {now}, {now}, {now}, 'failed', 'a rule was refused: 400'),
                (3, 'b', NULL, NULL, 'cli', 0, {now}, {now}, {now}, 'rolled_back', NULL),
                (4, 'a', NULL, NULL, 'cli', 0, {now}, {now}, {now}, 'applied', NULL),
                (5, 'b', NULL, NULL, 'cli', 0, {now}, {now}, NULL, NULL, NULL),
                (6, 'a', NULL, NULL, 'cli', 0, {now}, {now} + 1, NULL, NULL, NULL)"
    );
    test.shell().execute_batch(&sql).unwrap();
    test
}

#[test]
fn a_deployment_is_read_as_it_was_written() {
    let test = deployed();
    let read = |id| test.store.deployment(id).unwrap().unwrap();
    let first = read(1);
    assert_eq!((first.tenant.as_str(), first.git_ref.as_deref()), ("a", Some("main")));
    assert_eq!((first.commit.as_deref(), first.planned_changes), (Some("c0ffee"), 3));
    assert_eq!(first.ended_at.unwrap().duration_since(first.begun_at).as_secs(), 5);
    assert_eq!(read(2).failure.as_deref(), Some("a rule was refused: 400"));
    use DeploymentOutcome as O;
    assert_eq!(
        [1, 2, 3, 5, 6].map(|id| read(id).outcome),
        [O::Applied, O::Failed, O::RolledBack, O::Interrupted, O::Running]
    );
    test.clock.advance(Duration::from_millis(1));
    assert_eq!(read(6).outcome, O::Interrupted);
    assert_eq!(test.store.deployment(7).unwrap(), None);
}

#[test]
fn deployments_are_listed_by_tenant_and_outcome_the_newest_first() {
    let test = deployed();
    let listed = |tenant: Option<&str>, outcome| {
        let filter = DeploymentFilter { tenant: tenant.map(str::to_owned), outcome };
        let page = test.store.list_deployments(&filter, &ALL).unwrap();
        assert_eq!(test.store.count_deployments(&filter).unwrap(), page.items.len() as u64);
        page.items.iter().map(|deployment| deployment.id).collect::<Vec<_>>()
    };
    use DeploymentOutcome as O;
    assert_eq!(listed(None, None), [6, 5, 4, 3, 2, 1]);
    assert_eq!(listed(Some("b"), None), [5, 3]);
    assert_eq!(listed(None, Some(O::Running)), [6]);
    assert_eq!(listed(Some("b"), Some(O::Interrupted)), [5]);
    assert_eq!(listed(Some("a"), Some(O::Applied)), [4, 1]);
    assert_eq!((listed(None, Some(O::Failed)), listed(Some("a"), Some(O::RolledBack))), (vec![2], vec![]));

    let page = |args: PageArgs<i64>| {
        let page = test.store.list_deployments(&DeploymentFilter::default(), &args).unwrap();
        (page.items.iter().map(|deployment| deployment.id).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(page(PageArgs { after: Some(5), limit: 2, ..ALL }), (vec![4, 3], true));
    assert_eq!(page(PageArgs { before: Some(3), limit: 2, from_end: true, ..ALL }), (vec![5, 4], true));
}
