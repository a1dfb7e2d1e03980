//! What one operation may make: bytes of large values, before they are made, and how many in one go.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

/// Bytes that may be made before other tasks run: less than a millisecond's work.
const SLICE: usize = 128 * 1024;

/// Unbounded until it [runs](Budget::run) an operation.
#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicUsize,
    /// What may be made in this poll of the operation.
    slice: AtomicUsize,
    is_exceeded: AtomicBool,
}

impl Default for Budget {
    fn default() -> Self {
        let (left, slice) = (AtomicUsize::new(usize::MAX), AtomicUsize::new(usize::MAX));
        Self { left, slice, is_exceeded: AtomicBool::new(false) }
    }
}

impl Budget {
    /// Runs an operation that may spend `max` bytes. `None` when it would spend more.
    pub(super) async fn run<T>(&self, max: usize, operation: impl Future<Output = T>) -> Option<T> {
        self.left.store(max, Ordering::Relaxed);
        let mut operation = pin!(operation);
        poll_fn(|task| {
            self.slice.store(SLICE, Ordering::Relaxed);
            match operation.as_mut().poll(task) {
                _ if self.is_exceeded.load(Ordering::Relaxed) => Poll::Ready(None),
                outcome => outcome.map(Some),
            }
        })
        .await
    }

    /// Spends bytes of the operation. Returns only if enough are left, and after other tasks have run if it has made a slice.
    pub(super) async fn spend(&self, bytes: usize) {
        if !self.take(bytes) {
            std::future::pending::<()>().await;
        }
        self.pace(bytes).await;
    }

    /// Counts work that is worth making so many bytes. Returns after other tasks have run, if this one has made a slice.
    pub(super) async fn pace(&self, bytes: usize) {
        poll_fn(|task| match self.slice.load(Ordering::Relaxed) {
            0 => {
                task.waker().wake_by_ref();
                Poll::Pending
            }
            slice => {
                self.slice.store(slice.saturating_sub(bytes), Ordering::Relaxed);
                Poll::Ready(())
            }
        })
        .await;
    }

    /// Spends bytes in code that can't wait. Returns whether enough were left; else the operation ends when it next waits.
    pub(super) fn spend_now(&self, bytes: usize) -> bool {
        let slice = self.slice.load(Ordering::Relaxed);
        self.slice.store(slice.saturating_sub(bytes), Ordering::Relaxed);
        self.take(bytes)
    }

    fn take(&self, bytes: usize) -> bool {
        let take = |left: usize| left.checked_sub(bytes);
        let is_enough = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        if !is_enough {
            self.is_exceeded.store(true, Ordering::Relaxed);
        }
        is_enough
    }

    /// What is left.
    pub(super) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::task::{Context, Waker};

    #[test]
    fn an_operation_that_spends_too_much_ends() {
        let budget = Budget::default();
        let spend = |times: usize| {
            let operation = join_all((0..times).map(|_| budget.spend(10)));
            let mut run = pin!(budget.run(100, operation));
            match run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => outcome.map(|done| done.len()),
                Poll::Pending => panic!("it neither ends nor yields"),
            }
        };
        assert_eq!(spend(10), Some(10));
        assert_eq!(spend(11), None);
    }

    #[test]
    fn an_operation_that_spends_too_much_without_waiting_ends_when_it_returns() {
        let budget = Budget::default();
        let spend = |bytes| {
            let mut run = pin!(budget.run(100, async { budget.spend_now(60) && budget.spend_now(bytes) }));
            run.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
        assert_eq!(spend(40), Poll::Ready(Some(true)));
        assert_eq!(spend(41), Poll::Ready(None));
    }

    #[test]
    fn an_operation_lets_others_run_after_each_slice() {
        let budget = Budget::default();
        let operation = join_all((0..10).map(|_| budget.spend(SLICE)));
        let mut run = pin!(budget.run(10 * SLICE, operation));
        let polls = (1..).find(|_| run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_eq!(polls, Some(10));
        assert_eq!(budget.left(), 0);
    }
}
