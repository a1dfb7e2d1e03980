//! Reads that end early.

use super::*;
use crate::clock::Clock;
use crate::sqlite::Interrupt;

/// Ends only when it is interrupted.
fn endless(database: &Database) -> Result<i64, DatabaseError> {
    counting(database, "SELECT 1 UNION ALL SELECT n + 1 FROM c")
}

/// Long enough for many calls of the handler.
fn long(database: &Database) -> Result<i64, DatabaseError> {
    counting(database, "SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000")
}

fn counting(database: &Database, numbers: &str) -> Result<i64, DatabaseError> {
    let sql = format!("WITH RECURSIVE c (n) AS ({numbers}) SELECT count(*) FROM c");
    database.read(|connection| Ok(connection.query_one(&sql, [], |row| row.get(0))?))
}

/// With one reader, so that the next read has the connection of the one before.
fn one_reader() -> (Database, Clock, TestFile) {
    let file = TestFile::new();
    let settings = DatabaseSettings { readers: 1, ..file.settings.clone() };
    let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    (Database::open(&settings, &NOTES).unwrap(), clock, file)
}

#[test]
fn a_read_that_takes_too_long_ends_and_the_next_on_its_connection_does_not() {
    let (database, clock, _file) = one_reader();
    let interrupt = Interrupt::after(Duration::from_secs(9), clock.clone());
    let bounded = database.interruptible(&interrupt);
    assert_eq!(long(&bounded).unwrap(), 100_000, "the clock does not move");
    std::thread::scope(|scope| {
        let read = scope.spawn(|| endless(&bounded));
        while !read.is_finished() {
            clock.advance(Duration::from_secs(1));
            std::thread::yield_now();
        }
        let ended = read.join().unwrap();
        assert!(matches!(ended, Err(DatabaseError::Interrupted)), "{ended:?}");
    });
    assert_eq!(long(&database).unwrap(), 100_000);
}

#[test]
fn a_read_whose_caller_has_gone_ends_or_does_not_begin() {
    let (database, clock, _file) = one_reader();
    let interrupt = Interrupt::after(Duration::from_secs(9), clock);
    let bounded = database.interruptible(&interrupt);
    std::thread::scope(|scope| {
        let read = scope.spawn(|| endless(&bounded));
        drop(interrupt);
        let ended = read.join().unwrap();
        assert!(matches!(ended, Err(DatabaseError::Interrupted)), "{ended:?}");
    });
    let outcome = bounded.read_by_key(|_| Ok::<_, DatabaseError>(()));
    assert!(matches!(outcome, Err(DatabaseError::Interrupted)), "{outcome:?}");
    assert_eq!(long(&database).unwrap(), 100_000);
}

#[test]
fn an_inline_read_waits_for_no_scan_and_ends_early() {
    let (database, clock, _file) = one_reader();
    let interrupt = Interrupt::inline(clock.clone());
    let inline = database.interruptible(&interrupt);
    // The scan holds the only reader.
    assert_eq!(database.read(|_| long(&inline)).unwrap(), 100_000);
    std::thread::scope(|scope| {
        let read = scope.spawn(|| endless(&inline));
        while !read.is_finished() {
            clock.advance(Duration::from_millis(1));
            std::thread::yield_now();
        }
        let ended = read.join().unwrap();
        assert!(matches!(ended, Err(DatabaseError::Interrupted)), "{ended:?}");
    });
    assert_eq!(long(&inline).unwrap(), 100_000);
}

#[test]
fn a_panic_leaves_a_connection_without_bounds() {
    let (database, clock, _file) = one_reader();
    let interrupt = Interrupt::after(Duration::from_secs(9), clock);
    let bounded = database.interruptible(&interrupt);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = bounded.read(|_| -> Result<(), DatabaseError> { panic!("on purpose") });
    }));
    assert!(caught.is_err());
    drop(interrupt);
    assert_eq!(long(&database).unwrap(), 100_000);
}
