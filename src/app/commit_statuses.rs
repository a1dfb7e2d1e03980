//! Sends the statuses of deployed commits to the forge, one at a time and in order. One that cannot be sent is retried twice,
//! logged and dropped: it never holds up a deployment. An outcome that was not sent when the server ended is sent by the next
//! start.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::deploy::forge::{CommitState, CommitStatus, Reporter};
use crate::pool::Pool;
use crate::store::Store;

/// The pauses before the second and the third attempt.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// Starts the task. Without a `reporter` the statuses are dropped.
pub(super) fn start(
    mut statuses: mpsc::Receiver<CommitStatus>,
    reporter: Option<Reporter>,
    store: Store,
    pool: Pool,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Some(status) = statuses.recv().await {
            let Some(reporter) = &reporter else { continue };
            let is_over = send(reporter, &status, &pool).await;
            if is_over && !matches!(status.state, CommitState::Pending | CommitState::Running) {
                let store = store.clone();
                let mark = move || store.mark_deployment_reported(&status.target, &status.commit.to_string());
                if let Ok(Err(error)) = pool.run(mark).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "a commit status is reported again at the next start");
                }
            }
        }
    })
}

/// Returns whether it was sent or dropped, and not only interrupted.
async fn send(reporter: &Reporter, status: &CommitStatus, pool: &Pool) -> bool {
    let mut pauses = PAUSES.into_iter();
    loop {
        let (reporter, sent) = (reporter.clone(), status.clone());
        let error = match pool.run(move || reporter.send(&sent)).await {
            Ok(Ok(())) => return true,
            Err(_) => return false,
            Ok(Err(error)) => error,
        };
        let pause = pauses.next().filter(|_| error.is_passing());
        let Some(pause) = pause else {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, commit = %status.commit, target_name = status.target, "a commit status was not reported");
            return true;
        };
        tokio::time::sleep(pause).await;
    }
}
