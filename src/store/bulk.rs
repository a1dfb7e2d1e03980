//! An import at length: batch after batch, and the indexes that only lists need laid aside while much is added.
//!
//! An index in random order costs each row of a large database a page read and a page written; built at the end, a
//! sort. Laid aside means dropped: so it is done only while nobody else has the database open, the file says so
//! (`user_version`), and whoever opens it next, should this process die, builds them first.

use rusqlite::Connection;

use super::import::{ImportRow, ImportRules, Imported};
use super::lock::Lock;
use super::{Actor, Store, StoreError, migrate, pseudonym};

/// Indexes that an import neither looks into nor is kept from doubles by.
const ASIDE: [&str; 7] = [
    "users_by_created_at",
    "users_by_updated_at",
    "users_by_email",
    "users_by_name",
    "users_by_family_name",
    "audit_by_target",
    "audit_by_action",
];

/// Rows to be added before it is worth it.
const MANY: u64 = 100_000;

/// The writer's page cache meanwhile, in KiB: what is left of indexes is written to in random places.
const CACHE_KIB: i64 = 512 * 1024;

/// Pages of write-ahead log between checkpoints meanwhile. A page that many batches write to is then moved into the
/// file once.
const CHECKPOINT_PAGES: i64 = 64 * 1024;

/// An import that goes on. What was imported stays, however it ends; [`Import::finish`] it even so.
#[derive(Debug)]
pub struct Import<'a> {
    store: &'a Store,
    rules: ImportRules,
    actor: &'a Actor,
    /// About how many users there were.
    before: u64,
    added: u64,
    indexes: Indexes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Indexes {
    Kept,
    Aside,
    /// Kept, because others have the database open.
    Shared,
}

impl Store {
    /// Begins an import, and gives the one writer the memory for it. For a process that does nothing else.
    ///
    /// # Errors
    /// As every write.
    pub fn begin_import<'a>(
        &'a self,
        rules: ImportRules,
        actor: &'a Actor,
    ) -> Result<Import<'a>, StoreError> {
        let before = self.shared.writer.with(|connection| {
            give_memory(connection)?;
            // No row is ever deleted.
            Ok(connection
                .query_row("SELECT ifnull(max(rowid), 0) FROM users", [], |row| row.get::<_, i64>(0))?)
        })?;
        let indexes = self.with_lock(|lock| {
            let alone = lock.try_exclusive()?;
            lock.share()?;
            Ok(if alone { Indexes::Kept } else { Indexes::Shared })
        })?;
        Ok(Import { store: self, rules, actor, before: before.unsigned_abs(), added: 0, indexes })
    }
}

impl Import<'_> {
    /// As [`Store::import`].
    ///
    /// # Errors
    /// As [`Store::import`]; then none of these rows was imported.
    pub fn batch(&mut self, rows: &[ImportRow]) -> Result<Vec<Imported>, StoreError> {
        let outcomes = self.store.import(rows, self.rules, self.actor)?;
        if !self.rules.dry_run {
            let added = outcomes.iter().filter(|outcome| **outcome == Imported::Added).count();
            self.added = self.added.saturating_add(added as u64);
            if self.indexes == Indexes::Kept && self.added >= MANY.max(self.before / 4) {
                self.indexes = self.store.lay_aside()?;
            }
        }
        Ok(outcomes)
    }

    /// Whether others have the database open. They wait for the write lock meanwhile, up to a tenth of a second from
    /// one try to the next, so they need as long a pause between batches.
    pub fn is_shared(&self) -> bool {
        self.indexes == Indexes::Shared
    }

    /// Whether indexes are left to be built, which takes some seconds a million users.
    pub fn has_indexes_to_build(&self) -> bool {
        self.indexes == Indexes::Aside
    }

    /// Builds the indexes that were laid aside, and lets others in again.
    ///
    /// # Errors
    /// As every write. What is missing is then built by whoever opens the database next.
    pub fn finish(self) -> Result<(), StoreError> {
        self.store.with_lock(|lock| {
            self.store.shared.writer.with(|connection| {
                if self.indexes == Indexes::Aside {
                    build(connection)?;
                    lock.share()?;
                }
                Ok(())
            })
        })
    }
}

impl Store {
    fn lay_aside(&self) -> Result<Indexes, StoreError> {
        self.with_lock(|lock| {
            if !lock.try_exclusive()? {
                return Ok(Indexes::Shared);
            }
            self.shared.writer.with(|connection| {
                let tx = connection.transaction()?;
                for index in ASIDE {
                    tx.execute_batch(&format!("DROP INDEX IF EXISTS {index}"))?;
                }
                tx.pragma_update(None, "user_version", 1)?;
                Ok(tx.commit()?)
            })?;
            Ok(Indexes::Aside)
        })
    }
}

