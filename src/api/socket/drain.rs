//! What the end of the server means to its WebSockets: operations under way may end, subscriptions end, and then each
//! connection does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::session::GOODBYE;

/// The WebSockets that are open, at both doors. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct WebSockets(Arc<watch::Sender<Option<Instant>>>);

/// What tells a connection, and each of its operations, that the server ends. As long as one is there, so is what it
/// belongs to.
#[derive(Debug, Clone)]
pub(super) struct Told(watch::Receiver<Option<Instant>>);

impl WebSockets {
    /// Lets queries and mutations under way end, at most in `time`, and closes their connections with 1001; all others at
    /// once, also those that come later. Waits until they are closed, which takes clients up to a second.
    pub async fn close(&self, time: Duration) {
        self.0.send_replace(Some(Instant::now() + time));
        if tokio::time::timeout(time + GOODBYE, self.0.closed()).await.is_err() {
            tracing::warn!("WebSockets were still open at the end of the drain; they are cut off");
        }
    }

    /// Tells a connection when to end, and us that there is one.
    pub(super) fn told(&self) -> Told {
        Told(self.0.subscribe())
    }
}

impl Told {
    /// Whether the server ends.
    pub(super) fn is_ending(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until the server ends.
    pub(super) async fn ending(&mut self) {
        drop(self.0.wait_for(Option::is_some).await);
    }

    /// Waits until the server ends and operations have had their time.
    pub(super) async fn over(&mut self) {
        let until = self.0.wait_for(Option::is_some).await.ok().and_then(|until| *until);
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }
}
