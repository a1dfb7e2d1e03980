//! The life of a command that serves: its runtime, the signals that end it, the drain.

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// The runtime that listeners and filters live in.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Runtime::new().context("the machine gives no more threads")
}

/// Ends with the first Ctrl-C or SIGTERM.
pub(super) async fn until_told() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM can not be listened for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("Ctrl-C can not be listened for")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: requests under way may end; a second signal cuts them off");
    Ok(())
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

/// Waits for a drain, unless a second signal says that nobody wants to wait.
///
/// # Errors
/// When it was cut short.
pub(super) async fn drain(draining: impl Future<Output = ()>) -> anyhow::Result<()> {
    tokio::select! {
        () = draining => Ok(()),
        told = until_told() => {
            told?;
            anyhow::bail!("stopped before requests under way had ended")
        }
    }
}
