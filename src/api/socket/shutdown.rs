//! Shutdown of WebSockets: running operations may end, subscriptions end at once, then each connection closes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Time for a client to answer a close frame.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The open WebSockets of both doors. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct WebSockets(Arc<watch::Sender<Option<Instant>>>);

/// Signals the server's shutdown to a connection or an operation. The server waits until all signals are dropped.
#[derive(Debug, Clone)]
pub(super) struct ShutdownSignal(watch::Receiver<Option<Instant>>);

impl WebSockets {
    /// Closes all connections with 1001, now and later ones: idle connections at once, others when their queries and mutations
    /// have ended, after `time` at most. Waits until they are closed, which clients can delay by a second.
    pub async fn close(&self, time: Duration) {
        self.0.send_replace(Some(Instant::now() + time));
        if tokio::time::timeout(time + CLOSE_TIMEOUT, self.0.closed()).await.is_err() {
            tracing::warn!("some WebSockets were still open at the end of the drain and are cut off");
        }
    }

    /// A signal for a new connection, which the server then waits for.
    pub(super) fn subscribe(&self) -> ShutdownSignal {
        ShutdownSignal(self.0.subscribe())
    }
}

impl ShutdownSignal {
    /// Whether the shutdown has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until the shutdown begins.
    pub(super) async fn begun(&mut self) {
        drop(self.0.wait_for(Option::is_some).await);
    }

    /// Waits until the time for running operations is over.
    pub(super) async fn drained(&mut self) {
        let deadline = self.0.wait_for(Option::is_some).await.ok().and_then(|deadline| *deadline);
        if let Some(deadline) = deadline {
            tokio::time::sleep_until(deadline).await;
        }
    }
}
