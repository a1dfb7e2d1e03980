//! Sends the statuses of deployed commits to the forge, one at a time and in order. One that cannot be sent is retried twice,
//! logged and dropped: it never holds up a deployment.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::deploy::forge::{CommitStatus, Reporter};
use crate::pool::Pool;

/// The pauses before the second and the third attempt.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// Starts the task. Without a `reporter` the statuses are dropped.
pub(super) fn start(
    mut statuses: mpsc::Receiver<CommitStatus>,
    reporter: Option<Reporter>,
    pool: Pool,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Some(status) = statuses.recv().await {
            if let Some(reporter) = &reporter {
                send(reporter, &status, &pool).await;
            }
        }
    })
}

async fn send(reporter: &Reporter, status: &CommitStatus, pool: &Pool) {
    let mut pauses = PAUSES.into_iter();
    loop {
        let (reporter, sent) = (reporter.clone(), status.clone());
        let error = match pool.run(move || reporter.send(&sent)).await {
            Ok(Ok(())) | Err(_) => return,
            Ok(Err(error)) => error,
        };
        let pause = pauses.next().filter(|_| error.is_passing());
        let Some(pause) = pause else {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, commit = %status.commit, target_name = status.target, "a commit status was not reported");
            return;
        };
        tokio::time::sleep(pause).await;
    }
}
