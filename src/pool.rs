//! The bounded thread pool for blocking jobs: writes, scans, files, fetches.
//!
//! Owns a fixed number of threads and a bounded queue. Imports no other module of ours. Never grows, never blocks its caller:
//! a full queue is an error.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};

/// The sizes of the pool: `[pool]` in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Jobs that run concurrently.
    pub threads: usize,
    /// Jobs that may wait for a thread.
    pub queue: usize,
}

/// Why a job has no result. Callers respond differently to each.
#[expect(missing_docs, reason = "each message says what happened")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    #[error("too many jobs are waiting")]
    Full,
    #[error("the pool is stopping")]
    Stopped,
    #[error("the job panicked")]
    Panicked,
}

type Job = Box<dyn FnOnce() + Send>;

/// A handle to the pool. Cheap to clone.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    capacity: usize,
    /// Threads that have not ended.
    threads: watch::Sender<usize>,
}

struct Queue {
    waiting: VecDeque<Job>,
    stopping: bool,
}

impl Pool {
    /// Starts the threads. Fails when the machine has no more.
    pub fn start(settings: &Settings) -> std::io::Result<Self> {
        let pool = Self(Arc::new(Shared {
            queue: Mutex::new(Queue { waiting: VecDeque::new(), stopping: false }),
            changed: Condvar::new(),
            capacity: settings.queue,
            threads: watch::Sender::new(0),
        }));
        for i in 0..settings.threads.max(1) {
            let shared = Arc::clone(&pool.0);
            pool.0.threads.send_modify(|threads| *threads += 1);
            std::thread::Builder::new().name(format!("pool-{i}")).spawn(move || {
                lower_priority();
                shared.work();
                shared.threads.send_modify(|threads| *threads -= 1);
            })?;
        }
        Ok(pool)
    }

    /// Runs `job` on a thread of the pool. A job in the queue is not started after the future is dropped. A running job
    /// continues.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (sender, receiver) = oneshot::channel();
        self.0.push(Box::new(move || {
            if sender.is_closed() {
                return;
            }
            let outcome = catch_unwind(AssertUnwindSafe(job)).map_err(|_| PoolError::Panicked);
            // The receiver may have been dropped meanwhile.
            drop(sender.send(outcome));
        }))?;
        receiver.await.unwrap_or(Err(PoolError::Stopped))
    }

    /// Accepts no more jobs, drops those in the queue, and ends when the running ones have ended. Drop the future to stop
    /// waiting for them.
    pub async fn stop(&self) {
        let waiting = {
            let mut queue = self.0.lock();
            queue.stopping = true;
            std::mem::take(&mut queue.waiting)
        };
        self.0.changed.notify_all();
        drop(waiting);
        // Cannot fail: `self` holds the sender.
        drop(self.0.threads.subscribe().wait_for(|threads| *threads == 0).await);
    }
}

impl Shared {
    /// Ignores poisoning: the queue is only pushed to and popped from, so it is always consistent.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job) -> Result<(), PoolError> {
        let mut queue = self.lock();
        if queue.stopping {
            return Err(PoolError::Stopped);
        }
        if queue.waiting.len() >= self.capacity {
            return Err(PoolError::Full);
        }
        queue.waiting.push_back(job);
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            job();
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.waiting.pop_front() {
                return Some(job);
            }
            if queue.stopping {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// How much nicer the pool's threads are, as by the command `nice`.
#[cfg(target_os = "linux")]
const NICER: i32 = 10;

/// Lowers this thread's priority, so that requests that need no job run first when cores are scarce. Only on Linux: elsewhere
/// the value is the whole process's.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Ok(nice) = rustix::process::getpriority_process(None) {
        // Lowering needs no privilege.
        let _ = rustix::process::setpriority_process(None, nice + NICER);
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("waiting", &self.0.lock().waiting.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::sync::mpsc;
    use tokio::task::JoinHandle;

    fn pool(threads: usize, queue: usize) -> Pool {
        Pool::start(&Settings { threads, queue }).unwrap()
    }

    #[tokio::test]
    async fn a_job_succeeds_or_panics_and_its_thread_continues() {
        let pool = pool(1, 1);
        assert_eq!(pool.run(|| 6 * 7).await, Ok(42));
        assert_eq!(pool.run(|| panic!("on purpose")).await.map(|()| 0), Err(PoolError::Panicked));
        assert_eq!(pool.run(|| 1).await, Ok(1));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn jobs_have_a_lower_priority_than_their_callers() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        assert_eq!(pool(1, 1).run(nice).await, Ok((nice() + NICER).min(19)));
    }

    /// Starts a job that runs until it is released.
    async fn start_blocked(pool: &Pool) -> (JoinHandle<Result<(), PoolError>>, mpsc::Sender<()>) {
        let (release, wait) = mpsc::channel::<()>();
        let (begun, begins) = oneshot::channel();
        let pool = pool.clone();
        let running = tokio::spawn(async move {
            pool.run(move || {
                begun.send(()).unwrap();
                wait.recv().unwrap();
            })
            .await
        });
        begins.await.unwrap();
        (running, release)
    }

    #[tokio::test]
    async fn a_full_queue_and_a_stopped_pool_are_different_errors() {
        let pool = pool(1, 1);
        let (running, release) = start_blocked(&pool).await;
        let mut waiting = Box::pin(pool.run(|| 2));
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!(pool.run(|| 3).await, Err(PoolError::Full));
        release.send(()).unwrap();
        assert_eq!(running.await.unwrap(), Ok(()));
        assert_eq!(waiting.await, Ok(2));
        pool.stop().await;
        assert_eq!(pool.run(|| 4).await, Err(PoolError::Stopped));
    }

    #[tokio::test]
    async fn a_queued_job_whose_future_is_dropped_is_not_started() {
        let pool = pool(1, 2);
        let (running, release) = start_blocked(&pool).await;
        let (done, was_done) = mpsc::channel();
        let mut given_up = Box::pin(pool.run(move || done.send(()).unwrap()));
        assert!((&mut given_up).now_or_never().is_none());
        drop(given_up);
        release.send(()).unwrap();
        assert_eq!((running.await.unwrap(), pool.run(|| 1).await), (Ok(()), Ok(1)));
        assert_eq!(
            was_done.try_recv(),
            Err(mpsc::TryRecvError::Disconnected),
            "the job was dropped without running"
        );
    }

    #[tokio::test]
    async fn a_stop_drops_queued_jobs_and_waits_for_running_ones() {
        let pool = pool(1, 1);
        let (running, release) = start_blocked(&pool).await;
        let mut waiting = Box::pin(pool.run(|| 2));
        assert!((&mut waiting).now_or_never().is_none());
        let mut stop = Box::pin(pool.stop());
        assert!((&mut stop).now_or_never().is_none());
        assert_eq!(waiting.await, Err(PoolError::Stopped));
        release.send(()).unwrap();
        stop.await;
        assert_eq!(running.await.unwrap(), Ok(()));
        pool.stop().await;
    }
}
