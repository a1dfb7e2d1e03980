//! The runtime and the signals of commands that serve.

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The runtime of the listeners.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Runtime::new().context("cannot start the runtime's threads")
}

/// Handlers of Ctrl-C and SIGTERM. Install them before printing that the command serves, so that every signal drains it.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Installs the handlers. Must be called inside a runtime.
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("cannot handle SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot handle Ctrl-C")?,
        })
    }

    /// Waits for the next signal.
    pub(super) async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::info!("stopping: waiting for running requests; a second signal ends them");
    }

    /// Waits for `draining`, or for one more signal.
    ///
    /// # Errors
    /// When a signal ended it early.
    pub(super) async fn drain(&mut self, draining: impl Future<Output = ()>) -> anyhow::Result<()> {
        tokio::select! {
            () = draining => Ok(()),
            () = self.recv() => anyhow::bail!("stopped before all running requests ended"),
        }
    }
}

/// Calls `action` at every SIGHUP, while the runtime lives.
pub(super) fn on_hangup(mut action: impl FnMut() + Send + 'static) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot handle SIGHUP")?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            action();
        }
    });
    Ok(())
}
