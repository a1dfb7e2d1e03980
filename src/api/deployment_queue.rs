//! Requests for deployments → the queue that their worker, in `app`, works off.

use super::services::Services;
use crate::deploy::forge::{CommitId, CommitState, Project};
use crate::pool::PoolError;
use crate::store::{NewDeploymentRequest, Store, StoreError};

/// Stores requests for a commit, and reports it as pending. Returns how many were new.
pub(super) async fn enqueue(
    services: &Services,
    project: &Project,
    store: Store,
    commit: &CommitId,
    requests: Vec<NewDeploymentRequest>,
) -> Result<Result<usize, StoreError>, PoolError> {
    let targets: Vec<String> = requests.iter().map(|request| request.target.clone()).collect();
    let outcome = services.pool.run(move || store.enqueue_deployments(&requests)).await;
    if let Ok(Ok(new @ 1..)) = &outcome {
        tracing::info!(?targets, commit = commit.as_str(), new, "deployments were requested");
        for target in &targets {
            project.report(target, commit, CommitState::Pending, "Waits for its deployment");
        }
    }
    outcome
}