/// Builds the indexes that an import which did not finish has left aside, and else does nothing.
///
/// # Errors
/// [`StoreError::InUse`] when others have the database open, else as every write.
pub(super) fn complete(
    connection: &Connection,
    lock: &Lock,
    path: &std::path::Path,
) -> Result<(), StoreError> {
    let aside: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if aside == 0 {
        return Ok(());
    }
    if !lock.try_exclusive()? {
        return Err(StoreError::InUse { path: path.to_owned() });
    }
    tracing::warn!("an import did not finish; the indexes that it laid aside are built now");
    // A server goes on with this connection.
    let usual = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (cache, checkpoint) = (usual("cache_size")?, usual("wal_autocheckpoint")?);
    give_memory(connection)?;
    build(connection)?;
    connection.pragma_update(None, "cache_size", cache)?;
    connection.pragma_update(None, "wal_autocheckpoint", checkpoint)?;
    lock.share()
}

fn give_memory(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?)
}

/// Each in a transaction of its own: what is built stays built.
fn build(connection: &Connection) -> Result<(), StoreError> {
    // Ten million of them would not fit into everybody's memory.
    connection.pragma_update(None, "temp_store", "FILE")?;
    let there = indexes(connection)?;
    for (name, sql) in wanted()? {
        if !there.iter().any(|(other, _)| *other == name) {
            connection.execute_batch(&sql)?;
        }
    }
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection.pragma_update(None, "user_version", 0)?)
}

/// All indexes that the migrations make, with their statements.
fn wanted() -> Result<Vec<(String, String)>, StoreError> {
    let mut empty = Connection::open_in_memory()?;
    pseudonym::lend(&empty)?;
    migrate::run(&mut empty, std::path::Path::new(":memory:"))?;
    indexes(&empty)
}

fn indexes(connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name",
    )?;
    let all = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(all.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings_in;
    use super::super::{LinkEmail, Settings};
    use super::*;
    use crate::clock::Clock;

    const RULES: ImportRules = ImportRules { link: LinkEmail::Never, dry_run: false };

    fn open(settings: &Settings) -> Store {
        Store::open(settings, Clock::system()).unwrap()
    }

    fn row(auth0_id: &str) -> ImportRow {
        ImportRow { auth0_id: Some(auth0_id.parse().unwrap()), ..ImportRow::default() }
    }

    /// What stands in the file: its indexes, and whether some are told to be missing.
    fn schema(settings: &Settings) -> (Vec<(String, String)>, i64) {
        let shell = Connection::open(&settings.path).unwrap();
        let aside = shell.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        (indexes(&shell).unwrap(), aside)
    }

    fn import_many<'a>(store: &'a Store) -> Import<'a> {
        let mut import = store.begin_import(RULES, &Actor::Cli).unwrap();
        import.batch(&[row("auth0|1")]).unwrap();
        assert!(!import.has_indexes_to_build(), "not for a few");
        import.added = MANY;
        import.batch(&[row("auth0|2")]).unwrap();
        import
    }

    #[test]
    fn what_an_import_lays_aside_is_as_before_when_it_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings_in(dir.path());
        let store = open(&settings);
        let before = schema(&settings);
        let mut import = import_many(&store);
        assert!(import.has_indexes_to_build());
        assert_eq!(before.0.len() - schema(&settings).0.len(), ASIDE.len());
        import.batch(&[row("auth0|3"), row("auth0|3")]).unwrap();
        let other = Store::open(&settings, Clock::system());
        assert!(matches!(other, Err(StoreError::BeingRestored { .. })), "nobody lists users without them");
        import.finish().unwrap();
        assert_eq!(schema(&settings), before);
        assert_eq!(open(&settings).users(10, None).unwrap().users.len(), 3);
        assert!(store.verify_audit(None).unwrap().is_whole());
    }

    #[test]
    fn whoever_opens_it_after_an_import_that_died_builds_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings_in(dir.path());
        let store = open(&settings);
        let before = schema(&settings);
        assert!(import_many(&store).has_indexes_to_build());
        drop(store);
        assert_ne!(schema(&settings), before);
        let next = open(&settings);
        assert_eq!(schema(&settings), before);
        let pages = next.shared.writer.with(|connection| {
            Ok(connection.pragma_query_value(None, "wal_autocheckpoint", |row| row.get::<_, i64>(0))?)
        });
        assert_ne!(pages.unwrap(), CHECKPOINT_PAGES, "a server does not keep what was for the building");
        open(&settings).close().unwrap();
        assert_eq!(next.users(10, None).unwrap().users.len(), 2);
    }

    #[test]
    fn indexes_stay_while_others_have_the_database_open() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings_in(dir.path());
        let (store, other) = (open(&settings), open(&settings));
        let before = schema(&settings);
        let import = import_many(&store);
        assert!(import.is_shared() && !import.has_indexes_to_build());
        assert_eq!(schema(&settings), before);
        import.finish().unwrap();
        drop(other);
        let import = store.begin_import(RULES, &Actor::Cli).unwrap();
        assert!(!import.is_shared());
    }
}
