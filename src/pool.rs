//! The bounded pool: the only place that waits on the world.
//!
//! Owns a fixed number of threads and a bounded queue for blocking jobs (writes, scans, files, fetches).
//! Leans on nothing of ours. Never grows, never blocks the caller: a full queue is an answer.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};

/// Sizes of the pool: `[pool]` in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Jobs that run at once.
    pub threads: usize,
    /// Jobs that may wait for a thread.
    pub queue: usize,
}

/// Why a job did not end as done. Three different answers: the caller tells its client apart by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The queue is full; the job was not started.
    #[error("too many jobs are waiting")]
    Full,
    /// The pool is stopping; the job was not started, and will not be.
    #[error("the pool is stopping")]
    Stopped,
    /// The job panicked. The thread lives on.
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
    room: usize,
    /// Threads that have not ended.
    threads: watch::Sender<usize>,
}

struct Queue {
    waiting: VecDeque<Job>,
    stopping: bool,
}

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the machine gives no more threads.
    pub fn start(settings: &Settings) -> std::io::Result<Self> {
        let pool = Self(Arc::new(Shared {
            queue: Mutex::new(Queue { waiting: VecDeque::new(), stopping: false }),
            changed: Condvar::new(),
            room: settings.queue,
            threads: watch::Sender::new(0),
        }));
        for i in 0..settings.threads.max(1) {
            let shared = Arc::clone(&pool.0);
            pool.0.threads.send_modify(|threads| *threads += 1);
            std::thread::Builder::new().name(format!("pool-{i}")).spawn(move || {
                shared.work();
                shared.threads.send_modify(|threads| *threads -= 1);
            })?;
        }
        Ok(pool)
    }

    /// Runs `job` on a thread of the pool. Once the future is dropped a job that still waits is not begun: nobody would
    /// learn how it ended. One that has begun goes on.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (tell, told) = oneshot::channel();
        self.0.push(Box::new(move || {
            if tell.is_closed() {
                return;
            }
            let outcome = catch_unwind(AssertUnwindSafe(job)).map_err(|_| PoolError::Panicked);
            // The asker may have gone away; then nobody wants the answer.
            drop(tell.send(outcome));
        }))?;
        told.await.unwrap_or(Err(PoolError::Stopped))
    }

    /// Takes no more jobs, lets go of those that wait, and ends when those that run have ended. Whoever does not want to
    /// wait for them drops the future.
    pub async fn stop(&self) {
        let waiting = {
            let mut queue = self.0.lock();
            queue.stopping = true;
            std::mem::take(&mut queue.waiting)
        };
        self.0.changed.notify_all();
        drop(waiting);
        // The sender is in our own hands, so waiting for it does not fail.
        drop(self.0.threads.subscribe().wait_for(|threads| *threads == 0).await);
    }
}

impl Shared {
    /// The queue is only ever pushed to and popped from, so a poisoned lock still holds a whole queue.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job) -> Result<(), PoolError> {
        let mut queue = self.lock();
        if queue.stopping {
            return Err(PoolError::Stopped);
        }
        if queue.waiting.len() >= self.room {
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
    async fn a_job_ends_as_done_or_panicked_and_the_thread_lives_on() {
        let pool = pool(1, 1);
        assert_eq!(pool.run(|| 6 * 7).await, Ok(42));
        assert_eq!(pool.run(|| panic!("on purpose")).await.map(|()| 0), Err(PoolError::Panicked));
        assert_eq!(pool.run(|| 1).await, Ok(1));
    }

    /// A job that runs until it is let go, and what lets it.
    async fn held(pool: &Pool) -> (JoinHandle<Result<(), PoolError>>, mpsc::Sender<()>) {
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
    async fn a_full_queue_answers_at_once_and_a_stopped_pool_differently() {
        let pool = pool(1, 1);
        let (running, release) = held(&pool).await;
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
    async fn a_job_that_nobody_waits_for_any_more_is_not_begun() {
        let pool = pool(1, 2);
        let (running, release) = held(&pool).await;
        let (done, was_done) = mpsc::channel();
        let mut given_up = Box::pin(pool.run(move || done.send(()).unwrap()));
        assert!((&mut given_up).now_or_never().is_none());
        drop(given_up);
        release.send(()).unwrap();
        assert_eq!((running.await.unwrap(), pool.run(|| 1).await), (Ok(()), Ok(1)));
        assert_eq!(was_done.try_recv(), Err(mpsc::TryRecvError::Disconnected), "it was dropped, and not run");
    }

    #[tokio::test]
    async fn a_stop_lets_go_of_what_waits_and_waits_for_what_runs() {
        let pool = pool(1, 1);
        let (running, release) = held(&pool).await;
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
