//! Changes that share a transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{scope, yield_now};

use super::*;
use crate::clock::Clock;
use crate::sqlite::writer::WriterQueue;

/// A queue for a file with the table `notes`.
struct TestQueue {
    queue: WriterQueue,
    file: TestFile,
    commits: Arc<AtomicUsize>,
}

impl TestQueue {
    /// `fails` gets the number of each commit, from 0, and returns whether it fails.
    fn new(fails: fn(usize) -> bool) -> Self {
        let file = TestFile::with(&[]);
        let (mut connection, commits) = (file.shell(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&commits);
        connection.commit_hook(Some(move || fails(count.fetch_add(1, Ordering::SeqCst)))).unwrap();
        Self { queue: WriterQueue::new(connection, Duration::from_secs(60)), file, commits }
    }

    fn add(&self, id: i64) -> Result<(), DatabaseError> {
        self.queue.in_group(|tx| insert(tx, id))
    }

    /// Adds the note 0, and runs `others` while that change waits for so many callers.
    fn add_beside(&self, callers: usize, others: impl FnOnce()) -> Result<(), DatabaseError> {
        let (begun, clock) = (AtomicUsize::new(0), Clock::system());
        let until = |condition: &dyn Fn() -> bool| {
            while !condition() {
                assert!(clock.elapsed() < Duration::from_secs(60), "no caller waits");
                yield_now();
            }
        };
        scope(|threads| {
            let first = threads.spawn(|| {
                self.queue.in_group(|tx| {
                    begun.store(1, Ordering::SeqCst);
                    until(&|| self.queue.waiting() == callers);
                    insert(tx, 0)
                })
            });
            until(&|| begun.load(Ordering::SeqCst) == 1);
            others();
            first.join().unwrap()
        })
    }

    /// The notes on the disk, read by another connection.
    fn ids(&self) -> Vec<i64> {
        let connection = self.file.shell();
        let mut statement = connection.prepare("SELECT id FROM notes ORDER BY id").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }
}

fn insert(tx: &Connection, id: i64) -> Result<(), DatabaseError> {
    tx.execute("INSERT INTO notes (id, text) VALUES (?1, 'a')", [id])?;
    Ok(())
}

/// Runs `change` for 1 to 8 on as many threads.
fn eight_times(change: impl Fn(i64) + Sync) {
    scope(|threads| {
        (1..=8).for_each(|id| {
            drop(threads.spawn({
                let change = &change;
                move || change(id)
            }))
        })
    });
}

#[test]
fn changes_that_wait_share_one_commit_and_return_after_it() {
    let test = TestQueue::new(|_| false);
    let first = test.add_beside(8, || {
        eight_times(|id| {
            test.add(id).unwrap();
            assert_eq!((test.ids(), test.commits()), ((0..=8).collect(), 1));
        });
    });
    first.unwrap();
    test.add(9).unwrap();
    assert_eq!((test.ids(), test.commits()), ((0..=9).collect(), 2));
}

#[test]
fn a_change_that_fails_or_panics_is_undone_alone() {
    let test = TestQueue::new(|_| false);
    let first = test.add_beside(8, || {
        eight_times(|id| match id {
            3 => {
                let failed: Result<(), _> =
                    test.queue.in_group(|tx| insert(tx, id).and(Err(DatabaseError::Interrupted)));
                assert!(matches!(failed, Err(DatabaseError::Interrupted)));
            }
            5 => {
                let panicking = || {
                    test.queue.in_group(|tx| -> Result<(), DatabaseError> {
                        insert(tx, id)?;
                        panic!("on purpose")
                    })
                };
                assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
            }
            _ => test.add(id).unwrap(),
        });
    });
    first.unwrap();
    assert_eq!((test.ids(), test.commits()), (vec![0, 1, 2, 4, 6, 7, 8], 1));
}

#[test]
fn a_failed_commit_is_that_of_all_and_leaves_nothing() {
    let test = TestQueue::new(|commit| commit == 0);
    let first = test.add_beside(8, || {
        eight_times(|id| assert!(matches!(test.add(id), Err(DatabaseError::Sqlite(_)))));
    });
    assert!(matches!(first, Err(DatabaseError::Sqlite(_))));
    assert_eq!(test.ids(), [0; 0]);
    test.add(1).unwrap();
    assert_eq!(test.ids(), [1]);
}

#[test]
fn an_error_that_may_rest_on_a_change_that_is_not_stored_is_not_returned() {
    let test = TestQueue::new(|commit| commit == 0);
    let first = test.add_beside(1, || {
        let refused: Result<(), _> = test.queue.in_group(|_| Err(DatabaseError::Closed));
        assert!(matches!(refused, Err(DatabaseError::Sqlite(_))));
    });
    assert!(matches!(first, Err(DatabaseError::Sqlite(_))));
}

#[test]
fn when_sqlite_rolls_the_transaction_back_the_others_can_try_again() {
    let test = TestQueue::new(|_| false);
    let first = test.add_beside(1, || {
        let full = |tx: &Connection| {
            tx.execute_batch("ROLLBACK").map_err(DatabaseError::from).and(Err(DatabaseError::Closed))
        };
        let failed: Result<(), _> = test.queue.in_group(full);
        assert!(matches!(failed, Err(DatabaseError::Closed)));
    });
    assert!(matches!(first, Err(DatabaseError::Busy)));
    assert_eq!(test.ids(), [0; 0]);
    test.add(1).unwrap();
    assert_eq!(test.ids(), [1]);
}

#[test]
fn work_alone_and_a_close_find_no_open_transaction() {
    let test = TestQueue::new(|_| false);
    let first = test.add_beside(1, || {
        let alone =
            test.queue.alone(|connection| Ok::<_, DatabaseError>((connection.is_autocommit(), test.ids())));
        assert_eq!(alone.unwrap(), (true, vec![0]));
    });
    first.unwrap();
    test.queue
        .alone(|connection| {
            insert(connection, 1).and_then(|()| Ok(connection.execute_batch("DELETE FROM notes")?))
        })
        .unwrap();
    let first = test.add_beside(1, || assert!(test.queue.close().unwrap().is_autocommit()));
    first.unwrap();
    assert_eq!(test.ids(), [0]);
    assert!(matches!(test.add(1), Err(DatabaseError::Closed)));
}
