//! The worker processes: how many run at once, which are idle, and the queue for one.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::ipc::WorkerLimits;
use super::login::{Denied, DenyReason};
use super::process::Worker;
use super::settings::Settings;

/// How long a login waits for a worker beyond `script.time`, so that it outlasts one hanging login before it.
const EXTRA_WAIT: Duration = Duration::from_millis(200);
/// The most logins that wait for a worker; more are refused at once.
const MAX_QUEUED: usize = 64;
/// A worker is replaced once it has been busy this long. [`WorkerLimits::cpu_seconds`] is higher, so that the kernel's
/// limit ends only a worker whose host is gone.
const MAX_BUSY: Duration = Duration::from_secs(60);

/// How to start a worker: this binary's hidden subcommand.
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    /// The executable, as an absolute path: the worker starts in `/`.
    pub program: PathBuf,
    /// Its arguments, up to and with `script-worker`.
    pub args: Vec<String>,
}

/// At most `script.workers` processes, started when needed and kept.
pub(super) struct WorkerPool {
    command: WorkerCommand,
    limits: WorkerLimits,
    max_wait: Duration,
    size: u32,
    permits: Semaphore,
    queue: Semaphore,
    idle: Mutex<Vec<Worker>>,
}

impl WorkerPool {
    pub(super) fn new(settings: &Settings, command: WorkerCommand) -> Self {
        let size = u32::try_from(settings.workers.max(1)).unwrap_or(u32::MAX);
        Self {
            command,
            limits: WorkerLimits {
                heap_bytes: settings.memory_mib.saturating_mul(1024 * 1024),
                cpu_seconds: MAX_BUSY.as_secs() + 2 * (settings.time.as_secs() + 1),
            },
            max_wait: settings.time + EXTRA_WAIT,
            size,
            permits: Semaphore::new(usize::try_from(size).unwrap_or(1).min(Semaphore::MAX_PERMITS)),
            queue: Semaphore::new(MAX_QUEUED),
            idle: Mutex::default(),
        }
    }

    /// A permit to run one login. Waits for a limited time, in a limited queue.
    pub(super) async fn acquire(&self) -> Result<SemaphorePermit<'_>, Denied> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        let message = "all workers are busy with other logins; try again, or raise script.workers";
        let busy = || denied(DenyReason::Busy, message);
        let _queue_ticket = self.queue.try_acquire().map_err(|_| busy())?;
        let permit = tokio::time::timeout(self.max_wait, self.permits.acquire()).await;
        permit.map_err(|_| busy())?.map_err(|_| stopped())
    }

    /// A living idle worker, or a new one, for the scripts with this key. The caller holds a permit.
    pub(super) async fn worker(&self, key: u64) -> Result<Worker, Denied> {
        loop {
            // A statement of its own: the lock is not held while a dead worker is dropped.
            let idle = self.fittest(key);
            let Some(mut worker) = idle else { return self.start().await };
            if worker.is_alive() {
                return Ok(worker);
            }
        }
    }

    pub(super) async fn start(&self) -> Result<Worker, Denied> {
        let WorkerCommand { program, args } = &self.command;
        Worker::start(program, args, self.limits).await.map_err(|error| {
            denied(DenyReason::Crashed, format!("a worker process cannot be started: {error}"))
        })
    }

    /// Keeps a worker for the next login, or replaces one that has been busy for long enough.
    pub(super) async fn release(&self, worker: Worker) {
        if worker.busy < MAX_BUSY {
            self.idle().push(worker);
        } else {
            self.replace(worker).await;
        }
    }

    /// Kills a worker and starts its successor, so that the next login does not wait for one. The caller holds a permit.
    pub(super) async fn replace(&self, worker: Worker) {
        worker.kill().await;
        // If none can be started, the next login reports it.
        if let Ok(successor) = self.start().await {
            self.idle().push(successor);
        }
    }

    /// Scripts that are killed again and again take no warm worker from others.
    fn fittest(&self, key: u64) -> Option<Worker> {
        let mut idle = self.idle();
        let at = idle.iter().enumerate().max_by_key(|(_, worker)| worker.fitness(key))?.0;
        Some(idle.remove(at))
    }

    /// Waits for the running logins, then kills and reaps the workers. No login gets a permit afterwards.
    pub(super) async fn stop(&self) {
        let _all = self.permits.acquire_many(self.size).await;
        let idle = std::mem::take(&mut *self.idle());
        for worker in idle {
            worker.kill().await;
        }
        self.permits.close();
    }

    /// Workers are only added and taken, so it is consistent even after a panic.
    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Denies a login before any rule runs.
pub(super) fn denied(reason: DenyReason, message: impl Into<String>) -> Denied {
    Denied::new("", reason, message)
}

pub(super) fn stopped() -> Denied {
    denied(DenyReason::Stopped, "the server is stopping")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(workers: usize) -> WorkerPool {
        let settings = Settings {
            workers,
            time: Duration::from_secs(60),
            memory_mib: 16,
            fetch_timeout: Duration::from_secs(1),
        };
        WorkerPool::new(&settings, WorkerCommand { program: "/does/not/exist".into(), args: Vec::new() })
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_a_login_that_leaves_makes_room() {
        use futures_util::FutureExt;
        let pool = pool(1);
        let permit = pool.acquire().await.unwrap();
        let mut queue: Vec<_> = (0..MAX_QUEUED).map(|_| Box::pin(pool.acquire())).collect();
        for queued in &mut queue {
            assert!(queued.as_mut().now_or_never().is_none());
        }
        assert!(matches!(pool.acquire().now_or_never(), Some(Err(Denied { reason: DenyReason::Busy, .. }))));
        drop(queue.pop());
        assert!(Box::pin(pool.acquire()).as_mut().now_or_never().is_none());
        drop((queue, permit));
        assert!(pool.acquire().now_or_never().is_some_and(|permit| permit.is_ok()));
    }

    #[tokio::test]
    async fn a_stopped_pool_gives_no_permit() {
        let pool = pool(2);
        pool.stop().await;
        assert!(matches!(pool.acquire().await, Err(Denied { reason: DenyReason::Stopped, .. })));
    }
}
