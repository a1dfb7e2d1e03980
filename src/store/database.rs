//! A SQLite file of a team's own, opened as ours is: its own tables beside our users, never among them.
//!
//! A file of its own because a schema has one owner: our versions and a team's would race for the same numbers. What
//! ties the two is the user's id, which stays for ever; an erased user leaves a tombstone with it.

use std::path::Path;
use std::sync::Arc;

use refinery::{Migration, Runner};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::connections::Lane;
use super::open::{self, Purpose};
use super::{Settings, StoreError, truncate_wal};

/// A handle to the file. Cheap to clone. All calls block: a point read by key may run inline, everything else belongs
/// on the pool.
#[derive(Clone)]
pub struct Database(Arc<Lanes>);

struct Lanes {
    writer: Lane,
    readers: Lane,
}

impl Database {
    /// Opens the file at `path`, made with mode 0600 when absent, and runs those of `migrations` that it has not seen.
    ///
    /// A migration is a name like `V1__notes` and its SQL. They run forward only, each once, all pending ones in one
    /// transaction; one that was run is never edited. `readers` connections read at once, writes go through one, and
    /// who waits longer than `busy_timeout` is told [`StoreError::Busy`]: as `[store]` has it for our own file.
    ///
    /// # Errors
    /// As [`Store::open`](super::Store::open), also when `path` is the file of our users.
    pub fn open(path: &Path, migrations: &[(&str, &str)], like: &Settings) -> Result<Self, StoreError> {
        let path = open::resolve(path)?;
        open::prepare_team_s(&path)?;
        let connect = |purpose| open::connect_to_team_s(&path, purpose, like.busy_timeout);
        let mut writer = connect(Purpose::Write)?;
        migrate(&mut writer, migrations)?;
        let readers = (0..like.readers.max(1)).map(|_| connect(Purpose::Read)).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Lanes {
            writer: Lane::new(vec![writer], like.busy_timeout),
            readers: Lane::new(readers, like.busy_timeout),
        })))
    }

    /// Reads from one connection.
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::Closed`], and those of `query`.
    pub fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.0.readers.with(|connection| query(connection))
    }

    /// One write transaction, which holds the write lock from its beginning. What `steps` did is undone when it fails
    /// or panics.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub fn write<T>(
        &self,
        steps: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.0.writer.with(|connection| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let outcome = steps(&tx)?;
            tx.commit()?;
            Ok(outcome)
        })
    }
}

/// The WAL moves into the file when the last handle goes, so that the file alone is whole.
impl Drop for Lanes {
    fn drop(&mut self) {
        drop(self.readers.close());
        if let Err(error) = self.writer.close().iter().try_for_each(|writer| truncate_wal(writer).map(drop)) {
            tracing::warn!(%error, "a database was not closed cleanly; its log is read at the next start");
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

fn migrate(connection: &mut Connection, migrations: &[(&str, &str)]) -> Result<(), StoreError> {
    let failed = |error| StoreError::Migration(Box::new(error));
    let migrations: Vec<_> = migrations
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    Runner::new(&migrations).set_grouped(true).run(connection).map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::settings_in;

    const NOTES: &[(&str, &str)] = &[("V1__notes", "CREATE TABLE notes (text TEXT NOT NULL) STRICT;")];

    fn count(database: &Database) -> i64 {
        let count = |connection: &Connection| {
            Ok(connection.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))?)
        };
        database.read(count).unwrap()
    }

    fn add(database: &Database) {
        database.write(|tx| Ok(tx.execute("INSERT INTO notes (text) VALUES ('a')", [])?)).unwrap();
    }

    #[test]
    fn a_team_s_tables_are_migrated_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (path, like) = (dir.path().join("notes.db"), settings_in(dir.path()));
        let database = Database::open(&path, NOTES, &like).unwrap();
        add(&database);
        drop(database);
        assert!(!dir.path().join("notes.db-wal").exists(), "the file alone is whole");
        let more = [NOTES[0], ("V2__authors", "ALTER TABLE notes ADD COLUMN author TEXT;")];
        let database = Database::open(&path, &more, &like).unwrap();
        assert_eq!(count(&database), 1);
    }

    #[test]
    fn steps_that_fail_leave_nothing_and_a_reader_can_not_write() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(&dir.path().join("notes.db"), NOTES, &settings_in(dir.path())).unwrap();
        let failed: Result<(), _> = database.write(|tx| {
            tx.execute("INSERT INTO notes (text) VALUES ('a')", [])?;
            Err(StoreError::Closed)
        });
        assert!(failed.is_err() && count(&database) == 0);
        assert!(database.read(|connection| Ok(connection.execute("DELETE FROM notes", [])?)).is_err());
    }

    #[test]
    fn the_file_of_our_users_is_not_a_team_s() {
        let dir = tempfile::tempdir().unwrap();
        let like = settings_in(dir.path());
        drop(crate::store::Store::open(&like, crate::clock::Clock::system()).unwrap());
        let refused = Database::open(&like.path, NOTES, &like);
        assert!(matches!(refused, Err(StoreError::NotOurs { .. })), "{refused:?}");
    }
}
