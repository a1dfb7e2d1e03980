//! The workers of a host: how many run at once, which are idle, who waits for one.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::ipc::Limits;
use super::process::Worker;
use super::settings::Settings;

/// How long past `time` a login waits for a worker: whoever waits behind one hanging login still gets its place.
const PATIENCE: Duration = Duration::from_millis(200);
/// Logins that may wait for a worker; more are turned away at once.
const WAITING: usize = 64;
/// A worker is replaced once it has been busy this long. [`Limits::cpu_seconds`] lies above it, so that the kernel's
/// limit meets only a worker whose host is gone.
const RETIREMENT: Duration = Duration::from_secs(60);

/// How to start a worker: this binary's hidden subcommand.
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    /// The executable, as an absolute path: the worker starts in `/`.
    pub program: PathBuf,
    /// Its arguments, up to and with `script-worker`.
    pub args: Vec<String>,
}

/// Why there is no worker for a login.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoWorker {
    #[error("all workers are busy with other logins; try again, or raise script.workers")]
    Busy,
    #[error("the server is stopping")]
    Stopped,
    #[error("no worker process can be started: {0}")]
    NotStarted(#[source] io::Error),
}

/// At most `script.workers` of them. They are started when needed, and kept.
pub(super) struct Crew {
    command: WorkerCommand,
    limits: Limits,
    patience: Duration,
    size: u32,
    slots: Semaphore,
    waiting: AtomicUsize,
    idle: Mutex<Vec<Worker>>,
}

impl Crew {
    pub(super) fn new(settings: &Settings, command: WorkerCommand) -> Self {
        let size = u32::try_from(settings.workers.max(1)).unwrap_or(u32::MAX);
        Self {
            command,
            limits: Limits {
                heap_bytes: settings.memory_mib.saturating_mul(1024 * 1024),
                cpu_seconds: RETIREMENT.as_secs() + 2 * (settings.time.as_secs() + 1),
            },
            patience: settings.time + PATIENCE,
            size,
            slots: Semaphore::new(usize::try_from(size).unwrap_or(1).min(Semaphore::MAX_PERMITS)),
            waiting: AtomicUsize::new(0),
            idle: Mutex::default(),
        }
    }

    /// A place among the logins that run at once. Waits, but not for long and not behind many.
    pub(super) async fn slot(&self) -> Result<SemaphorePermit<'_>, NoWorker> {
        if let Ok(slot) = self.slots.try_acquire() {
            return Ok(slot);
        }
        let _place = Place::take(&self.waiting).ok_or(NoWorker::Busy)?;
        match tokio::time::timeout(self.patience, self.slots.acquire()).await {
            Ok(slot) => slot.map_err(|_| NoWorker::Stopped),
            Err(_) => Err(NoWorker::Busy),
        }
    }

    /// An idle worker that lives, or a new one. For who has a slot.
    pub(super) async fn worker(&self) -> Result<Worker, NoWorker> {
        loop {
            // A statement of its own: the lock is not held while a dead worker is dropped.
            let idle = self.idle().pop();
            let Some(mut worker) = idle else { return self.start().await };
            if worker.is_alive() {
                return Ok(worker);
            }
        }
    }

    /// A new worker.
    pub(super) async fn start(&self) -> Result<Worker, NoWorker> {
        let WorkerCommand { program, args } = &self.command;
        Worker::start(program, args, self.limits).await.map_err(NoWorker::NotStarted)
    }

    /// Keeps a worker for the next login, or ends one that has worked long enough.
    pub(super) async fn give_back(&self, worker: Worker) {
        if worker.busy < RETIREMENT {
            self.idle().push(worker);
        } else {
            worker.kill().await;
        }
    }

    /// Waits for those who run, then kills and reaps the workers. Nobody gets a slot after it.
    pub(super) async fn stop(&self) {
        let _all = self.slots.acquire_many(self.size).await;
        let idle = std::mem::take(&mut *self.idle());
        for worker in idle {
            worker.kill().await;
        }
        self.slots.close();
    }

    /// Workers are pushed and popped whole, so a poisoned lock still holds good ones.
    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who wait, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let place = Self(waiting);
        // Dropping the place on the way out takes back what was added.
        (waiting.fetch_add(1, Ordering::SeqCst) < WAITING).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew(workers: usize) -> Crew {
        let settings = Settings {
            workers,
            time: Duration::from_secs(60),
            memory_mib: 16,
            fetch_timeout: Duration::from_secs(1),
        };
        Crew::new(&settings, WorkerCommand { program: "/does/not/exist".into(), args: Vec::new() })
    }

    #[tokio::test]
    async fn only_so_many_wait_and_who_gives_up_makes_room() {
        use futures_util::FutureExt;
        let crew = crew(1);
        let slot = crew.slot().await.unwrap();
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(crew.slot())).collect();
        for one in &mut waiting {
            assert!(one.as_mut().now_or_never().is_none());
        }
        assert!(matches!(crew.slot().now_or_never(), Some(Err(NoWorker::Busy))));
        drop(waiting.pop());
        assert!(Box::pin(crew.slot()).as_mut().now_or_never().is_none());
        drop((waiting, slot));
        assert!(crew.slot().now_or_never().is_some_and(|slot| slot.is_ok()));
    }

    #[tokio::test]
    async fn a_stopped_crew_gives_no_slot() {
        let crew = crew(2);
        crew.stop().await;
        assert!(matches!(crew.slot().await, Err(NoWorker::Stopped)));
    }
}
