//! The life of a command that serves: its runtime, the signals that end it, the drain.

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The runtime that listeners and filters live in.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Runtime::new().context("the machine gives no more threads")
}

/// Ctrl-C and SIGTERM, which from here on end nothing by themselves: listened for before anybody is told that the command
/// serves, so that none of them cuts it off without a drain.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen. Belongs into a runtime.
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("SIGTERM can not be listened for")?,
            interrupt: signal(SignalKind::interrupt()).context("Ctrl-C can not be listened for")?,
        })
    }

    /// Ends with the next one.
    pub(super) async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::info!("stopping: requests under way may end; a second signal cuts them off");
    }

    /// Waits for a drain, unless one more says that nobody wants to wait.
    ///
    /// # Errors
    /// When it was cut short.
    pub(super) async fn drain(&mut self, draining: impl Future<Output = ()>) -> anyhow::Result<()> {
        tokio::select! {
            () = draining => Ok(()),
            () = self.told() => anyhow::bail!("stopped before requests under way had ended"),
        }
    }
}

/// Does something at every SIGHUP, as long as the runtime lives.
pub(super) fn on_hangup(what: impl Fn() + Send + 'static) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("SIGHUP can not be listened for")?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            what();
        }
    });
    Ok(())
}
